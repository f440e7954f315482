"""Pixels of DICOM images as HU: pydicom where it can decode them, SimpleITK's GDCM for JPEG, JPEG-LS and the like."""

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perfusynth.errors import InputError
from perfusynth.progress import OnProgress
from perfusynth.readers.dicom_headers import Slice
from perfusynth.readers.loaded import AIR_HU
from perfusynth.volumes.limits import check_voxel_count

#: A padding value that stands for more than this (HU) is not believed: headers that name 0 would turn water into air.
MAX_PADDING_HU = -500.0
#: What describes pixels alone; a copy with nothing else goes to GDCM, so that it can neither rescale nor keep a name.
PIXEL_TAGS = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PlanarConfiguration",
    "PixelData",
)
SECONDARY_CAPTURE_UID = "1.2.840.10008.5.1.4.1.1.7"


def read_pixels(slices: Sequence[Slice], on_progress: OnProgress) -> np.ndarray:
    """Pixels of all slices, rescaled each by its own slope and intercept.

    Returns
    -------
    float32, shape (x, y, n): column, row, slice. For CT in HU, padding and all below -1024 HU set to -1024.

    Raises
    ------
    InputError
        Codes ``bad_pixels`` (damaged, or a compression that cannot be decoded) and ``too_large``.
    """
    shape = (slices[0].columns, slices[0].rows, len(slices))
    check_voxel_count(shape)
    result = np.empty(shape[::-1], dtype=np.float32)
    for k, plane in enumerate(each_plane(slices, on_progress)):
        result[k] = plane
    return result.T


def each_plane(slices: Sequence[Slice], on_progress: OnProgress) -> Iterator[np.ndarray]:
    """HU of each slice in turn, float32 (rows, columns), as `read_pixels` has them; the next one overwrites it.

    Slices of one multi-frame file should follow each other: the file is decoded once for them.
    """
    plane = np.empty((slices[0].rows, slices[0].columns), dtype=np.float32)
    path: Path | None = None
    dataset, frames = None, None
    for k, image in enumerate(slices):
        on_progress("read", k / len(slices))
        if image.path != path:
            path = image.path
            dataset = _dataset(path)
            frames = decoded(dataset)
        assert frames is not None
        stored = frames[image.frame] if image.frame is not None and frames.ndim == 3 else frames
        if stored.shape != plane.shape:
            raise _bad_pixels(f"pixels of shape {stored.shape}, {image.rows} x {image.columns} in the header")
        _rescale(stored, image, dataset, out=plane)
        yield plane


def decoded(dataset: Any) -> np.ndarray:
    """Stored pixel values of a dataset, before any rescaling: (rows, columns), or (frames, rows, columns)."""
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of bits stored that disagree with a JPEG 2000 stream
            pixels = dataset.pixel_array
    except Exception as fault:  # pydicom raises whatever a decoder happens to raise
        if syntax is None or not syntax.is_compressed:
            raise _bad_pixels(f"damaged or cut-off pixels ({type(fault).__name__})") from None
        return _decoded_by_gdcm(dataset)
    if syntax is None or pixels.dtype.kind not in "iu":
        raise _bad_pixels(f"pixels of type {pixels.dtype}")
    return pixels if syntax.is_compressed else _stored_bits(pixels, dataset)


def _dataset(path: Path) -> Any:
    import pydicom

    try:
        dataset = pydicom.dcmread(path, force=True)
        if "TransferSyntaxUID" not in dataset.file_meta:  # files without preamble
            dataset.file_meta.TransferSyntaxUID = (
                pydicom.uid.ImplicitVRLittleEndian if dataset.is_implicit_VR else pydicom.uid.ExplicitVRLittleEndian
            )
        return dataset
    except Exception as fault:  # pydicom raises whatever a damaged file happens to trigger
        raise _bad_pixels(f"a damaged file ({type(fault).__name__})") from None


def _stored_bits(pixels: np.ndarray, dataset: Any) -> np.ndarray:
    """Drop bits outside the stored ones (old overlays live there) and extend the sign of, say, 12-bit values."""
    allocated, stored = int(dataset.BitsAllocated), int(dataset.get("BitsStored") or dataset.BitsAllocated)
    high = int(dataset.get("HighBit", stored - 1))
    if stored >= allocated or not stored - 1 <= high < allocated:
        return pixels
    padding = dataset.get("PixelPaddingValue")
    masked = (pixels << (allocated - 1 - high)) >> (allocated - stored)
    if padding is not None:  # padding may use the bits that values do not
        masked = np.where(pixels == np.array(int(padding)).astype(pixels.dtype), pixels, masked)
    return masked


def _decoded_by_gdcm(dataset: Any) -> np.ndarray:
    import pydicom
    import SimpleITK as sitk

    plain = pydicom.Dataset()
    for keyword in PIXEL_TAGS:
        if keyword in dataset:
            plain[keyword] = dataset[keyword]
    plain.SOPClassUID = SECONDARY_CAPTURE_UID
    plain.SOPInstanceUID = pydicom.uid.generate_uid()
    plain.file_meta = pydicom.dataset.FileMetaDataset()
    plain.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    plain.file_meta.MediaStorageSOPClassUID = plain.SOPClassUID
    plain.file_meta.MediaStorageSOPInstanceUID = plain.SOPInstanceUID
    plain.is_little_endian, plain.is_implicit_VR = True, False
    syntax = dataset.file_meta.TransferSyntaxUID.name
    with tempfile.TemporaryDirectory(prefix="perfusynth-") as folder:
        path = Path(folder) / "image.dcm"
        try:
            plain.save_as(path, write_like_original=False)
            reader = sitk.ImageFileReader()
            reader.SetImageIO("GDCMImageIO")
            reader.SetFileName(str(path))
            pixels = sitk.GetArrayFromImage(reader.Execute())
        except Exception as fault:  # SimpleITK raises RuntimeError, pydicom whatever a damaged element triggers
            raise _bad_pixels(f"pixels in {syntax} that cannot be decoded ({type(fault).__name__})") from None
    return pixels if int(dataset.get("NumberOfFrames") or 1) > 1 else pixels.reshape(pixels.shape[-2:])


def _rescale(stored: np.ndarray, image: Slice, dataset: Any, *, out: np.ndarray) -> None:
    slope = 1.0 if image.slope is None else image.slope
    intercept = 0.0 if image.intercept is None else image.intercept
    np.multiply(stored, np.float32(slope), out=out, casting="unsafe", dtype=np.float32)
    out += np.float32(intercept)
    if image.acquisition.modality != "CT":
        return
    padding = dataset.get("PixelPaddingValue")
    if padding is not None:
        # Its VR is ambiguous: compare in the type of the pixels. A range limit spans between the two values.
        value = np.array(int(padding)).astype(stored.dtype)
        limit = np.array(int(dataset.get("PixelPaddingRangeLimit", padding))).astype(stored.dtype)
        low, high = sorted((int(value), int(limit)))
        if max(low * slope, high * slope) + intercept <= MAX_PADDING_HU or low * slope + intercept > 3.2e4:
            out[(stored >= low) & (stored <= high)] = AIR_HU
    np.maximum(out, np.float32(AIR_HU), out=out)


def _bad_pixels(got: str) -> InputError:
    return InputError(
        "The pixels of a DICOM image cannot be read.",
        expected="complete pixels, uncompressed or as JPEG, JPEG-LS, JPEG 2000 or RLE",
        got=got,
        hint="Export the series again, uncompressed if possible.",
        code="bad_pixels",
    )
