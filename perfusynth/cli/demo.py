"""`perfusynth demo`: the whole line once, through a real server: head CTs in, maps, measurements and reports out."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

#: The shipped phantom case and the public head CT that the demo runs on by default.
PHANTOM_CASE = "phantom-4000016"
PUBLIC_CASE = "ge_ncct_tilt"
#: Seconds that a cold start may take (imports and weights from a slow disk).
START_LIMIT_S = 300.0


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

    out.mkdir(parents=True, exist_ok=True)
    studies = _studies(out)
    port = port or _free_port()
    command = [sys.executable, "-m", "perfusynth.cli.main", "serve", "--studies", str(studies), "--port", str(port)]
    log_path = out / "server.log"
    with log_path.open("w", encoding="utf-8") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        client = ServerClient(f"http://127.0.0.1:{port}")
        _wait(client, server, log_path)
        typer.echo(f"server: {client.address}")
        failed = _run_cases(client, source, studies, out)
        if not once:
            typer.echo(f"The server is up at {client.address} (Ctrl-C stops it).")
            server.wait()
    finally:
        _stop(server)
    if failed:
        raise typer.Exit(2)


def _studies(out: Path) -> Path:
    """A fresh studies folder with the shipped phantom cases (the server writes labels into it)."""
    from perfusynth.synthesis.phantom_cases import sample_data_folders

    studies = out / "studies"
    shutil.rmtree(studies, ignore_errors=True)
    studies.mkdir(parents=True)
    for folder in sample_data_folders():
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
    from perfusynth.readers.public_data import public_data

    return public_data(PUBLIC_CASE) / "dicom"


def _run_case(client, name: str, what: Path | str, scan: Path, out: Path) -> None:
    from perfusynth.cli.progress_bar import progress_bar
    from perfusynth.perfusion.measurements import Measurements
    from perfusynth.synthesis.report_of_result import report_of_result
    from perfusynth.synthesis.result_folder import result_folder

    if (out / "measurements.json").exists():
        shutil.rmtree(out)
    with progress_bar(name) as progress:
        started = time.perf_counter()
        with result_folder(out) as folder:
            client.synthesize("ncct_perfusion", "ncct", what, folder, progress)
            seconds = time.perf_counter() - started
            progress("report", 1.0)
            report_of_result(folder, scan)
    measured = Measurements.read_json(out / "measurements.json")
    typer.echo(f"\n{name}: Tmax and CBF in {seconds:.1f} s   [{measured.notices[0]}]")
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
