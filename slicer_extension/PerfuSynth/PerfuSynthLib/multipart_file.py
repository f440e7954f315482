"""A multipart form with one file, read off the disk while it is sent."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path


class MultipartFile:
    """A request's body: short text fields and one file (RFC 7578). requests sends it block by block.

    Parameters
    ----------
    path
        The file; its own name does not travel.
    part, filename
        Name of the file's part, and the neutral name that is given to the file.
    fields
        Texts by name.
    on_share
        Told the share (0 to 1) that has been handed to the network; may raise to stop the upload. Not asked when all
        has been handed over: the server takes the order then, and its answer must be heard.
    """

    def __init__(
        self,
        path: Path,
        part: str,
        filename: str,
        fields: dict[str, str],
        on_share: Callable[[float], None] | None = None,
    ):
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        head = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
            for name, text in fields.items()
        )
        head += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{part}"; filename="{filename}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        self._head, self._tail = head.encode(), f"\r\n--{boundary}--\r\n".encode()
        self._size = len(self._head) + path.stat().st_size + len(self._tail)
        self._file = open(path, "rb")  # noqa: SIM115 - closed by the `with` around this object
        self._sent = 0
        self._on_share = on_share

    def __enter__(self) -> MultipartFile:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        """The next ``size`` bytes, or fewer; nothing at the end."""
        if self._on_share is not None and self._sent < self._size:
            self._on_share(self._sent / self._size)
        if self._head:
            block, self._head = self._head, b""
        else:
            block = self._file.read(size)
            if not block:
                block, self._tail = self._tail, b""
        self._sent += len(block)
        return block
