"""A web server that is not ours: gives one answer to everything and keeps what it was sent."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class CannedServer:
    """Answers every request alike, or by its path.

    Attributes
    ----------
    answers
        Path (``*`` for all others) to status, headers, body; a list of them is given one by one, the last for ever.
    requests
        Method, path and headers of all that came.
    """

    def __init__(self, answers: dict[str, object]):
        self.answers, self.requests = answers, []
        canned = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                canned.requests.append((self.command, self.path, dict(self.headers)))
                given = canned.answers.get(self.path.partition("?")[0], canned.answers.get("*"))
                if isinstance(given, list):
                    given = given.pop(0) if len(given) > 1 else given[0]
                status, headers, body = given
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = _answer

            def log_message(self, *arguments) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> "CannedServer":
        return self

    def __exit__(self, *error) -> None:
        self._server.shutdown()
        self._server.server_close()
