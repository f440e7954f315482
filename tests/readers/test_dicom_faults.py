"""What a DICOM folder may hold besides one clean series: each case gets the right outcome and says so."""

import numpy as np
import pydicom
import pytest

from perfusynth.errors import Cancelled, InputError
from perfusynth.readers.dicom_geometry import MAX_GAP_MM
from perfusynth.readers.read import read_scan
from perfusynth.volumes.geometry import nearest_ras

HEIGHTS = np.arange(8) * 4.0


def refusal(path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_scan(path)
    fault = caught.value
    assert all(fault.as_dict().values())
    assert "Secret" not in str(fault)
    assert "SECRET" not in str(fault)
    assert str(path) not in str(fault)
    return fault


def test_a_missing_slice_is_told_and_interpolated(write_series, tmp_path, along_z, assert_true_places):
    write_series(tmp_path, along_z(np.delete(HEIGHTS, 3)))
    scan = read_scan(tmp_path)
    assert scan.resampled
    assert scan.volume.shape == (24, 20, 8)
    assert_true_places(scan.volume)
    assert any("1 slice is missing" in note for note in scan.notes)


def test_a_wide_gap_is_refused(write_series, tmp_path, along_z):
    write_series(tmp_path, along_z([0, 4, 8, 12 + MAX_GAP_MM, 16 + MAX_GAP_MM]))
    fault = refusal(tmp_path)
    assert fault.code == "slice_gap"
    assert "14.0 mm" in fault.got


def test_copies_of_one_image_are_read_once(write_series, tmp_path, along_z):
    write_series(tmp_path / "a", along_z(HEIGHTS))
    for path in list((tmp_path / "a").iterdir()):
        (tmp_path / "b").mkdir(exist_ok=True)
        (tmp_path / "b" / path.name).write_bytes(path.read_bytes())
    scan = read_scan(tmp_path)
    assert scan.volume.shape == (24, 20, 8)
    assert any("8 images are there twice" in note for note in scan.notes)


def test_of_a_repeated_slice_the_later_is_read(write_series, tmp_path, along_z):
    uid = pydicom.uid.generate_uid()
    write_series(tmp_path, along_z(HEIGHTS), series_uid=uid)
    write_series(
        tmp_path, along_z(HEIGHTS[4:5]), series_uid=uid, AcquisitionNumber=2, change_pixels=lambda k, s: 0 * s + 1100
    )
    scan = read_scan(tmp_path)
    assert (scan.volume.array[:, :, 4] == 76).all()
    assert any("scanned twice" in note for note in scan.notes)


def test_a_time_series_is_refused(write_series, tmp_path, along_z):
    uid = pydicom.uid.generate_uid()
    for time in range(3):
        write_series(tmp_path, along_z(HEIGHTS), series_uid=uid, AcquisitionNumber=time)
    assert refusal(tmp_path).code == "repeated_positions"


def test_one_position_is_refused(write_series, tmp_path, along_z):
    write_series(tmp_path, along_z([5] * 6))
    assert refusal(tmp_path).code == "one_position"


@pytest.mark.parametrize("missing", ["ImagePositionPatient", "ImageOrientationPatient"])
def test_missing_positions_are_refused(missing, write_series, tmp_path, along_z):
    write_series(tmp_path, along_z(HEIGHTS), **{missing: None})
    assert refusal(tmp_path).code == "missing_position"


def test_missing_pixel_spacing_is_refused(write_series, tmp_path, along_z):
    write_series(tmp_path, along_z(HEIGHTS), PixelSpacing=None)
    assert refusal(tmp_path).code == "missing_spacing"


def test_two_tilts_in_one_series_are_refused(write_series, tmp_path, along_z):
    uid = pydicom.uid.generate_uid()
    write_series(tmp_path, along_z(HEIGHTS), series_uid=uid)
    write_series(tmp_path, along_z(HEIGHTS + 40), series_uid=uid, orientation=(1, 0, 0, 0, 0.96, -0.28))
    assert refusal(tmp_path).code == "two_orientations"


def test_two_patients_are_refused_without_their_names(write_series, tmp_path, along_z):
    write_series(tmp_path, along_z(HEIGHTS))
    write_series(tmp_path, along_z(HEIGHTS), PatientID="SECRET-OTHER")
    assert refusal(tmp_path).code == "several_patients"


def test_a_single_slice_file_gets_a_hint(write_series, tmp_path, along_z):
    write_series(tmp_path, along_z(HEIGHTS))
    fault = refusal(tmp_path / "0000.dcm")
    assert fault.code == "single_slice"
    assert "folder" in fault.hint


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    assert refusal(tmp_path).code == "no_images"


def test_cut_off_pixels_are_refused(write_series, tmp_path, along_z):
    write_series(tmp_path, along_z(HEIGHTS))
    path = tmp_path / "0003.dcm"
    path.write_bytes(path.read_bytes()[:-300])
    assert refusal(tmp_path).code == "bad_pixels"


def test_a_damaged_file_beside_the_series_is_passed_over(write_series, tmp_path, along_z):
    write_series(tmp_path, along_z(HEIGHTS))
    (tmp_path / "junk.dcm").write_bytes(b"\0" * 128 + b"DICM" + bytes(range(256)) * 4)
    assert read_scan(tmp_path).volume.shape == (24, 20, 8)


def test_padding_becomes_air(write_series, tmp_path, along_z):
    def pad(k, stored):
        stored = stored.copy()
        stored[0, :3] = -2000 + 1024  # named by the header
        stored[1, :3] = -3024 + 1024  # not named
        return stored

    write_series(
        tmp_path, along_z(HEIGHTS), change_pixels=pad, change=lambda k, ds: ds.add_new(0x00280120, "SS", -2000 + 1024)
    )
    array = read_scan(tmp_path).volume.array
    assert (array[:3, :2] == -1024).all()
    assert (array[3:] > -1000).all()


def test_a_padding_value_that_means_tissue_is_not_believed(write_series, tmp_path, along_z, assert_true_places):
    write_series(tmp_path, along_z(HEIGHTS), change=lambda k, ds: ds.add_new(0x00280120, "SS", 1024 + 40))
    assert_true_places(read_scan(tmp_path).volume)


def test_twelve_bit_signed_pixels_keep_their_sign(write_series, tmp_path, along_z, assert_true_places):
    def change(k, ds):
        ds.BitsStored, ds.HighBit = 12, 11

    write_series(
        tmp_path,
        along_z(HEIGHTS),
        intercepts=[100.0] * 8,
        change=change,
        change_pixels=lambda k, s: ((s.astype(np.int32) & 0x0FFF) | 0x5000).astype(np.int16),  # an overlay above
    )
    assert_true_places(read_scan(tmp_path).volume)


def test_acquisition_says_what_the_header_says_and_no_name(write_series, tmp_path, along_z):
    write_series(
        tmp_path,
        along_z(HEIGHTS),
        BodyPartExamined="HEAD",
        ConvolutionKernel="H31s",
        SliceThickness=4.0,
        PatientPosition="FFS",
        Manufacturer="ACME",
        ContrastBolusAgent="Iohexol",
        SeriesDescription="HEAD 4.0",
    )
    scan = read_scan(tmp_path)
    header = scan.acquisition
    assert (header.modality, header.image_type) == ("CT", ("ORIGINAL", "PRIMARY", "AXIAL"))
    assert (header.body_part, header.convolution_kernel, header.slice_thickness_mm) == ("HEAD", "H31s", 4.0)
    assert (header.patient_position, header.manufacturer) == ("FFS", "ACME")
    assert (header.contrast_agent, header.series_description) == ("Iohexol", "HEAD 4.0")
    assert "Secret" not in repr(scan.acquisition) + repr(scan.notes)


def test_reading_can_be_cancelled(write_series, tmp_path, along_z):
    write_series(tmp_path, along_z(HEIGHTS))

    def stop(stage, fraction):
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        read_scan(tmp_path, on_progress=stop)


D2N_READ = {
    "failing/gantrytilting/001": ((512, 521, 4), "tilt"),
    "failing/sliceincrement/001": ((512, 512, 5), "1 slice is missing"),
    "failing/sliceincrement/002": ((512, 514, 5), "1 slice is missing"),
}
D2N_REFUSED = {
    "failing/notavolume/001": "one_position",
    "failing/slicecount/001": "too_few_slices",
    "failing/sliceorientation/001": "two_orientations",
}


def test_series_that_make_loaders_fail_each_get_the_right_outcome(d2n):
    for case, (shape, told) in D2N_READ.items():
        scan = read_scan(d2n / case)
        assert scan.volume.shape == shape, case
        assert scan.resampled, case
        assert any(told in note for note in scan.notes), case
    for case, code in D2N_REFUSED.items():
        assert refusal(d2n / case).code == code, case


@pytest.mark.parametrize(
    "codec", ["compressed", "compressed_jpeg", "compressed_jpegls", "compressed_j2k", "compressed_rle"]
)
def test_every_compression_gives_the_pixels_of_its_ground_truth(codec, d2n):
    scan = read_scan(d2n / "generic" / codec / "001")
    assert scan.acquisition.modality == "MR"
    assert scan.volume.shape == (256, 256, 4)
    expected = read_scan(d2n / "generic" / codec / "001_ground_truth.nii.gz").volume
    ours, theirs = nearest_ras(scan.volume), nearest_ras(expected)
    np.testing.assert_array_equal(ours.array, theirs.array)
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-3)
