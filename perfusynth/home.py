"""Where this installation keeps its own state: registry, installed bundles, tokens."""

import os
from pathlib import Path

#: Environment variable that moves the state folder.
HOME_VARIABLE = "PERFUSYNTH_HOME"


def home() -> Path:
    """Folder of the installation's state (``$PERFUSYNTH_HOME``, default ``~/.perfusynth``); may not exist yet."""
    return Path(os.environ.get(HOME_VARIABLE) or Path.home() / ".perfusynth")
