"""What a run writes of itself: one JSON line a step and a measurement, and the same for TensorBoard."""

import json
import math
import time
from pathlib import Path
from types import TracebackType

from torch.utils.tensorboard import SummaryWriter

from perfusynth import atomic

#: Significant digits of figures in the log.
DIGITS = 9


class Log:
    """``log.jsonl`` and ``tensorboard/`` in a run's folder.

    Parameters
    ----------
    folder
        The run's.
    reached
        Step that the run goes on from: later lines, of steps that are now made again, are taken away.
    """

    def __init__(self, folder: Path, reached: int):
        self._path = folder / "log.jsonl"
        if self._path.exists():
            lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if _is_whole(line) and json.loads(line)["step"] <= reached]
            atomic.write_bytes(self._path, "".join(kept).encode())
        self._stream = self._path.open("a", encoding="utf-8")
        self.writer = SummaryWriter(str(folder / "tensorboard"), purge_step=reached + 1)
        self._started = time.monotonic()

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stream.close()
        self.writer.close()

    def write(self, kind: str, phase: str, step: int, figures: dict[str, float]) -> None:
        """Append one line: kind (``train``, ``tune``), phase, step, seconds since this start, figures (NaN: null)."""
        line: dict[str, object] = {"kind": kind, "phase": phase, "step": step}
        line["s"] = round(time.monotonic() - self._started, 2)
        line |= {n: float(f"{v:.{DIGITS}g}") if math.isfinite(v) else None for n, v in figures.items()}
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()

    def show(self, kind: str, phase: str, step: int, figures: dict[str, float]) -> None:
        """The same for TensorBoard."""
        for name, value in figures.items():
            self.writer.add_scalar(f"{phase}/{kind}/{name}", value, step)


def _is_whole(line: str) -> bool:
    """Whether a line was written to its end."""
    return line.endswith("}\n")
