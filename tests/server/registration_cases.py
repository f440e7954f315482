"""Case folders whose NCCT lies where a known motion has put it, and annotators who know that motion."""

import gzip
import io
import json
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import requests
import SimpleITK as sitk

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: Affine of the fixed images: 80 mm of a head, in millimetres about the middle of it.
FIXED = np.array([[-4.0, 0, 0, 100], [0, 4.0, 0, -110], [0, 0, 5.0, -40], [0, 0, 0, 1]])


def motion(turn_deg=(0.0, 0.0, 0.0), shift_mm=(0.0, 0.0, 0.0)) -> np.ndarray:
    """4x4, RAS mm, by SimpleITK's own Euler angles."""
    euler = sitk.Euler3DTransform((0.0, 0.0, 0.0), *np.radians(turn_deg).tolist(), tuple(map(float, shift_mm)))
    found = np.eye(4)
    found[:3, :3], found[:3, 3] = np.reshape(euler.GetMatrix(), (3, 3)), euler.GetTranslation()
    return found


def ball_head(shape=(50, 56, 16)) -> np.ndarray:
    """HU of an uneven ball in air, int16: enough for images to be loaded and told apart."""
    x, y, z = np.indices(shape)
    distance = ((x - 25) / 20) ** 2 + ((y - 28) / 24) ** 2 + ((z - 8) / 12) ** 2
    return np.where(distance < 0.8, 30 + x, np.where(distance < 1, 900, -1000)).astype(np.int16)


def write_case(
    folder: Path,
    truth: np.ndarray,
    found: np.ndarray,
    probability: float | None,
    *,
    ncct: np.ndarray | None = None,
    frames: int = 3,
    affine: np.ndarray = FIXED,
) -> Path:
    """A case whose NCCT lies by ``truth``, while ``case.json`` holds ``found``, as an automatic registration."""
    folder.mkdir(parents=True)
    head = ball_head() if ncct is None else ncct
    nib.save(nib.Nifti1Image(head, truth @ affine), folder / "ncct.nii.gz")
    series = np.stack([head + 10 * k for k in range(frames)], axis=3) if frames else head
    nib.save(nib.Nifti1Image(series.astype(np.int16), affine), folder / "ctp.nii.gz")
    block = {"method": "automatic", "probability_over_2mm": probability, "verdict": None, "figures": {"nmi": 1.2}}
    about = {"kind": "study", "fixed_to_moving": found.tolist(), "registration": block, "other": [1, 2]}
    (folder / "case.json").write_text(json.dumps(about))
    return folder


def tfm_of(matrix: np.ndarray, folder: Path) -> Path:
    """``fixed_to_moving`` as SimpleITK writes it: LPS, turned about a point of its own."""
    moved = LPS @ matrix @ LPS
    transform = sitk.AffineTransform(3)
    transform.SetCenter((3.0, -20.0, 7.0))
    transform.SetMatrix(moved[:3, :3].ravel().tolist())
    centre = np.array(transform.GetCenter())
    transform.SetTranslation((moved[:3, :3] @ centre + moved[:3, 3] - centre).tolist())
    path = Path(tempfile.mkdtemp(dir=folder)) / "mine.tfm"
    sitk.WriteTransform(transform, str(path))
    return path


def matrix_of(tfm: bytes, folder: Path) -> np.ndarray:
    """What SimpleITK makes of a ``.tfm``, RAS mm."""
    path = Path(tempfile.mkdtemp(dir=folder)) / "theirs.tfm"
    path.write_bytes(tfm)
    transform = sitk.ReadTransform(str(path))
    points = np.vstack([np.zeros(3), np.eye(3)])
    moved = np.array([transform.TransformPoint(point.tolist()) for point in points])
    found = np.eye(4)
    found[:3, :3], found[:3, 3] = (moved[1:] - moved[0]).T, moved[0]
    return LPS @ found @ LPS


class Annotator:
    """A person with a token: takes cases, looks at both images, and hands in what they know to be true."""

    def __init__(self, server, name: str, folder: Path):
        self.server, self.name, self.folder = server, name, folder

    def call(self, method: str, path: str, **arguments) -> requests.Response:
        return self.server.call(method, path, self.name, **arguments)

    def next(self, **lists) -> dict:
        answer = self.call("POST", "/registration/next", json=lists)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def image(self, image_id: str) -> nib.Nifti1Image:
        answer = self.call("GET", f"/datastore/image?image={image_id}")
        assert answer.status_code == 200, answer.text
        return nib.Nifti1Image.from_stream(io.BytesIO(gzip.decompress(answer.content)))

    def submit(self, case: dict, matrix: np.ndarray, verdict: str, reason: str = "", **more) -> requests.Response:
        tfm = tfm_of(matrix, self.folder)
        params = {"verdict": verdict, "reason": reason, "from": case["revision"], **more}
        return self.send(case["images"]["moving"], tfm, params)

    def send(self, image: str, tfm: Path, params: dict) -> requests.Response:
        path = f"/datastore/label?image={image}&tag=registration-final"
        with open(tfm, "rb") as file:
            return self.call("PUT", path, files={"label": (tfm.name, file)}, data={"params": json.dumps(params)})
