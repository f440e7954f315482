"""Transform files against the two programs that read them: SimpleITK, and Slicer's own storage node."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from perfusynth.errors import InputError
from perfusynth.registration.transform_file import LARGEST_BYTES, read_transform, transform_bytes

CENTRE = np.array([12.0, -30.0, 45.0])
#: RAS mm, some points of a head.
POINTS = np.random.default_rng(3).uniform(-90, 90, (20, 3))
LPS = np.array([-1.0, -1.0, 1.0])


def motion(turn_deg=(6.0, -4.0, 9.0), shift_mm=(3.0, -8.0, 12.0)) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix()
    matrix[:3, 3] = shift_mm
    return matrix


def moved(matrix: np.ndarray) -> np.ndarray:
    return POINTS @ matrix[:3, :3].T + matrix[:3, 3]


def by_simpleitk(transform: sitk.Transform) -> np.ndarray:
    """Where SimpleITK takes the points, RAS mm."""
    return np.array([transform.TransformPoint((point * LPS).tolist()) for point in POINTS]) * LPS


@pytest.fixture
def tfm(tmp_path) -> Path:
    path = tmp_path / "t.tfm"
    path.write_bytes(transform_bytes(motion(), CENTRE))
    return path


def test_simpleitk_moves_points_as_the_matrix_does(tfm):
    np.testing.assert_allclose(by_simpleitk(sitk.ReadTransform(str(tfm))), moved(motion()), atol=1e-9)
    np.testing.assert_allclose(read_transform(tfm), motion(), atol=1e-12)


def test_simpleitk_lays_the_moving_image_on_the_fixed_one(tfm):
    """One bright voxel: seen in the moving image where M says that a point of the fixed image lies."""
    fixed_point = np.array([10.0, -20.0, 30.0])
    moving = sitk.Image([64, 64, 64], sitk.sitkFloat32)
    moving.SetOrigin([-64.0] * 3)
    moving.SetSpacing([2.0] * 3)
    there = motion()[:3, :3] @ fixed_point + motion()[:3, 3]
    index = moving.TransformPhysicalPointToIndex((there * LPS).tolist())
    moving[index] = 1000.0
    blurred = sitk.SmoothingRecursiveGaussian(moving, 3.0)
    on_fixed = sitk.Resample(blurred, moving, sitk.ReadTransform(str(tfm)))
    z, y, x = np.unravel_index(sitk.GetArrayFromImage(on_fixed).argmax(), (64, 64, 64))
    found = np.array(on_fixed.TransformIndexToPhysicalPoint((int(x), int(y), int(z)))) * LPS
    assert np.linalg.norm(found - fixed_point) <= np.sqrt(3)  # half a voxel along each axis, in both images


@pytest.mark.parametrize("written", ["euler", "versor", "affine", "composite", "translation"])
def test_every_rigid_transform_that_simpleitk_writes_is_read(tmp_path, written):
    made = motion((0, 0, 0)) if written == "translation" else motion()
    lps = np.diag([*LPS, 1]) @ made @ np.diag([*LPS, 1])
    if written == "translation":
        transform = sitk.TranslationTransform(3, lps[:3, 3].tolist())
    else:
        kind = {"euler": sitk.Euler3DTransform, "versor": sitk.VersorRigid3DTransform}
        transform = kind.get(written, lambda: sitk.AffineTransform(3))()
        transform.SetCenter((CENTRE * LPS).tolist())
        transform.SetMatrix(lps[:3, :3].ravel().tolist())
        about = CENTRE * LPS
        transform.SetTranslation((lps[:3, :3] @ about + lps[:3, 3] - about).tolist())
    if written == "composite":
        transform = sitk.CompositeTransform([transform, sitk.Euler3DTransform()])
    sitk.WriteTransform(transform, str(tmp_path / "t.tfm"))
    np.testing.assert_allclose(read_transform(tmp_path / "t.tfm"), made, atol=1e-9)
    np.testing.assert_allclose(by_simpleitk(transform), moved(made), atol=1e-9)


def test_slicer_reads_and_writes_the_same_motion(tfm, tmp_path):
    import slicer
    import vtk

    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    storage = slicer.vtkMRMLTransformStorageNode()
    scene.AddNode(storage)
    storage.SetFileName(str(tfm))
    assert storage.ReadData(node)
    to_parent = vtk.vtkMatrix4x4()
    node.GetMatrixTransformToParent(to_parent)
    shown = np.array([[to_parent.GetElement(row, column) for column in range(4)] for row in range(4)])
    # Put over the moving image, it takes it to where the fixed one lies.
    np.testing.assert_allclose(shown, np.linalg.inv(motion()), atol=1e-9)

    nudge = motion((0.5, 0, 0), (0, 0, 0.5))
    to_parent.DeepCopy((shown @ nudge).ravel())
    node.SetMatrixTransformToParent(to_parent)
    storage.SetFileName(str(tmp_path / "again.tfm"))
    assert storage.WriteData(node)
    np.testing.assert_allclose(read_transform(tmp_path / "again.tfm"), np.linalg.inv(shown @ nudge), atol=1e-9)


def test_equal_motions_give_equal_bytes_and_any_centre_the_same_motion():
    assert transform_bytes(motion(), CENTRE) == transform_bytes(motion(), CENTRE)
    np.testing.assert_allclose(read_transform(transform_bytes(motion(), 10 * CENTRE)), motion(), atol=1e-9)


def scaled(factor: float) -> np.ndarray:
    return motion() @ np.diag([1, 1, factor, 1.0])


@pytest.mark.parametrize(
    "matrix",
    [scaled(1.01), scaled(-1.0), np.full((4, 4), np.nan), np.full((4, 4), np.inf), np.zeros((4, 4)), np.eye(3)],
)
def test_what_is_no_rigid_motion_is_not_written(matrix):
    with pytest.raises(InputError) as refused:
        transform_bytes(matrix, CENTRE)
    assert refused.value.code == "bad_transform"


GOOD = transform_bytes(motion(), CENTRE)


def written_by_itk(transform: sitk.Transform, folder: Path) -> bytes:
    sitk.WriteTransform(transform, str(folder / "w.tfm"))
    return (folder / "w.tfm").read_bytes()


def other_affine(matrix: np.ndarray) -> sitk.AffineTransform:
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix.ravel().tolist())
    return transform


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (lambda _: b"", "empty"),
        (lambda _: b"\x89HDF\r\n\x1a\n" + bytes(100), "another kind"),
        (lambda _: b"#Insight Transform File V1.0\n", "too early"),
        (lambda _: GOOD.replace(b"Affine", b"Evil"), "EvilTransform"),
        (lambda _: GOOD.replace(b"Affine", b"CenteredAffine"), "cannot read"),
        (lambda _: GOOD.replace(b"Parameters: 0.", b"Parameters: nan 0.", 1), "cannot read"),
        (lambda _: GOOD + b"#" * LARGEST_BYTES, "bytes"),
        (lambda folder: written_by_itk(other_affine(np.diag([1, 1, 1.02])), folder), "scaling"),
        (lambda folder: written_by_itk(other_affine(np.diag([-1.0, 1, 1])), folder), "mirror"),
        (lambda folder: written_by_itk(sitk.Euler2DTransform(), folder), "Euler2DTransform"),
        (lambda _: GOOD.replace(b"double_3_3", b"double_2_2"), "double_2_2"),
        (lambda folder: written_by_itk(sitk.BSplineTransform(3, 3), folder), "BSpline"),
    ],
)
def test_what_is_no_rigid_transform_file_is_refused_with_what_it_is(tmp_path, content, says):
    with pytest.raises(InputError) as refused:
        read_transform(content(tmp_path))
    assert refused.value.code == "bad_transform"
    assert says in refused.value.got
    assert str(tmp_path) not in str(refused.value)


def test_a_file_that_was_cut_off_anywhere_is_refused():
    for length in range(len(GOOD)):
        with pytest.raises(InputError):
            read_transform(GOOD[:length])


#: A field of 300^3 voxels, 650 MB, in 160 bytes: size, origin, spacing and axes of its grid.
FIELD = b"300 300 300 0 0 0 1 1 1 1 0 0 0 1 0 0 0 1"
BOMBS = [
    b"#Insight Transform File V1.0\n%sTransform: %s\nParameters: 0\n%sFixedParameters: %s\n" % (first, kind, pad, FIELD)
    for kind in (b"DisplacementFieldTransform_double_3_3", b"BSplineTransform_double_3_3")
    for first, pad in ((b"", b""), (b"Transform: CompositeTransform_double_3_3\n", b""), (b"  ", b"  "))
]
READ_IN_TURN = """
import resource, sys
from perfusynth.errors import InputError
from perfusynth.registration.transform_file import read_transform
good, *bombs = eval(sys.stdin.read())
read_transform(good)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for bomb in bombs:
    try:
        read_transform(bomb)
    except InputError as refused:
        assert refused.code == "bad_transform"
    else:
        raise SystemExit("a bomb was read")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_a_few_bytes_that_ask_for_a_large_field_take_no_memory():
    """In a process of its own, whose largest memory is measured."""
    command = [sys.executable, "-c", READ_IN_TURN]
    ended = subprocess.run(command, input=repr([GOOD, *BOMBS]), capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert float(ended.stdout) < 20  # MB


@pytest.mark.parametrize(
    "content",
    [
        GOOD.replace(b"FixedParameters: ", b"FixedParameters: " + b"1 " * 20),
        GOOD.replace(b"Transform: Affine", b" Transform : Affine"),
        GOOD + b"ComponentTransformFile: /etc/passwd\n",
        GOOD[:29] + b"#" * 482 + b"\n\x89HDF\r\n\x1a\n" + GOOD[29:],  # where HDF5 looks for itself: byte 512
        GOOD + b"Parameters: 1\nFixedParameters: \n",
    ],
)
def test_itk_is_never_asked_about_lines_that_no_rigid_transform_has(monkeypatch, content):
    def asked(path):
        raise AssertionError(path)

    monkeypatch.setattr(sitk, "ReadTransform", asked)
    with pytest.raises(InputError) as refused:
        read_transform(content)
    assert refused.value.code == "bad_transform"


def test_lines_may_end_as_windows_ends_them():
    np.testing.assert_allclose(read_transform(GOOD.replace(b"\n", b"\r\n")), motion(), atol=1e-9)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError) as refused:
        read_transform(tmp_path / "none.tfm")
    assert refused.value.code == "file_missing"
