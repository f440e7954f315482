"""NIfTI in and out: bit-equal grids, every doubtful file refused before memory is asked for."""

import gzip
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from perfusynth.errors import InputError
from perfusynth.volumes.limits import MAX_VOXELS
from perfusynth.volumes.nifti import form_disagreement, read_nifti, write_nifti
from perfusynth.volumes.volume import Volume

OBLIQUE = nib.affines.from_matvec(
    np.array([[-0.46875, 0.0123, 0.1], [0.011, 0.4571, -0.61], [0.003, 0.119, 4.7]]), [101.7, -93.3, 12.9]
)
ROTATED = nib.affines.from_matvec(
    nib.eulerangles.euler2mat(0.3, 0.2, 0.1) @ np.diag([-0.47, 0.47, 5.0]), [90.1, -80, 3]
)


@pytest.fixture
def hu() -> np.ndarray:
    return np.random.default_rng(0).integers(-1000, 1000, (9, 8, 7)).astype(np.int16)


def code_of(path) -> str:
    with pytest.raises(InputError) as caught:
        read_nifti(path)
    assert all(caught.value.as_dict().values())
    return caught.value.code


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_values_and_affine_equal_those_of_nibabel(name, dtype, kind, hu, tmp_path):
    array = (hu % 100).astype(dtype)
    nib.save(kind(array, OBLIQUE, dtype=array.dtype), tmp_path / name)
    ours, theirs = read_nifti(tmp_path / name), nib.load(tmp_path / name)
    np.testing.assert_array_equal(ours.array, theirs.get_fdata(dtype=np.float32))
    assert ours.affine.tobytes() == theirs.affine.tobytes()
    assert ours.array.flags.c_contiguous


def test_slope_and_intercept_are_applied(hu, tmp_path):
    image = nib.Nifti1Image(hu, ROTATED)
    image.header.set_slope_inter(0.5, -1024)
    nib.save(image, tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    header = nib.Nifti1Header(bytes(content[:348]))
    header.set_slope_inter(0.5, -1024)
    content[:348] = header.binaryblock
    (tmp_path / "a.nii").write_bytes(content)
    expected = nib.load(tmp_path / "a.nii").get_fdata()
    assert expected.min() < -1024
    np.testing.assert_allclose(read_nifti(tmp_path / "a.nii").array, expected, atol=1e-3)


def test_big_endian_files_are_read_and_written(hu, tmp_path):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    nib.save(nib.Nifti1Image(hu, ROTATED, header), tmp_path / "a.nii")
    assert (tmp_path / "a.nii").read_bytes()[:4] == b"\x00\x00\x01\x5c"
    volume = read_nifti(tmp_path / "a.nii")
    np.testing.assert_array_equal(volume.array, hu)
    write_nifti(tmp_path / "b.nii.gz", volume, dtype=np.int16)
    again = nib.load(tmp_path / "b.nii.gz")
    np.testing.assert_array_equal(again.get_fdata(), hu)
    assert again.affine.tobytes() == volume.affine.tobytes()


@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (2, 1), (4, 1), (1, 3)], ids=str)
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_a_map_lies_bit_equal_on_the_grid_it_came_from(codes, kind, hu, tmp_path):
    image = kind(hu, ROTATED)
    image.set_sform(ROTATED, codes[0])
    image.set_qform(ROTATED, codes[1])
    image.header["descrip"], image.header["aux_file"] = b"SECRET NAME", b"SECRET"
    nib.save(image, tmp_path / "in.nii.gz")
    source, scan = nib.load(tmp_path / "in.nii.gz"), read_nifti(tmp_path / "in.nii.gz")
    tmax = scan.with_array(np.abs(scan.array) / 77)
    for path, like in ((tmp_path / "a.nii.gz", None), (tmp_path / "b.nii", scan)):
        write_nifti(path, Volume(tmax.array, scan.affine) if like else tmax, like, description="Tmax in s")
        written = nib.load(path)
        assert written.affine.tobytes() == source.affine.tobytes()
        for field in ("sform_code", "qform_code", "pixdim", "srow_x", "quatern_b", "qoffset_x", "xyzt_units"):
            assert written.header[field].tobytes() == source.header[field].tobytes(), field
        np.testing.assert_array_equal(written.get_fdata(dtype=np.float32), tmax.array)
        assert written.get_data_dtype() == np.float32
        assert written.header["descrip"].tobytes().rstrip(b"\0") == b"Tmax in s"
        assert b"SECRET" not in written.header.binaryblock
        assert written.dataobj.slope == 1


