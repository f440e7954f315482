"""The server's application for ASGI servers and for ``monailabel start_server --uvicorn_app``."""

from perfusynth.server.factory import create_app

app = create_app()
