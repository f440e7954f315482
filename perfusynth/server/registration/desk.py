"""Where annotators take registrations and hand them in; the only writer of a case's registration in this server.

A case goes to one annotator at a time (a lease); what they submit names the registration that they started from, and is
refused when the case has another by now. Both hold for several servers on one studies folder: a lock between
processes guards leases and case folders.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from perfusynth.errors import InputError
from perfusynth.registration.transform_file import read_transform, transform_bytes
from perfusynth.server.case_datastore import CaseDatastore
from perfusynth.server.problems import Problem, shown
from perfusynth.server.registration.answers import described_case, described_row, described_version
from perfusynth.server.registration.leases import Leases
from perfusynth.server.registration.submission import (
    REGISTRATION_TAG,
    centre_of,
    changed_since,
    check_plausible,
    is_repeated,
    made_of,
    parse_submission,
    revision_of,
    starts_from,
)
from perfusynth.server.registration.worklist import Entry, Worklist
from perfusynth.volumes.case_registration import (
    CaseRegistration,
    keep_registration,
    numbered_registrations,
    read_registration,
)

#: What the scoring method writes into an image's info.
SCORE: Final = "registration_error"


class RegistrationDesk:
    """The registrations of one studies folder.

    Parameters
    ----------
    datastore
        Whose case folders these are.
    lease_s
        How long a case stays with the annotator who has it open, s.
    """

    def __init__(self, datastore: CaseDatastore, lease_s: float):
        self._datastore = datastore
        self._fixed = datastore.fixed_images
        self._worklist = Worklist()
        self._leases = Leases(datastore.own_folder / "registration_leases.json", lease_s)
        self._lock = FileLock(datastore.own_folder / "registration.lock")

    # --- taking

    def next(
        self, user: str, holding: Collection[str] = (), skipped: Collection[str] = ()
    ) -> tuple[Entry | None, dict[str, int]]:
        """The worst case that nobody else has, with a lease (blocking: its fixed image may have to be made).

        Parameters
        ----------
        user
            Who asks; a case that they have already comes first again, where it is the worst.
        holding
            Cases that they have open: their leases are renewed, they are not given again.
        skipped
            Cases that they pass over: their leases end, they are not given again now.

        Returns
        -------
        The case, or None; ``remaining``: cases to be checked, ``with_others``: those of them that others have.
        """
        with self._lock:
            for case in skipped:
                self._leases.release(case, user)
            entries = {entry.case: entry for entry in self._entries() if entry.state == "to_check"}
            for case in holding:
                if case in entries:
                    self._leases.take(case, user)
        for case, entry in entries.items():
            if case in holding or case in skipped:
                continue
            with self._lock:
                # Another may have finished with it since the list was read.
                free = self._worklist.entry(entry.folder).state == "to_check" and self._leases.take(case, user)
            if free and self._is_usable(entry, user):
                return entry, self._left(entries, user)
        return None, self._left(entries, user)

    def take(self, case: str, user: str) -> Entry:
        """A case of one's choice, with a lease; renews one's own (blocking).

        Raises
        ------
        Problem
            404; 409: another has it.
        InputError
            Its images cannot be used.
        """
        entry = self.find(case)
        with self._lock:
            if not self._leases.take(case, user):
                raise Problem(
                    409,
                    "Another annotator has this case.",
                    expected="a case that nobody else has open",
                    got="a lease of another",
                    hint="Take the next case, or come back when the lease has run out.",
                    code="leased",
                )
        self._show_fixed(entry)
        return entry

    def release(self, case: str, user: str) -> None:
        """Give one's lease back."""
        with self._lock:
            self._leases.release(self.find(case).case, user)

    # --- looking

    def find(self, case: str) -> Entry:
        """A case by its name.

        Raises
        ------
        Problem
            404: there is no such case, whatever the name looks like.
        """
        folder = self._datastore.case_folder(case)
        if folder is None:
            raise Problem(
                404,
                "There is no such case.",
                expected="a case that GET /registration/worklist lists",
                got=shown(case),
                hint="Load the worklist again.",
                code="unknown_case",
            )
        return self._worklist.entry(folder)

    def describe(self, entry: Entry, user: str) -> dict[str, Any]:
        """All that an annotator's client needs of a case (blocking).

        Raises
        ------
        InputError
            It has no registration, or no image to register to.
        """
        return described_case(entry, self._show_fixed(entry)) | {"lease": self._lease_of(entry.case, user)}

    def worklist(self, user: str) -> dict[str, Any]:
        """Every case with a registration, the worst first (blocking)."""
        entries, leases = self._entries(), self._leases.described(user)
        return {
            "cases": [described_row(entry) | {"lease": leases.get(entry.case)} for entry in entries],
            "to_check": sum(entry.state == "to_check" for entry in entries),
            "done": sum(entry.state == "done" for entry in entries),
        }

    def version(self, case: str, number: int | None) -> CaseRegistration:
        """The present registration of a case (``number`` None), or an earlier one, 1 the oldest (blocking).

        Raises
        ------
        Problem
            404.
        """
        folder = self.find(case).folder
        if number is None:
            return read_registration(folder)
        earlier = numbered_registrations(folder)
        if number not in earlier:
            raise Problem(
                404,
                "There is no such version.",
                expected=f"one of {', '.join(map(str, earlier))}" if earlier else "a case with earlier versions",
                got=shown(number),
                hint="GET /registration/{case} lists them.",
                code="unknown_version",
            )
        return earlier[number]

    def described_version(self, case: str, number: int) -> dict[str, Any]:
        """An earlier registration as `describe` lists it (blocking)."""
        return described_version(self.version(case, number), number)

    def transform(self, case: str, number: int | None) -> bytes:
        """A registration as ``.tfm`` (blocking)."""
        matrix = self.version(case, number).fixed_to_moving
        entry = self.find(case)
        self._show_fixed(entry)
        return transform_bytes(matrix, centre_of(self._fixed.path_of(entry.case)))

    # --- handing in

    def submit(self, image_id: str, label: Path, params: dict[str, Any], user: str) -> dict[str, Any]:
        """Make a submitted transform the case's registration and keep it as a label (blocking).

        Parameters
        ----------
        image_id
            ``<case>__ncct``.
        label
            What was sent; written anew here, nothing else of it is kept.
        params
            As `submission.Submission` says.
        user
            Whose token it was.

        Returns
        -------
        ``revision`` and ``registration`` as they are now.

        Raises
        ------
        InputError
            The transform or the verdict cannot be used.
        Problem
            404: no case of that image; 409: the case has changed since it was loaded.
        """
        said = parse_submission(params)
        matrix = read_transform(label)
        entry = self.find(image_id.removesuffix("__ncct") if image_id.endswith("__ncct") else "")
        self._show_fixed(entry)
        fixed, moving = self._fixed.path_of(entry.case), entry.folder / "ncct.nii.gz"
        centre = centre_of(fixed)
        if said.verdict != "fail":
            check_plausible(matrix, fixed, moving)
        with self._lock:
            present = read_registration(entry.folder)
            repeated = is_repeated(said, matrix, user, present, centre)
            if not repeated and not starts_from(said, present):
                raise changed_since(present)
            if not repeated:
                present = made_of(said, matrix, user, present, centre)
                keep_registration(entry.folder, present, transform_bytes(present.fixed_to_moving, centre))
            if not repeated or not self._datastore.get_label_uri(image_id, REGISTRATION_TAG):
                kept = label.with_name("kept.tfm")
                kept.write_bytes(transform_bytes(present.fixed_to_moving, centre))
                info = {**params, **present.as_dict(), "user": user}
                self._datastore.save_label(image_id, str(kept), REGISTRATION_TAG, info)
            self._leases.release(entry.case, user)
        self.score()
        return {"revision": revision_of(present), "registration": described_version(present)}

    # --- scoring

    def score(self) -> dict[str, float | None]:
        """Copy what each ``case.json`` says of the registration's error into its NCCT's info (blocking).

        Returns
        -------
        The probability by image id.
        """
        scores = {f"{entry.case}__ncct": entry.probability for entry in self._entries()}
        self._datastore.update_image_infos({image_id: {SCORE: score} for image_id, score in scores.items()})
        return scores

    # --- parts

    def _entries(self) -> list[Entry]:
        return self._worklist.entries(self._datastore.case_folders())

    def _left(self, cases: Collection[str], user: str) -> dict[str, int]:
        others = sum(case in cases and lease.user != user for case, lease in self._leases.present().items())
        return {"remaining": len(cases), "with_others": others}

    def _is_usable(self, entry: Entry, user: str) -> bool:
        try:
            self._show_fixed(entry)
        except InputError as fault:
            self._worklist.note_problem(entry.folder, str(fault))
            with self._lock:
                self._leases.release(entry.case, user)
            return False
        return True

    def _show_fixed(self, entry: Entry) -> str:
        """Make the fixed image where it is not there, and let the datastore serve it; its kind."""
        kind = self._fixed.make(entry.folder)
        self._datastore.show_image(f"{entry.case}__fixed", self._fixed.path_of(entry.case))
        return kind

    def _lease_of(self, case: str, user: str) -> dict[str, Any] | None:
        return self._leases.described(user).get(case)
