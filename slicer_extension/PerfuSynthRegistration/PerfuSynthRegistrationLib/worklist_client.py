"""The server's registration worklist as seen from Slicer: one method a question."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PerfuSynthLib.client import PerfuSynthClient
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.http_connection import HttpConnection, OnBytes, Timeouts
from PerfuSynthLib.multipart_file import MultipartFile
from PerfuSynthLib.problems import Problem
from PerfuSynthLib.server_answers import json_object
from PerfuSynthLib.server_settings import ServerSettings

from .worklist_answers import Case, Nothing, Row, case_of, offer_of, rows_of

#: Under which tag a checked registration goes to the server.
FINAL_TAG = "registration-final"
#: What the file is called on its way.
TRANSFORM_NAME = "registration.tfm"
#: Code of the server's refusal of work that began on a state that is gone.
CHANGED = "registration_changed"
#: Code of the server's refusal of a case that another annotator has.
LEASED = "leased"


class WorklistClient:
    """Asks one server; may be used from several threads. Every method may raise `Problem`.

    Parameters
    ----------
    settings
        Which server, and as whom.
    timeouts
        How long is waited.
    """

    def __init__(self, settings: ServerSettings, timeouts: Timeouts = Timeouts()):  # noqa: B008 - immutable
        self.settings = settings
        self._http = HttpConnection(settings, timeouts)
        self._images = PerfuSynthClient(settings, timeouts)

    def worklist(self) -> list[Row]:
        """All cases, worst first."""
        return rows_of(json_object(self._http.get("/registration/worklist")))

    def next(self, holding: Sequence[str] = (), skipped: Sequence[str] = ()) -> Case | Nothing:
        """The worst case that nobody has, for this annotator alone for a while.

        Parameters
        ----------
        holding
            Cases that are open or fetched already: kept for the annotator, not given again.
        skipped
            Cases that are to be passed over: others may have them.
        """
        body = {"holding": list(holding), "skipped": list(skipped)}
        return offer_of(self._post("/registration/next", body))

    def case(self, name: str) -> Case:
        """A case as it is now, without taking it."""
        return case_of(json_object(self._http.get(_path(name))))

    def take(self, name: str) -> Case:
        """A chosen case, for this annotator alone for a while; asked again, for longer."""
        return case_of(self._post(f"{_path(name)}/lease", {}))

    def give_back(self, name: str) -> None:
        """Others may have the case."""
        self._http.send("DELETE", f"{_path(name)}/lease")

    def image(self, image_id: str, on_bytes: OnBytes | None = None) -> GridVolume:
        """An image of a case, HU or s."""
        return self._images.image(image_id, on_bytes)

    def submit(self, image: str, tfm: bytes, verdict: str, reason: str, revision: str) -> None:
        """Make a registration the final one. The same sent twice is stored once.

        Parameters
        ----------
        image
            The moving image's id.
        tfm
            The transform's file: fixed to moving, LPS.
        verdict, reason
            ``accept``, ``corrected`` or ``fail``, and why.
        revision
            Of the case on which the work began.

        Raises
        ------
        Problem
            Code `CHANGED`: somebody else has submitted one meanwhile; nothing was stored.
        """
        params = json.dumps({"verdict": verdict, "reason": reason, "from": revision})
        query = {"image": image, "tag": FINAL_TAG}
        try:
            with tempfile.TemporaryDirectory(prefix="perfusynth-") as folder:
                path = Path(folder) / TRANSFORM_NAME
                path.write_bytes(tfm)
                with MultipartFile(path, "label", TRANSFORM_NAME, {"params": params}) as body:
                    headers = {"Content-Type": body.content_type}
                    self._http.send("PUT", "/datastore/label", params=query, data=body, headers=headers)
        except OSError as error:
            raise Problem("disk", "There is no room for a temporary file.", "Make room.", str(error)) from None

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        return json_object(self._http.send("POST", path, data=json.dumps(body), headers=headers))


def _path(case: str) -> str:
    return f"/registration/{quote(case, safe='')}"
