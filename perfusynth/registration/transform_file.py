"""Rigid transforms as files that SimpleITK and 3D Slicer read alike: ITK's text format, fixed to moving, LPS mm."""

import re
import tempfile
from pathlib import Path

import numpy as np

from perfusynth.errors import InputError
from perfusynth.registration.rigid_motion import RAS_LPS
from perfusynth.volumes.case_registration import RIGID_TOLERANCE

#: First bytes of ITK's text format.
MAGIC = b"#Insight Transform File V1.0"
#: A rigid transform takes 500 bytes; more is something else (a displacement field, a bomb). [d]
LARGEST_BYTES = 64 * 1024
#: ITK's linear classes. All others are refused before ITK sees them: it makes the grid of a displacement field or a
#: B-spline, however large, as soon as it has read its size.
LINEAR = (
    *("Affine", "CenteredAffine", "FixedCenterOfRotationAffine", "ScalableAffine"),
    *("Euler3D", "CenteredEuler3D", "VersorRigid3D", "Versor", "QuaternionRigid", "Translation", "Identity"),
    *("Similarity3D", "Scale", "ScaleVersor3D", "ScaleSkewVersor3D", "ComposeScaleSkewVersor3D", "Composite"),
)
_CLASS_LINE = re.compile(
    rf"Transform: (?:(?:{'|'.join(LINEAR)})Transform|MatrixOffsetTransformBase)_(?:double|float)_3_3 *"
)
_NUMBERS_LINE = re.compile(r"(?:Fixed)?Parameters:((?: +[-+.0-9A-Za-z]+)*) *")
#: Most numbers in a line: 15 tell everything that a linear class can do.
MOST_NUMBERS = 16
_WHAT = "a rigid transform, fixed to moving (ITK text file .tfm as SimpleITK and 3D Slicer write it)"
_HINT = "Save the transform again as .tfm: 3D Slicer's linear transform node, or sitk.WriteTransform of a rigid one."


def transform_bytes(fixed_to_moving: np.ndarray, centre: np.ndarray) -> bytes:
    """A ``.tfm`` of a rigid transform.

    ``sitk.Resample(moving, fixed, sitk.ReadTransform(path))`` lays the moving image on the fixed one's grid. Slicer
    shows, as matrix to parent, the inverse: what is put over the moving image's node. The class is ITK's
    AffineTransform, the one that Slicer itself writes and every version of it reads.

    Parameters
    ----------
    fixed_to_moving
        4x4, RAS mm: x_moving = M x_fixed.
    centre
        RAS mm (3,) in the fixed image, about which the turn is written; a program that shows angle and shift shows the
        shift of this point. The mapping does not depend on it.

    Raises
    ------
    InputError
        Code ``bad_transform``: not rigid, or not finite.
    """
    matrix = RAS_LPS @ rigid(fixed_to_moving) @ RAS_LPS
    about = (RAS_LPS[:3, :3] @ np.asarray(centre, dtype=np.float64)).reshape(3)
    if not np.isfinite(about).all():
        raise _bad("the centre of the turn is not finite")
    shift = matrix[:3, :3] @ about + matrix[:3, 3] - about
    lines = (
        MAGIC.decode(),
        "#Transform 0",
        "Transform: AffineTransform_double_3_3",
        "Parameters: " + " ".join(repr(float(v)) for v in (*matrix[:3, :3].ravel(), *shift)),
        "FixedParameters: " + " ".join(repr(float(v)) for v in about),
    )
    return ("\n".join(lines) + "\n").encode("ascii")


def read_transform(source: Path | bytes) -> np.ndarray:
    """The matrix of a ``.tfm`` of any linear ITK class (also a composite of them), if it is rigid.

    Parameters
    ----------
    source
        A file, or its bytes.

    Returns
    -------
    4x4 float64, ``fixed_to_moving`` in RAS mm.

    Raises
    ------
    InputError
        Code ``file_missing``; ``bad_transform``: another kind of file, damaged, not linear (a warp), not rigid (scaled,
        sheared, mirrored), not finite. Memory is taken for none of them. No message holds a path.
    """
    if not isinstance(source, bytes):
        source = _read(Path(source))
    if len(source) > LARGEST_BYTES:
        raise _bad(f"{len(source)} bytes, where {LARGEST_BYTES} are plenty")
    if not source.startswith(MAGIC):
        raise _bad("another kind of file" if source else "an empty file")
    if not _is_whole(source):
        raise _bad("a file that ends too early")
    _check_lines(source)
    return rigid(RAS_LPS @ _matrix(source) @ RAS_LPS)


