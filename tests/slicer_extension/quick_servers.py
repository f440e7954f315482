"""Servers for the panel's tests: the real one around maps that are known beforehand."""

import contextlib
import shutil
import sys
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
