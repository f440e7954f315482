"""The observer and his cuts in a file, so that a new case can be told whether its NCCT shows a sign."""

import json
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from perfusynth import atomic
from perfusynth.errors import InputError
from perfusynth.evaluation.information_ceiling.observer import Observer
from perfusynth.evaluation.information_ceiling.sign import SignCuts, sign_of
from perfusynth.evaluation.information_ceiling.visible import NAMES, visible_parts
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.stroke.coarse import coarse_deficit
from perfusynth.phantom.version import parameter_hash
from perfusynth.shared_files import shared_folders

#: Name of the file, in the folder of an information ceiling and among the sample data.
OBSERVER_FILE = "ncct_observer.npz"


@dataclass(frozen=True, eq=False)
class SignReader:
    """Tells of a patient whether an NCCT of 5 mm slabs shows clot and infarct: beyond cuts of 95 % specificity."""

    observer: Observer
    cuts: SignCuts

    def __call__(self, patient: Patient) -> dict[str, bool]:
        if patient.stroke.site == "none":
            return {"clot": False, "core": False}
        parts = visible_parts(patient, coarse_deficit(patient))
        return sign_of(parts, self.observer, self.cuts)


def write_sign_reader(path: Path, reader: SignReader) -> None:
    """Write the observer, whole or not at all; float32 is enough for cuts."""
    observer, content = reader.observer, BytesIO()
    np.savez_compressed(
        content,
        mean=observer.mean.astype(np.float32),
        covariance=observer.covariance.astype(np.float32),
        gain=observer.gain.astype(np.float32),
        about=np.array(json.dumps({"parameter_hash": parameter_hash(), "names": NAMES, "cuts": asdict(reader.cuts)})),
    )
    atomic.write_bytes(path, content.getvalue())


def read_sign_reader(path: Path) -> SignReader:
    """Read an observer.

    Raises
    ------
    InputError
        Code ``other_phantom``: he has seen patients of another phantom, or other summaries of them.
    """
    with np.load(path) as found:
        about = json.loads(str(found["about"]))
        if about["parameter_hash"] != parameter_hash() or tuple(about["names"]) != NAMES:
            raise InputError(
                "This observer has seen other digital patients.",
                expected=f"parameter hash {parameter_hash()[:12]}",
                got=str(about["parameter_hash"])[:12],
                hint="Make him anew with `make information-ceiling`.",
                code="other_phantom",
            )
        mean, covariance, gain = (found[name].astype(float) for name in ("mean", "covariance", "gain"))
    return SignReader(Observer(mean, covariance, gain), SignCuts(**about["cuts"]))


def shipped_sign_reader() -> SignReader:
    """The observer among the sample data."""
    for folder in shared_folders("sample-data"):
        if (folder / OBSERVER_FILE).is_file():
            return read_sign_reader(folder / OBSERVER_FILE)
    raise FileNotFoundError(f"sample-data/{OBSERVER_FILE} is neither in the checkout nor installed")
