"""What leaves the reading: a report page, maps as NIfTI files, an edited region back to the server."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .background import Background
from .client import EDITED_TAG
from .grid_volume import GridVolume
from .nifti_file import write_nifti
from .private_file import write_whole
from .problems import Problem
from .reading_report import report_html
from .result_package import CBF, TMAX
from .session_choice import STUDY_ATTRIBUTE
from .session_connection import ServerConnection
from .session_reader import Reader

#: Names of the files; every one says what it holds.
_MEASUREMENTS, _EDITED, _CORE, _BRAIN = "measurements.json", "edited_region", "core", "brain"
#: HTTP status of what a role may not do.
_FORBIDDEN = 403
#: All exported maps and regions say so in their names: a NIfTI file that travels alone must not pass for measured.
_PREFIX = "SYNTHETIC_"


class Keeper:
    """Keeps what the reader shows.

    Parameters
    ----------
    reader, connection
        What is kept, and where labels go.
    background, changed
        As in `session_connection.ServerConnection`.
    """

    def __init__(
        self, reader: Reader, connection: ServerConnection, background: Background, changed: Callable[[], None]
    ):
        self._reader, self._connection = reader, connection
        self._background, self._changed = background, changed
        self.text = ""
        self.failed = False

    @property
    def ready(self) -> bool:
        """Whether there is something to keep."""
        return self._reader.reading is not None

    def suggested_report_name(self) -> str:
        """Without anything of the patient: the first letters of the CT's hash."""
        facts = self._reader.facts
        return f"perfusynth-{facts.input_sha256[:12]}.html" if facts else "perfusynth.html"

    def write_report(self, path: str) -> None:
        """Write the report page: numbers, warnings, pictures, in one file."""
        reader = self._reader
        if reader.reading is None or reader.facts is None or reader.measured is None:
            return
        self._keep(path, lambda: write_whole(Path(path), report_html(reader.reading, reader.measured).encode()))

    def write_maps(self, folder: str) -> None:
        """Write maps, brain, region and core as NIfTI files, and the server's measurements."""
        reader = self._reader
        if reader.reading is None or reader.measured is None:
            return
        self._keep(folder, lambda: self._write_volumes(Path(folder)))

    def why_no_label(self) -> str:
        """Why the edited region cannot be sent; empty when it can."""
        if not self.ready:
            return "There is no result."
        if not self._study():
            return "Only for studies of the server's own folder: choose one under Study instead of a volume."
        if not self._reader.edited:
            return "The region has not been edited."
        if self._connection.client is None:
            return "Connect to the server first."
        return "It is being sent." if self._background.busy("label") else ""

    def send_label(self) -> None:
        """Send the edited region as label of the study it was made for."""
        client, region = self._connection.client, self._reader.region
        if self.why_no_label() or client is None or region is None or self._reader.reading is None:
            return
        label = GridVolume(region.astype(np.uint8), self._reader.reading.tmax.affine)
        study = self._study()
        self._say(f"Sending the region to {study} ...")
        self._background.run(
            "label",
            lambda cancelled: client.send_label(study, label, EDITED_TAG),
            lambda name: self._say(f"The server keeps the region as label {EDITED_TAG} of {study}."),
            self._say_not_sent,
        )

    def _study(self) -> str:
        node = self._reader.reading.ncct_node if self._reader.reading else None
        return (node.GetAttribute(STUDY_ATTRIBUTE) or "") if node is not None else ""

    def _write_volumes(self, folder: Path) -> None:
        reading, measured = self._reader.reading, self._reader.measured
        if reading is None or measured is None:
            return
        volumes = {TMAX: reading.tmax, CBF: reading.cbf, _BRAIN: reading.brain}
        region_name = _EDITED if self._reader.edited else f"tmax_over_{measured.threshold_s:g}s"
        for name, mask in ((region_name, measured.region), (_CORE, measured.core)):
            if mask is not None:
                volumes[name] = GridVolume(mask, reading.tmax.affine)
        for name, volume in volumes.items():
            write_nifti(folder / f"{_PREFIX}{name}.nii.gz", volume)
        write_whole(folder / f"{_PREFIX}{_MEASUREMENTS}", json.dumps(reading.state.measurements, indent=2).encode())

    def _keep(self, where: str, write: Callable[[], Any]) -> None:
        try:
            write()
        except Problem as problem:
            self._say_problem(problem)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else type(error).__name__
            self._say_problem(Problem("disk", f"This cannot be written: {reason}.", "Choose another folder."))
        else:
            self._say(f"Written: {where}")

    def _say(self, text: str) -> None:
        self.text, self.failed = text, False
        self._changed()

    def _say_not_sent(self, problem: Problem) -> None:
        if getattr(problem, "status", 0) == _FORBIDDEN:
            what_to_do = "Ask the server's administrator for the role annotator."
            problem = Problem(problem.code, "The server takes regions from annotators only.", what_to_do)
        self._say_problem(problem)

    def _say_problem(self, problem: Problem) -> None:
        self.text, self.failed = f"{problem.what} {problem.what_to_do}", True
        self._changed()
