"""Another program's run: its lines as they come, a limit of time, and an end of everything that it started."""

import contextlib
import queue
import re
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

#: How often a running program's listener is asked whether to go on, s.
_LOOK_S = 0.2
#: What is kept of its words for a message.
_KEPT_LINES = 20
#: Longest wait for killed processes to vanish, s; where nobody reaps orphans they never do.
_GONE_S = 2.0


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Parameters
    ----------
    code
        Its exit code; negative: the signal that killed it. None: it was killed after the limit of time.
    lines
        The last that it wrote, standard output and error together.
    """

    code: int | None
    lines: tuple[str, ...]

    @property
    def last_words(self) -> str:
        """Its last line, without names of files (they may be anybody's), at most 160 characters."""
        line = next((line for line in reversed(self.lines) if line.strip()), "")
        return re.sub(r"\S*[/\\]\S*", "…", line).strip()[:160]


def run_program(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    timeout_s: float,
    on_line: Callable[[str], None],
    on_look: Callable[[], None],
) -> Ended:
    """Run a program to its end.

    It stays in this process's group: who kills a worker's group ends it, too.

    Parameters
    ----------
    command, environment, folder
        What to run, with which variables, in which folder.
    timeout_s
        When it is killed.
    on_line
        Told each line; a progress bar's states count as lines.
    on_look
        Called several times a second; what it raises ends the program and goes on to the caller.

    Raises
    ------
    OSError
        It cannot be started.
    """
    process = subprocess.Popen(
        command,
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    kept: deque[str] = deque(maxlen=_KEPT_LINES)
    ends = time.monotonic() + timeout_s
    timed_out = False
    try:
        while process.poll() is None and not timed_out:
            _pass_on(lines, kept, on_line)
            on_look()
            timed_out = time.monotonic() > ends
    finally:
        if process.poll() is None:
            _kill(process)
    reader.join(_GONE_S)
    while not lines.empty():
        _pass_on(lines, kept, on_line)
    return Ended(None if timed_out else process.returncode, tuple(kept))


def _read(stream: IO[bytes], lines: "queue.Queue[str]") -> None:
    rest = b""
    with stream:
        while block := stream.read1(4096):  # type: ignore[attr-defined]
            *whole, rest = re.split(rb"[\r\n]+", rest + block)
            for line in whole:
                lines.put(line.decode("utf-8", "replace"))
    lines.put(rest.decode("utf-8", "replace"))


def _pass_on(lines: "queue.Queue[str]", kept: deque[str], on_line: Callable[[str], None]) -> None:
    """Wait a moment for lines, and pass on those that are there."""
    with contextlib.suppress(queue.Empty):
        line = lines.get(timeout=_LOOK_S)
        while True:
            kept.append(line)
            on_line(line)
            line = lines.get_nowait()


def _kill(process: subprocess.Popen) -> None:
    """End a program with everything that it started; stopped first, so that it starts no more meanwhile."""
    with contextlib.suppress(psutil.NoSuchProcess):
        whole = psutil.Process(process.pid)
        whole.suspend()
        family = [*whole.children(recursive=True), whole]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=_GONE_S)
    process.wait(_GONE_S)
