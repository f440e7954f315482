"""Servers that the tests of one process share (`pytest --dist loadfile` keeps a file in one process)."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from painted_deficit import write_oblique
from servers import HERE, Server, make_token, running, write_phantom


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    """The stand-in's server, without tokens."""
    with running(tmp_path_factory.mktemp("open"), PERFUSYNTH_MAX_UPLOAD_BYTES="3000000") as started:
        yield started


@pytest.fixture(scope="session")
def guarded(tmp_path_factory) -> Iterator[Server]:
    """The stand-in's server with a token for each role."""
    base = tmp_path_factory.mktemp("guarded")
    (base / "studies" / "case1").mkdir(parents=True)
    (base / "studies" / "case1" / "ncct.nii.gz").write_bytes(b"\x1f\x8bgood")
    (base / "studies" / "plain.nii.gz").write_bytes(b"\x1f\x8bgood")
    with running(base, roles=("user", "annotator", "admin")) as started:
        started.tokens["other"] = make_token(started.home, "user", "someone-else")
        yield started


@pytest.fixture(scope="session")
def painted(tmp_path_factory) -> Iterator[Server]:
    """The server with the live bundle, whose generator alone is replaced: it paints a deficit of known place."""
    base = tmp_path_factory.mktemp("painted")
    case = base / "studies" / "case1"
    case.mkdir(parents=True)
    write_oblique(case / "ncct.nii.gz")
    command = [str(HERE / "painted_server.py"), "{port}", "{studies}"]
    with running(base, command, roles=("user", "annotator", "admin")) as started:
        yield started


@pytest.fixture(scope="session")
def real(tmp_path_factory) -> Iterator[Server]:
    """The server as `perfusynth serve` starts it, with the live bundle and one phantom patient in its studies."""
    base = tmp_path_factory.mktemp("real")
    case = base / "studies" / "phantom"
    case.mkdir(parents=True)
    write_phantom(case / "ncct.nii.gz")
    start = "from pathlib import Path; from perfusynth.server.start import start; start(Path('{studies}'), port={port})"
    with running(base, ["-c", start]) as started:
        yield started