def test_without_a_header_a_new_one_says_the_affine(tmp_path):
    volume = Volume(np.arange(60).reshape(3, 4, 5), ROTATED)
    write_nifti(tmp_path / "a.nii.gz", volume)
    image = nib.load(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(image.affine, ROTATED, atol=1e-5)
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 1)
    assert form_disagreement(image.header) is None
    moved = Volume(volume.array, volume.affine + np.eye(4) * 0.01, read_nifti(tmp_path / "a.nii.gz").header)
    write_nifti(tmp_path / "b.nii.gz", moved)
    np.testing.assert_allclose(nib.load(tmp_path / "b.nii.gz").affine[:3], moved.affine[:3], atol=1e-5)


def test_itk_reads_what_was_written(tmp_path):
    volume = Volume(np.random.default_rng(0).normal(size=(30, 40, 5)), ROTATED)
    write_nifti(tmp_path / "a.nii.gz", volume)
    image = sitk.ReadImage(str(tmp_path / "a.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).T, volume.array)
    np.testing.assert_allclose(np.array(image.GetOrigin()) * [-1, -1, 1], ROTATED[:3, 3], atol=1e-4)


def test_integers_are_rounded_and_must_fit(tmp_path):
    volume = Volume(np.full((2, 2, 2), 2.6), np.eye(4))
    write_nifti(tmp_path / "a.nii.gz", volume, dtype=np.uint8)
    assert (nib.load(tmp_path / "a.nii.gz").get_fdata() == 3).all()
    with pytest.raises(ValueError, match="within uint8"):
        write_nifti(tmp_path / "b.nii.gz", volume.with_array(volume.array - 100), dtype=np.uint8)
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii.gz"]


def test_another_grid_than_like_is_a_fault_of_the_caller(tmp_path):
    volume = Volume(np.zeros((2, 2, 2)), np.eye(4))
    with pytest.raises(ValueError, match="grid"):
        write_nifti(tmp_path / "a.nii", volume, Volume(np.zeros((2, 2, 3)), np.eye(4)))
    with pytest.raises(ValueError, match="grid"):
        write_nifti(tmp_path / "a.nii", volume, Volume(np.zeros((2, 2, 2)), np.diag([2.0, 1, 1, 1])))


def test_the_same_volume_gives_the_same_bytes(tmp_path):
    volume = Volume(np.random.default_rng(0).normal(size=(30, 40, 5)), ROTATED)
    for name in ("a.nii.gz", "b.nii.gz"):
        write_nifti(tmp_path / name, volume)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_one_frame_is_squeezed_and_more_are_refused(hu, tmp_path):
    nib.save(nib.Nifti1Image(hu[..., None], ROTATED), tmp_path / "one.nii")
    volume = read_nifti(tmp_path / "one.nii")
    np.testing.assert_array_equal(volume.array, hu)
    write_nifti(tmp_path / "map.nii.gz", volume)
    assert nib.load(tmp_path / "map.nii.gz").shape == hu.shape
    nib.save(nib.Nifti1Image(np.stack([hu, hu], -1), ROTATED), tmp_path / "two.nii")
    assert code_of(tmp_path / "two.nii") == "several_frames"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_values_that_are_no_numbers_are_refused(bad, hu, tmp_path):
    array = hu.astype(np.float64)
    array[1, 2, 3] = bad
    nib.save(nib.Nifti1Image(array, ROTATED), tmp_path / "a.nii")
    assert code_of(tmp_path / "a.nii") == "not_finite"


def test_complex_and_colour_are_refused(hu, tmp_path):
    nib.save(nib.Nifti1Image(hu.astype(np.complex64), ROTATED), tmp_path / "a.nii")
    assert code_of(tmp_path / "a.nii") == "unsupported_type"
    rgb = np.zeros(hu.shape, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(rgb, ROTATED), tmp_path / "b.nii")
    assert code_of(tmp_path / "b.nii") == "unsupported_type"


def edited(path, hu, **fields):
    """A NIfTI whose header fields were overwritten after saving."""
    nib.save(nib.Nifti1Image(hu, ROTATED), path)
    content = bytearray(path.read_bytes())
    header = nib.Nifti1Header(bytes(content[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    content[:348] = header.binaryblock
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"dim": [3, 5000, 5000, 5000, 1, 1, 1, 1]}, "too_large"),
        ({"dim": [3, 32767, 32767, 32767, 1, 1, 1, 1]}, "too_large"),
        ({"dim": [3, 9, 8, 8, 1, 1, 1, 1]}, "truncated_file"),
        ({"dim": [3, 9, 8, 0, 1, 1, 1, 1]}, "not_3d"),
        ({"dim": [3, 9, 8, -7, 1, 1, 1, 1]}, "not_3d"),
        ({"dim": [2, 9, 56, 1, 1, 1, 1, 1]}, "not_3d"),
        ({"dim": [0, 9, 8, 7, 1, 1, 1, 1]}, "not_3d"),
        ({"datatype": 1}, "unsupported_type"),
        ({"datatype": 7777}, "unsupported_type"),
        ({"vox_offset": 1e9}, "truncated_file"),
        ({"vox_offset": np.nan}, "truncated_file"),
        ({"sform_code": 0, "qform_code": 0}, "no_orientation"),
        ({"srow_x": [np.nan] * 4}, "bad_affine"),
        ({"srow_x": [0] * 4}, "bad_affine"),
        ({"sform_code": 0, "qform_code": 1, "quatern_b": 7.0}, "bad_affine"),
        ({"sform_code": 0, "qform_code": 1, "pixdim": [1, 0, 0, 0, 1, 1, 1, 1]}, "bad_affine"),
        ({"scl_slope": 1, "scl_inter": np.inf}, "not_finite"),
        ({"magic": b"ni1"}, "not_nifti"),
    ],
)
def test_a_header_that_cannot_be_trusted_is_refused(fields, code, hu, tmp_path):
    assert code_of(edited(tmp_path / "a.nii", hu, **fields)) == code


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("side", [5000, 680])
def test_a_huge_header_asks_for_no_memory(packed, side, hu, tmp_path):
    """5000^3 is over the limit; 680^3 is within it, but no file of this size can hold it."""
    assert 680**3 <= MAX_VOXELS < 681**3 * 1.01
    path = edited(tmp_path / "a.nii", hu, dim=[3, side, side, side, 1, 1, 1, 1])
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    tracemalloc.start()
    try:
        assert code_of(path) in {"too_large", "truncated_file"}
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_every_cut_is_refused(name, hu, tmp_path):
    nib.save(nib.Nifti1Image(hu, ROTATED), tmp_path / name)
    content = (tmp_path / name).read_bytes()
    for length in (0, 1, 2, 10, 100, 347, 352, len(content) // 2, len(content) - 9, len(content) - 1):
        (tmp_path / name).write_bytes(content[:length])
        assert code_of(tmp_path / name) in {"empty_file", "not_nifti", "truncated_file"}, length


def test_a_wrong_checksum_is_refused(hu, tmp_path):
    nib.save(nib.Nifti1Image(hu, ROTATED), tmp_path / "a.nii.gz")
    content = bytearray((tmp_path / "a.nii.gz").read_bytes())
    content[-6] ^= 0xFF
    (tmp_path / "a.nii.gz").write_bytes(content)
    assert code_of(tmp_path / "a.nii.gz") == "truncated_file"


def test_random_bytes_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(50):
        (tmp_path / "a.nii").write_bytes(rng.bytes(600))
        assert code_of(tmp_path / "a.nii") == "not_nifti"


def test_metres_become_millimetres(hu, tmp_path):
    image = nib.Nifti1Image(hu, np.diag([-1e-3, 1e-3, 5e-3, 1]))
    image.header.set_xyzt_units("meter")
    nib.save(image, tmp_path / "a.nii")
    assert read_nifti(tmp_path / "a.nii").spacing == pytest.approx([1, 1, 5])
