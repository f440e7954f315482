"""A stand-in for the program of a training run: does what its seed says."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from perfusynth.server.training.run_files import Progress, RunFolder
from perfusynth.server.training.trainer import claim

ENDS, DIES, RUNS_ON, DEAF = range(4)


def main() -> None:
    run = RunFolder(Path(sys.argv[1]))
    lock = claim(run.path.parent)
    assert lock is not None
    stopped = []

    def listen() -> None:
        sys.stdin.buffer.read()
        stopped.append("interrupted")

    threading.Thread(target=listen, daemon=True).start()
    order = run.order.parameters.seed
    signal.signal(signal.SIGTERM, signal.SIG_IGN if order == DEAF else lambda number, frame: stopped.append("stopped"))
    step = run.progress.step if run.progress else 0
    while order in (RUNS_ON, DEAF) and (not stopped or order == DEAF):
        step += 1
        run.tell(Progress(phase="slabs", step=step, of=1000, time_left_s=60.0, figures={"loss": 0.5}))
        time.sleep(0.02)
    if order == DIES:
        os.kill(os.getpid(), signal.SIGKILL)
    run.end(stopped[0] if stopped else "done", candidate=None if stopped else "made")


if __name__ == "__main__":
    main()
