"""`perfusynth demo`: the whole line once, through a real server: head CTs in, maps, measurements and reports out."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

#: The shipped phantom case and the public head CT that the demo runs on by default.
PHANTOM_CASE = "phantom-4000020"
PUBLIC_CASE = "ge_ncct_tilt"
#: Seconds that a cold start may take (imports and weights from a slow disk).
START_LIMIT_S = 300.0
#: Says that a studies folder is a demo's own, which the next demo may replace.
_MARK = ".perfusynth-demo"


def demo(
    source: Annotated[
        Path | None, typer.Argument(metavar="[CT]", help="Another head CT: NIfTI, NRRD, DICOM folder or zip.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for results; a case's old result is replaced.")
    ] = Path("demo-output"),
    once: Annotated[bool, typer.Option("--once", help="Stop the server at the end.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the server; 0 takes a free one.")] = 0,
) -> None:
    """Start a server on this machine, synthesise Tmax and CBF through its HTTP interface, and write the reports.

    Without CT: the shipped phantom case, then a public real head CT (read from $PERFUSYNTH_DATA, or fetched).
    """
    from perfusynth.cli.server_client import ServerClient

    port = _free_port(port)
    out.mkdir(parents=True, exist_ok=True)
    studies = _studies(out)
    for ending in (signal.SIGTERM, signal.SIGHUP):  # a closed terminal, a stopped job: the server has its own session
        signal.signal(ending, _interrupt)
    command = [sys.executable, "-m", "perfusynth.cli.main", "serve", "--studies", str(studies), "--port", str(port)]
    log_path = out / "server.log"
    with log_path.open("w", encoding="utf-8") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        with _token() as token:
            client = ServerClient(f"http://127.0.0.1:{port}", token)
            _wait(client, server, log_path)
            typer.echo(f"server: {client.address}")
            failed = _run_cases(client, source, studies, out)
        if not once:
            typer.echo(f"The server is up at {client.address} (Ctrl-C stops it).")
            with suppress(KeyboardInterrupt):  # the normal end
                server.wait()
    finally:
        _stop(server)
    if failed:
        raise typer.Exit(2)


@contextmanager
def _token() -> Iterator[str]:
    """An access token for the demo's time where this installation has tokens; else none is needed."""
    from perfusynth.server.access.tokens import TokenStore

    store = TokenStore()
    if not store.configured:
        yield ""
        return
    token = store.add("demo", "user", days=1)
    try:
        yield token
    finally:
        store.remove(token.split("_")[1])


def _studies(out: Path) -> Path:
    """A fresh studies folder with the shipped phantom cases (the server writes labels into it).

    Raises
    ------
    InputError
        Code ``exists``: there is one that no demo made.
    """
    from perfusynth.errors import InputError
    from perfusynth.shared_files import shared_folders

    studies = out / "studies"
    if studies.exists() and not (studies / _MARK).exists():
        raise InputError(
            f"{studies} holds other studies.",
            expected="a folder for results in which the demo may make its own studies",
            got="a folder that no demo made",
            hint="Choose another with -o.",
            code="exists",
        )
    shutil.rmtree(studies, ignore_errors=True)
    studies.mkdir(parents=True)
    (studies / _MARK).touch()
    for folder in shared_folders("sample-data"):
        for case in sorted(folder.glob("*/case.json")):
            shutil.copytree(case.parent, studies / case.parent.name, dirs_exist_ok=True)
    return studies


def _run_cases(client, source: Path | None, studies: Path, out: Path) -> bool:
    """Run every case of the demo; tells each failure and returns whether there was one."""
    from perfusynth.errors import PerfusynthError

    cases: list[tuple[str, Path | str, Path]] = []
    failed = False
    if source is not None:
        cases.append((source.name.split(".")[0] or "ct", source, source))
    else:
        cases.append((PHANTOM_CASE, f"{PHANTOM_CASE}__ncct", studies / PHANTOM_CASE / "ncct.nii.gz"))
        try:
            public = _public_case()
            cases.append((PUBLIC_CASE, public, public))
        except PerfusynthError as error:
            typer.echo(f"{PUBLIC_CASE}: left out. {error}", err=True)
    for name, what, scan in cases:
        try:
            _run_case(client, name, what, scan, out / name)
        except PerfusynthError as error:
            typer.echo(f"{name}: {error}", err=True)
            failed = True
    return failed


def _public_case() -> Path:
    from perfusynth.public_data import public_data

    return public_data(PUBLIC_CASE) / "dicom"


def _run_case(client, name: str, what: Path | str, scan: Path, out: Path) -> None:
    from perfusynth.cli.progress_bar import progress_bar
    from perfusynth.perfusion.measurements import Measurements
    from perfusynth.synthesis.report_of_result import report_of_result
    from perfusynth.synthesis.result_folder import result_folder

    with progress_bar(name) as progress:
        started = time.perf_counter()
        with result_folder(out, replace=True) as folder:
            client.synthesize("ncct_perfusion", "ncct", what, folder, progress)
            seconds = time.perf_counter() - started
            progress("report", 1.0)
            report_of_result(folder, scan)
    measured = Measurements.read_json(out / "measurements.json")
    typer.echo(f"\n{name}: Tmax and CBF in {seconds:.1f} s")
    for notice in measured.notices:
        typer.echo(f"  {notice}")
    for check in measured.checks:
        typer.echo(f"  {check.severity}: {check.message}")
    volumes = measured.volumes_ml or {}
    side = measured.laterality.side if measured.laterality else "unknown"
    typer.echo("  " + ", ".join(f"Tmax > {key} s {ml:.1f} mL" for key, ml in volumes.items()) + f"; side: {side}")
    typer.echo(f"  report: {out / 'report.html'}")


def _wait(client, server: subprocess.Popen, log_path: Path) -> None:
    from perfusynth.errors import PerfusynthError

    typer.echo("starting the server ...")
    limit = time.monotonic() + START_LIMIT_S
    while not client.is_ready():
        if server.poll() is not None or time.monotonic() > limit:
            raise PerfusynthError(f"The server did not start; its log is {log_path}.")
        time.sleep(0.2)


def _stop(server: subprocess.Popen) -> None:
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _interrupt(signum: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _free_port(wanted: int) -> int:
    """The port that is wanted, or with 0 any: free, so that no other server is taken for the demo's own.

    Raises
    ------
    InputError
        Code ``port_taken``.
    """
    from perfusynth.errors import InputError

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: an old connection may linger
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise InputError(
                "The port cannot be used.",
                expected="a free port, or 0 for any",
                got=f"{wanted} ({error.strerror})",
                hint="Stop the other program, or choose another port.",
                code="port_taken",
            ) from None
        port: int = probe.getsockname()[1]
        return port