def rigid(matrix: np.ndarray) -> np.ndarray:
    """``matrix`` as 4x4 float64 if it is a rotation and a shift, its rotation made exactly orthogonal.

    Raises
    ------
    InputError
        Code ``bad_transform``.
    """
    try:
        matrix = np.array(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise _bad("something that is no matrix of numbers") from None
    if matrix.shape != (4, 4):
        raise _bad(f"a matrix of shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise _bad("values that are not finite")
    turn = matrix[:3, :3]
    if np.abs(matrix[3] - [0, 0, 0, 1]).max() > 1e-9:
        raise _bad(f"a last row of {matrix[3].round(6).tolist()}")
    if np.linalg.det(turn) <= 0:
        raise _bad("a mirroring (left and right exchanged)")
    off = float(np.abs(turn.T @ turn - np.eye(3)).max())
    if off > RIGID_TOLERANCE:
        raise _bad(f"scaling or shear of {off:.4f}")
    left, _, right = np.linalg.svd(turn)
    matrix[:3, :3] = left @ right
    matrix[3] = [0, 0, 0, 1]
    return matrix


def _check_lines(content: bytes) -> None:
    """Refuse what ITK must not see: other classes, long lists, names of further files, HDF5 behind a text's beginning.

    Stricter than ITK, which takes blanks before a name: nothing then reads otherwise here and there.
    """
    if not content.isascii():
        raise _bad("bytes that are no text")
    for line in content.decode("ascii").replace("\r\n", "\n").split("\n"):
        if not line or line.startswith("#") or _CLASS_LINE.fullmatch(line):
            continue
        numbers = _NUMBERS_LINE.fullmatch(line)
        if numbers is None:
            raise _bad(f"{line[:60]!r}" if line.startswith("Transform:") else "a line that no such file has")
        if (count := len(numbers[1].split())) > MOST_NUMBERS:
            raise _bad(f"a line of {count} numbers")


def _is_whole(content: bytes) -> bool:
    """Whether nothing was cut off: ITK reads missing parameters as the identity."""
    transforms = content.count(b"\nTransform:") - content.count(b"\nTransform: CompositeTransform")
    parts = (content.count(b"\nParameters:"), content.count(b"\nFixedParameters:"))
    return transforms > 0 and parts == (transforms, transforms) and content.endswith(b"\n")


def _matrix(content: bytes) -> np.ndarray:
    """4x4, LPS mm, of ITK's own reader: centres, classes and composites are its business."""
    import SimpleITK as sitk

    with tempfile.NamedTemporaryFile(suffix=".tfm") as file:
        file.write(content)
        file.flush()
        try:
            transform = sitk.ReadTransform(file.name)
        except (RuntimeError, ValueError):
            raise _bad("a file that ITK cannot read") from None
    if transform.GetDimension() != 3 or not transform.IsLinear():
        raise _bad(f"{transform.GetName()} in {transform.GetDimension()} dimensions")
    matrix = np.eye(4)
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    for axis in range(3):
        matrix[:3, axis] = np.array(transform.TransformPoint(tuple(np.eye(3)[axis]))) - origin
    matrix[:3, 3] = origin
    return matrix


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise InputError(
            "There is no transform here.", expected=_WHAT, got="no file", hint="Check the path.", code="file_missing"
        )
    with open(path, "rb") as file:
        return file.read(LARGEST_BYTES + 1)


def _bad(got: str) -> InputError:
    return InputError("This is no rigid transform.", expected=_WHAT, got=got, hint=_HINT, code="bad_transform")
