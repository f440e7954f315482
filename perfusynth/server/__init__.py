"""The ASGI application around MONAI Label: http, access, jobs."""
