"""``python -m tests.benchmarks [--quick] [--json FILE] [ROW ...]``: measures and prints one table."""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks import (
    deconvolution,
    digital_patients,
    gpu,
    info_latency,
    ladder,
    library,
    registration,
    request_to_maps,
    resampling,
    server_overhead,
    slicer_reading,
    writers,
)
from tests.benchmarks.figure import Figure, table
from tests.benchmarks.machine import head_line, machine
from tests.benchmarks.plan import FULL, QUICK, Plan
from tests.benchmarks.scan import write_scan
from tests.benchmarks.servers import no_op_server, real_server, stock_server

PARTS = (
    request_to_maps,
    server_overhead,
    info_latency,
    writers,
    library,
    resampling,
    digital_patients,
    deconvolution,
    registration,
    slicer_reading,
    gpu,
    ladder,
)
ROWS = tuple(part.ROW for part in PARTS)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"only these of: {', '.join(ROWS)}")
    parser.add_argument("--quick", action="store_true", help="a small scan, hardly repeated: shows that all works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write head line and figures there as well")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.rows) - set(ROWS)):
        parser.error(f"expected rows out of {', '.join(ROWS)}; got {', '.join(unknown)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers are stopped on the way out
    facts = machine()
    figures = measure(QUICK if arguments.quick else FULL, tuple(arguments.rows) or ROWS)
    print(head_line(facts) + "\n\n" + table(figures))
    if arguments.json:
        content = {"machine": facts, "quick": arguments.quick, "figures": [figure.as_dict() for figure in figures]}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def measure(plan: Plan, rows: tuple[str, ...]) -> list[Figure]:
    """The figures of those rows, in the table's order."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary, ExitStack() as stack:
        base = Path(temporary)
        scan = write_scan(base / "ncct.nii.gz", plan.shape)
        with_server = {request_to_maps.ROW, server_overhead.ROW, info_latency.ROW} & set(rows)
        urls = _start_servers(stack, base, plan) if with_server else {}
        folders = {row: base / row.replace(" ", "-") for row in (writers.ROW, library.ROW)}
        for folder in folders.values():
            folder.mkdir()
        parts: dict[str, Callable[[], list[Figure]]] = {
            request_to_maps.ROW: lambda: request_to_maps.measure(urls["real"], scan, plan),
            server_overhead.ROW: lambda: server_overhead.measure(urls["no_op"], urls["stock"], scan, plan),
            info_latency.ROW: lambda: info_latency.measure(urls["real"], urls["stock"], scan, plan),
            writers.ROW: lambda: writers.measure(folders[writers.ROW], plan),
            library.ROW: lambda: library.measure(scan, folders[library.ROW], plan),
            resampling.ROW: lambda: resampling.measure(scan, plan),
            digital_patients.ROW: lambda: digital_patients.measure(plan),
            deconvolution.ROW: lambda: deconvolution.measure(plan),
            registration.ROW: lambda: registration.measure(plan),
            slicer_reading.ROW: lambda: slicer_reading.measure(plan),
            gpu.ROW: lambda: gpu.measure(scan, plan),
            ladder.ROW: lambda: ladder.measure(scan, plan),
        }
        figures = []
        for row, part in parts.items():
            if row in rows:
                print(f"measuring: {row}", file=sys.stderr, flush=True)
                figures += part()
        return figures


def _start_servers(stack: ExitStack, base: Path, plan: Plan) -> dict[str, str]:
    """Addresses of all servers, which load at the same time and then idle until they are asked."""
    kinds = {"real": real_server, "no_op": no_op_server, "stock": stock_server}
    started = {name: stack.enter_context(kind(base / name, plan.shape)) for name, kind in kinds.items()}
    return {name: server.wait().url for name, server in started.items()}


if __name__ == "__main__":
    main()
