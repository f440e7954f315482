"""The server's last log lines, kept in memory for admins; and what is kept out of the log."""

import logging
from collections import deque


class LogLines(logging.Handler):
    """Keeps the last lines of this package's loggers.

    Parameters
    ----------
    keep
        How many.
    """

    def __init__(self, keep: int):
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self._console: logging.Handler | None = None
        self._lines: deque[str] = deque(maxlen=keep)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self._lines.append(self.format(record))

    def last(self, count: int) -> list[str]:
        """The newest ``count`` lines, oldest first."""
        return list(self._lines)[-count:] if count > 0 else []

    def install(self) -> None:
        """Listen to our own loggers, and silence those that write whole requests, ids and paths."""
        own = logging.getLogger("perfusynth")
        own.addHandler(self)
        own.setLevel(logging.INFO)
        if not logging.getLogger().handlers:  # a bare `uvicorn` sets up its own loggers only
            self._console = logging.StreamHandler()
            self._console.setFormatter(self.formatter)
            own.addHandler(self._console)
        # MONAI Label logs requests with parameters, file names and server paths; uvicorn's access log has queries.
        logging.getLogger("monailabel").setLevel(logging.CRITICAL + 1)
        logging.getLogger("uvicorn.access").disabled = True

    def uninstall(self) -> None:
        """Stop listening."""
        own = logging.getLogger("perfusynth")
        own.removeHandler(self)
        if self._console is not None:
            own.removeHandler(self._console)
