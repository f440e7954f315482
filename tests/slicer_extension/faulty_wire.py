"""A TCP connection to a server on which things go wrong: slow, silent, spoiled, cut, or under another's certificate."""

import contextlib
import socket
import ssl
import threading
import time


class FaultyWire:
    """Carries bytes to a server and back until told otherwise; may be told while connections are open.

    Attributes
    ----------
    upload_bytes_s
        So many bytes a second pass to the server; None: all at once.
    silent
        Answers do not pass while this is set.
    spoil
        Bytes of passing zips are changed.
    cut_after
        An answer that is a zip ends after so many bytes; counted down, None when it has happened.
    carried
        Bytes that have passed to the server.
    """

    def __init__(self, target: str, context: ssl.SSLContext | None = None):
        host, port = target.removeprefix("http://").split(":")
        self._target, self._context = (host, int(port)), context
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if context else "http"
        self.port = self._listener.getsockname()[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.upload_bytes_s: float | None = None
        self.silent, self.spoil = False, False
        self.cut_after: int | None = None
        self.carried = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "FaultyWire":
        return self

    def __exit__(self, *error) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # or the thread that waits would take one caller more
        self._listener.close()
        self.drop()

    def drop(self) -> None:
        """Break all connections that are open."""
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                threading.Thread(target=self._join, args=(caller,), daemon=True).start()

    def _join(self, caller: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._context is not None:
                caller = self._context.wrap_socket(caller, server_side=True)
            server = socket.create_connection(self._target)
            self._open += [caller, server]
            threading.Thread(target=self._to_server, args=(caller, server), daemon=True).start()
            self._to_caller(server, caller)

    def _to_server(self, caller: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := caller.recv(1 << 14):
                if self.upload_bytes_s:
                    time.sleep(len(block) / self.upload_bytes_s)
                self.carried += len(block)
                server.sendall(block)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)  # the caller hung up: so do we

    def _to_caller(self, server: socket.socket, caller: socket.socket) -> None:
        in_zip = False
        while block := server.recv(1 << 14):
            while self.silent:
                time.sleep(0.02)
            in_zip = in_zip or b"application/zip" in block
            if self.spoil and in_zip and len(block) > 4096:
                block = block[:2048] + bytes(byte ^ 0x55 for byte in block[2048:])
            if self.cut_after is not None and in_zip:
                self.cut_after -= len(block)
                if self.cut_after <= 0:
                    self.cut_after = None
                    break
            caller.sendall(block)
        caller.close()
        server.close()
