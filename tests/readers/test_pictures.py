"""Colour pictures as they are read: DICOM colour images with and without a place, compressed ones, what is refused."""

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

from perfusynth.errors import InputError
from perfusynth.readers.pictures import read_pictures

ROWS, COLUMNS = 48, 64


def picture(number: int = 0) -> np.ndarray:
    """Red grows to the right, green downwards, blue with the number."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    return np.stack([4 * x, 5 * y, np.full_like(x, 20 * number)], axis=-1).astype(np.uint8)


def secondary_capture(path: Path, rgb: np.ndarray, number: int, series: str, **attributes: object) -> None:
    dataset = pydicom.Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.is_little_endian, dataset.is_implicit_VR = True, False
    dataset.PatientName, dataset.PatientID, dataset.Modality = "DOE^JANE", "4711", "CT"
    dataset.SeriesInstanceUID, dataset.InstanceNumber = series, number
    dataset.Rows, dataset.Columns = rgb.shape[:2]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelData = np.ascontiguousarray(rgb).tobytes()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    dataset.save_as(path, write_like_original=False)


def test_slices_with_places_are_sorted_by_them_and_lie_where_they_lay(tmp_path: Path):
    """Numbered from the top down: positions decide, and left stays left."""
    series = generate_uid()
    for k in range(4):
        place = {"ImagePositionPatient": [-70, -50, 5.0 * k], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        secondary_capture(tmp_path / f"{9 - k}.dcm", picture(k), 9 - k, series, PixelSpacing=[0.8, 0.9], **place)
    pictures = read_pictures(tmp_path)
    assert np.array_equal(pictures.rgb, [picture(k) for k in range(4)])
    assert pictures.affine is not None
    # Column 8, row 4, slice 3: LPS to RAS.
    assert pictures.affine @ [8, 4, 3, 1] == pytest.approx([70 - 8 * 0.9, 50 - 4 * 0.8, 15, 1])
    assert pictures.kind == "dicom"
    assert not pictures.lossy


def test_slices_without_places_are_sorted_by_number_and_keep_the_pixel_size(tmp_path: Path):
    series = generate_uid()
    for k in (10, 9, 1):
        secondary_capture(tmp_path / f"{20 - k}.dcm", picture(k), k, series, PixelSpacing=[0.8, 0.9])
    pictures = read_pictures(tmp_path)
    assert pictures.rgb[:, 0, 0, 2].tolist() == [20, 180, 200]
    assert pictures.affine is None
    assert pictures.spacing_mm == (0.9, 0.8)


def test_a_dicom_jpeg_is_turned_from_luma_and_chroma_to_rgb(tmp_path: Path):
    stream = io.BytesIO()
    Image.fromarray(picture(5)).save(stream, "JPEG", quality=95)
    secondary_capture(tmp_path / "a.dcm", picture(5), 1, generate_uid())
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PhotometricInterpretation, dataset.LossyImageCompression = "YBR_FULL_422", "01"
    dataset.PixelData = encapsulate([stream.getvalue()])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(tmp_path / "a.dcm", write_like_original=False)
    pictures = read_pictures(tmp_path / "a.dcm")
    assert pictures.lossy
    assert np.abs(pictures.rgb[0].astype(int) - picture(5)).mean() < 3


def test_two_series_in_a_folder_are_refused(tmp_path: Path):
    for k in range(2):
        secondary_capture(tmp_path / f"{k}.dcm", picture(), k, generate_uid())
    with pytest.raises(InputError) as caught:
        read_pictures(tmp_path)
    assert caught.value.code == "several_series"


def test_plain_numbers_are_no_colour_picture(tmp_path: Path):
    grey = {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}
    secondary_capture(tmp_path / "a.dcm", picture()[..., :1], 1, generate_uid(), **grey)
    Image.fromarray(np.zeros((20, 20), np.uint16)).save(tmp_path / "b.png")
    for name in ("a.dcm", "b.png"):
        with pytest.raises(InputError) as caught:
            read_pictures(tmp_path / name)
        assert caught.value.code == "not_colour"


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_files_that_are_no_pictures_are_refused(tmp_path: Path, content: bytes):
    (tmp_path / "DOE.png").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_pictures(tmp_path / "DOE.png")
    assert caught.value.code == "unknown_format"
    assert "DOE" not in str(caught.value)


def test_a_cut_off_dicom_image_and_an_empty_folder_are_refused(tmp_path: Path):
    with pytest.raises(InputError) as caught:
        read_pictures(tmp_path)
    assert caught.value.code == "no_images"
    secondary_capture(tmp_path / "a.dcm", picture(), 1, generate_uid())
    whole = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(whole[:-2000])
    with pytest.raises(InputError) as caught:
        read_pictures(tmp_path)
    assert caught.value.code == "bad_pixels"
