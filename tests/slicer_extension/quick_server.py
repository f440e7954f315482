"""``python quick_server.py PORT STUDIES``: the real server and pipeline, with maps that are known beforehand.

In the place of the network stands a rule: Tmax 8 s and CBF 12 in a ball on the patient's left, 2 s and 50 elsewhere.
The file ``orders`` beside STUDIES makes it slow (``sleep 5``) or kills its process (``crash``).
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

#: The ball: so far to the patient's left of the brain's centre, and its radius, mm.
OFFSET_MM, RADIUS_MM = 35.0, 25.0


class KnownMaps:
    """A generator whose maps everybody knows."""

    def synthesize(self, inputs, *, options=None, on_progress=lambda stage, share: None):
        from perfusynth.generators.base import Synthesis

        ncct, brain = inputs["ncct"], inputs["brain"]
        _obey(on_progress)
        inside = brain.array > 0
        x, y, z = np.ogrid[tuple(slice(n) for n in inside.shape)]
        middle = [(inside.sum(axis=tuple({0, 1, 2} - {axis})) @ np.arange(n)) / inside.sum()
                  for axis, n in enumerate(inside.shape)]  # fmt: skip
        centre = ncct.affine[:3, :3] @ middle - [OFFSET_MM, 0, 0]
        steps = ncct.affine[:3, :3].astype(np.float32)
        away = (steps[row, 0] * x + (steps[row, 1] * y + steps[row, 2] * z - centre[row]) for row in range(3))
        ball = sum(np.square(distance, dtype=np.float32) for distance in away) < RADIUS_MM**2
        tmax = np.where(inside, np.where(ball, 8.0, 2.0), 0.0).astype(np.float32)
        cbf = np.where(inside, np.where(ball, 12.0, 50.0), 0.0).astype(np.float32)
        return Synthesis({"tmax": ncct.with_array(tmax), "cbf": ncct.with_array(cbf)})


def _obey(on_progress) -> None:
    orders = Path(os.environ["QUICK_ORDERS"])
    word, _, argument = (orders.read_text() if orders.exists() else "").partition(" ")
    if word == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "sleep":
        end = time.monotonic() + float(argument)
        while time.monotonic() < end:
            on_progress("generate", 0.4)
            time.sleep(0.02)


def load(task, *, device="auto"):
    """The real pipeline around `KnownMaps`."""
    from perfusynth.generators.registry import live_bundle
    from perfusynth.synthesis.pipeline import Pipeline

    class Quick(Pipeline):
        def warm_up(self):
            pass

    return Quick(live_bundle(task), KnownMaps())


if __name__ == "__main__":
    import uvicorn

    from perfusynth.server.app_folder import app_folder
    from perfusynth.server.factory import create_app
    from perfusynth.server.jobs.protocol import WorkerSpec

    port, studies = int(sys.argv[1]), Path(sys.argv[2])
    os.environ["QUICK_ORDERS"] = str(studies.parent / "orders")
    worker = WorkerSpec(("ncct_perfusion",), factory="quick_server:load", search_path=(str(Path(__file__).parent),))
    uvicorn.run(
        create_app(studies=studies, app_dir=app_folder(), worker=worker),
        port=port, access_log=False, timeout_graceful_shutdown=3,
    )  # fmt: skip
