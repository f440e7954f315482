"""Servers for the panel's tests: how they are started, and what stands between them and the panel."""

import contextlib
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "server"))

import servers

HERE = Path(__file__).parent
PHANTOM = HERE.parents[1] / "sample-data" / "phantom-4000020"
#: The phantom's study as the server lists it.
STUDY = "phantom__ncct"


@contextlib.contextmanager
def quick(base: Path, roles: tuple[str, ...] = (), **settings: str) -> Iterator[servers.Server]:
    """The real server with maps that are known beforehand, and the phantom among its studies."""
    case = base / "studies" / "phantom"
    if not case.exists():
        case.mkdir(parents=True)
        shutil.copy(PHANTOM / "ncct.nii.gz", case / "ncct.nii.gz")
    (base / "orders").unlink(missing_ok=True)
    command = [str(HERE / "quick_server.py"), "{port}", "{studies}"]
    with servers.running(base, command, roles, **settings) as server:
        yield server


def order(server: servers.Server, text: str) -> None:
    """What the server's pipeline does from its next scan on; see `quick_server`."""
    (server.studies.parent / "orders").write_text(text)


class Wire:
    """A TCP connection to a server through which bytes can be slowed down and spoiled.

    Attributes
    ----------
    delay_s
        Waited before each block of an answer.
    spoil
        Whether the bytes of zips that pass are changed.
    """

    def __init__(self, target: str):
        host, port = target.removeprefix("http://").split(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.delay_s, self.spoil = 0.0, False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            for source, sink, answering in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._carry, args=(source, sink, answering), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, answering: bool) -> None:
        in_zip = False
        with contextlib.suppress(OSError):
            while block := source.recv(1 << 16):
                if answering:
                    time.sleep(self.delay_s)
                    in_zip = in_zip or b"application/zip" in block
                    if self.spoil and in_zip and len(block) > 4096:
                        block = block[:2048] + bytes(byte ^ 0x55 for byte in block[2048:])
                sink.sendall(block)
            sink.shutdown(socket.SHUT_WR)
