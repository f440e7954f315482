"""Left stays left: every voxel of a DICOM series keeps its place in the patient."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from perfusynth.readers.read import read_scan
from perfusynth.volumes.geometry import corners, is_orthogonal, nearest_ras

HEIGHTS = np.arange(8) * 4.0 - 10
ORIENTATIONS = {
    "head_first_supine": (1, 0, 0, 0, 1, 0),
    "feet_first_supine": (-1, 0, 0, 0, 1, 0),
    "head_first_prone": (-1, 0, 0, 0, -1, 0),
    "feet_first_prone": (1, 0, 0, 0, -1, 0),
    "decubitus_left": (0, -1, 0, 1, 0, 0),
    "decubitus_right": (0, 1, 0, -1, 0, 0),
    "coronal": (1, 0, 0, 0, 0, -1),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "oblique": (0.96, 0.28, 0, -0.28 * 0.8, 0.96 * 0.8, 0.6),
}


def stacked(orientation, heights) -> list[np.ndarray]:
    """Positions along the normal of an orientation (no tilt)."""
    normal = np.cross(orientation[:3], orientation[3:])
    return [np.array([-14.0, -11.0, 3.0]) + h * normal for h in heights]


@pytest.mark.parametrize("reverse", [False, True], ids=["ascending", "descending"])
@pytest.mark.parametrize("name", ORIENTATIONS)
def test_every_orientation_keeps_its_places(name, reverse, write_series, tmp_path, assert_true_places):
    heights = HEIGHTS[::-1] if reverse else HEIGHTS
    write_series(tmp_path, stacked(ORIENTATIONS[name], heights), orientation=ORIENTATIONS[name])
    scan = read_scan(tmp_path)
    assert not scan.resampled
    assert scan.volume.shape == (24, 20, 8)
    assert_true_places(scan.volume)


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_grid_and_values_equal_those_of_simpleitk(name, write_series, tmp_path):
    write_series(tmp_path, stacked(ORIENTATIONS[name], HEIGHTS), orientation=ORIENTATIONS[name])
    ours = read_scan(tmp_path).volume
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path))
    theirs = sitk.ReadImage(names, sitk.sitkFloat32)
    np.testing.assert_array_equal(ours.array, sitk.GetArrayFromImage(theirs).T)
    ends = [[i, j, k] for i in (0, 23) for j in (0, 19) for k in (0, 7)]
    lps = np.array([theirs.TransformIndexToPhysicalPoint(end) for end in ends])
    np.testing.assert_allclose(corners(ours.shape, ours.affine), lps * [-1, -1, 1], atol=1e-3)


def test_a_marker_on_the_patients_left_is_on_the_left(write_series, tmp_path):
    """The marker is at LPS x > 0 whatever the table did; in nearest-RAS order it must have a low x index."""
    for name in ("head_first_supine", "feet_first_supine", "head_first_prone"):
        orientation = ORIENTATIONS[name]

        def mark(k, stored, orientation=orientation):
            x = np.arange(24) * 1.25 * orientation[0] + (-14.0)
            return np.where(x[None, :] > (x.max() + x.min()) / 2, 2024, 1024).astype(np.int16) + 0 * stored

        folder = write_series(
            tmp_path / name, stacked(orientation, HEIGHTS), orientation=orientation, change_pixels=mark
        )
        array = nearest_ras(read_scan(folder).volume).array
        assert array[:12].mean() == 1000
        assert array[12:].mean() == 0


def test_positions_decide_never_instance_numbers(write_series, tmp_path, along_z, assert_true_places):
    numbers = [5, 1, 8, 2, 7, 3, 6, 4]
    write_series(tmp_path, along_z(HEIGHTS), instance_numbers=numbers)
    assert_true_places(read_scan(tmp_path).volume)


def test_each_slice_has_its_own_rescale(write_series, tmp_path, along_z, assert_true_places):
    slopes = [1, 0.5, 0.25, 2, 1, 0.5, 0.25, 1]
    intercepts = [-1024, 0, -512, 10, -1000, 3, 7, -2000]
    write_series(tmp_path, along_z(HEIGHTS), slopes=slopes, intercepts=intercepts)
    assert_true_places(read_scan(tmp_path).volume, tolerance=1.01)


@pytest.mark.parametrize("degrees", [-20, 14, 18.5])
def test_gantry_tilt_is_corrected_at_true_positions(
    degrees, write_series, tmp_path, along_z, assert_true_places, lps_places
):
    tilt = np.radians(degrees)
    orientation = (1, 0, 0, 0, np.cos(tilt), -np.sin(tilt))
    write_series(tmp_path, along_z(HEIGHTS), orientation=orientation)
    scan = read_scan(tmp_path)
    assert scan.resampled
    assert any("tilt" in note for note in scan.notes)
    assert is_orthogonal(scan.volume.affine, 1e-9)
    assert scan.volume.spacing[2] == pytest.approx(4 * np.cos(tilt))
    assert scan.acquisition.gantry_tilt_deg == pytest.approx(abs(degrees))
    assert scan.volume.shape[:1] + scan.volume.shape[2:] == (24, 8)
    first = np.array([-14.0, -11.0, HEIGHTS[0]])
    normal, column = np.cross(orientation[:3], orientation[3:]), np.array(orientation[3:])
    for k in range(8):
        # Where slice k was scanned, in rows from its own first row; the slice lies in plane k, moved along its rows.
        places = lps_places(scan.volume)[:, :, k]
        np.testing.assert_allclose((places - first) @ normal, k * 4 * np.cos(tilt), atol=1e-6)
        rows = (places - first - [0, 0, 4 * k]) @ column / 1.5
        scanned, outside = (rows > -1e-6) & (rows < 19 + 1e-6), (rows < -1 - 1e-6) | (rows > 20 + 1e-6)
        assert scanned.sum() >= 19 * 24
        plane = type(scan.volume)(scan.volume.array[:, :, [k]], scan.volume.affine @ translation(k))
        assert_true_places(plane, where=scanned[:, :, None])
        assert (scan.volume.array[:, :, k][outside] == scan.volume.array.min()).all()


def translation(planes: int) -> np.ndarray:
    """Voxel affine that moves by whole planes."""
    affine = np.eye(4)
    affine[2, 3] = planes
    return affine


def test_uneven_spacing_is_resampled_at_true_positions(write_series, tmp_path, along_z, assert_true_places):
    heights = np.cumsum([0, 4, 4, 4, 4, 1.1, 7, 7, 7])
    thick = [4.0] * 5 + [7.0] * 4

    def change(k, ds):
        ds.SliceThickness = thick[k]

    write_series(tmp_path, along_z(heights), change=change)
    scan = read_scan(tmp_path)
    assert scan.resampled
    assert scan.volume.spacing[2] == pytest.approx(4.0)
    assert scan.volume.shape == (24, 20, 11)  # 0 to 38.1 mm: not nine planes at a false 4 mm
    # The last plane, 1.9 mm above the highest slice, repeats that slice: half a slice belongs to it.
    inner = scan.volume.array[:, :, :10]
    assert_true_places(type(scan.volume)(inner, scan.volume.affine))
    assert any("overlap" in note for note in scan.notes)


def test_header_rounding_does_not_resample(write_series, tmp_path, along_z):
    write_series(tmp_path, along_z(np.round(HEIGHTS * 0.65625, 1)))
    assert not read_scan(tmp_path).resampled


def test_a_multi_frame_file_is_read_frame_by_frame(enhanced_ct, tmp_path, assert_true_places):
    path = enhanced_ct(tmp_path / "enhanced.dcm", [10, 5, 0, -5, 15])
    for source in (path, tmp_path):
        scan = read_scan(source)
        assert scan.kind == "dicom"
        assert scan.volume.shape == (24, 20, 5)
        assert scan.acquisition.slice_thickness_mm == 5.0
        assert_true_places(scan.volume)


def test_real_tilted_scan_lies_where_dcm2niix_puts_it(public_data):
    """GE head, tilt 18.5 degrees, 4 then 7 mm: the even volume against one made by another program."""
    ours = read_scan(public_data / "ge_ncct_tilt" / "dicom").volume
    theirs = read_scan(public_data / "ge_ncct_tilt" / "ge_ncct_tiltcorr_0.98x0.98x2.62mm.nii.gz").volume
    index = np.stack(np.meshgrid(*(np.arange(0, n, 3) for n in theirs.shape), indexing="ij")).reshape(3, -1)
    places = theirs.affine[:3, :3] @ index + theirs.affine[:3, 3:]
    expected = theirs.array[tuple(index)]
    tissue = (expected > -200) & (expected < 300)

    def difference(move: tuple[float, float, float], which: np.ndarray) -> float:
        moved = np.vstack([places + np.array(move)[:, None], np.ones(places.shape[1])])
        at = (np.linalg.inv(ours.affine) @ moved)[:3, which]
        return float(np.abs(ndimage.map_coordinates(ours.array, at, order=1, cval=-1024) - expected[which]).mean())

    lower = tissue & (index[2] * theirs.spacing[2] < 50)  # the 4 mm part: both programs only move slices in plane
    assert difference((0, 0, 0), lower) < 1.5
    for move in ((0.25, 0, 0), (0, 0.25, 0), (0, 0, 0.25)):
        for sign in (-1, 1):
            assert difference(tuple(sign * m for m in move), lower) > 2 * difference((0, 0, 0), lower)
    whole = [difference((0, 0, d), tissue) for d in (-1, -0.5, 0, 0.5, 1)]
    assert int(np.argmin(whole)) == 2


def test_real_tilted_scan_holds_each_slice_at_its_true_plane(public_data, headers):
    """Each plane is the two original slices around it, blended here by hand at their true positions."""
    folder = public_data / "ge_ncct_tilt" / "dicom"
    scan = read_scan(folder)
    volume, slices = scan.volume, headers(folder)
    assert scan.resampled
    assert volume.spacing[2] == pytest.approx(4.0, abs=0.005)
    assert volume.shape[2] == 37  # 144.1 mm, not 28 planes at a false 4 mm
    row, column = np.split(np.array(slices[0].ImageOrientationPatient, dtype=float), 2)
    size = float(slices[0].PixelSpacing[0])
    first = [np.array(ds.ImagePositionPatient, dtype=float) for ds in slices]
    images = [np.maximum(ds.pixel_array.astype(float), -1024) for ds in slices]
    depth = np.array([(position - first[0]) @ np.cross(row, column) for position in first])
    i, j = np.mgrid[100:400:5, 150:450:5]
    for plane in range(36):
        target = plane * volume.spacing[2]
        above = int(np.clip(np.searchsorted(depth, target), 1, 27))
        share = (target - depth[above - 1]) / (depth[above] - depth[above - 1])
        ras = volume.affine[:3, 3] + np.stack([i, j, np.full_like(i, plane)], -1) @ volume.affine[:3, :3].T
        blended = 0.0
        for k, weight in ((above - 1, 1 - share), (above, share)):
            offset = ras * [-1, -1, 1] - first[k]
            at = [offset @ column / size, offset @ row / size]
            blended = blended + weight * ndimage.map_coordinates(images[k], at, order=1)
        np.testing.assert_allclose(volume.array[i, j, plane], blended, atol=2.0)
