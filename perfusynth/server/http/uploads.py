"""Uploaded images: counted, recognised by their first bytes, kept under names of our own."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from perfusynth.errors import InputError
from perfusynth.server.context import ServerContext
from perfusynth.server.problems import Problem

#: Bytes that are looked at: a NIfTI-2 header has 540.
_HEAD = 540
_COPY_BLOCK: Final = 1 << 20


@asynccontextmanager
async def read_form(request: Request, context: ServerContext) -> AsyncIterator[FormData]:
    """The multipart form of a request; its temporary files are gone afterwards.

    Raises
    ------
    Problem
        415: not a multipart form; 503: the disk is nearly full.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Problem(
            415,
            "The image is expected as a multipart form.",
            expected="Content-Type: multipart/form-data",
            got="another content type",
            hint="Send one part per image.",
            code="not_a_form",
        )
    limits = context.settings
    length = request.headers.get("content-length", "")
    needed = 2 * (int(length) if length.isdigit() else limits.max_upload_bytes)  # it lies there twice for a moment
    check_disk(context, needed)
    with context.run_folder.promised(needed):
        async with request.form(
            max_files=limits.max_parts, max_fields=limits.max_parts, max_part_size=limits.max_field_bytes
        ) as form:
            yield form


def check_disk(context: ServerContext, needed: int) -> None:
    """Refuse an upload that would fill the disk, with all that are on their way."""
    if context.run_folder.free_bytes() - needed < context.settings.min_free_bytes:
        raise Problem(
            503,
            "The server's disk is nearly full.",
            expected="room for the upload",
            got="too little",
            hint="Try again later, and tell the server's administrator.",
            code="disk_full",
            headers={"Retry-After": str(context.settings.retry_after_s)},
        )


def only_upload(form: FormData, name: str) -> UploadFile:
    """The one file of that name in a form.

    Raises
    ------
    Problem
        400: none, several, or text.
    """
    found = form.getlist(name)
    if len(found) != 1 or not isinstance(found[0], UploadFile):
        raise Problem(
            400,
            "The image is missing, or there are several.",
            expected=f"one file part named {name}",
            got=f"{len(found)} parts of this name",
            hint="Send one file; a DICOM series as one zip.",
            code="bad_parts",
        )
    return found[0]


async def save_image(upload: UploadFile, folder: Path, name: str) -> Path:
    """Keep an uploaded image as ``folder/<name><ending>``; the ending comes from its content, not from its name.

    Raises
    ------
    InputError
        Codes ``empty_file`` and ``unknown_format``.
    """
    await upload.seek(0)
    ending = image_ending(await upload.read(_HEAD))
    await upload.seek(0)
    path = folder / f"{name}{ending}"
    await asyncio.to_thread(_copy, cast(BinaryIO, upload.file), path)
    return path


def image_ending(head: bytes) -> str:
    """What the first bytes of a file say that it is: ``.nii``, ``.nii.gz``, ``.nrrd`` or ``.zip``."""
    if not head:
        raise _unknown("The file is empty.", "0 bytes", "empty_file")
    if head.startswith(b"\x1f\x8b"):
        return ".nii.gz"
    if head.startswith(b"PK\x03\x04"):
        return ".zip"
    if head.startswith(b"NRRD"):
        return ".nrrd"
    if len(head) >= 4 and {int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big")} & {348, 540}:
        return ".nii"
    if head[128:132] == b"DICM":
        raise _unknown("This is a single DICOM file.", "one slice", "single_dicom")
    raise _unknown("The file is no image that can be read here.", "another kind of file", "unknown_format")


def _unknown(error: str, got: str, code: str) -> InputError:
    return InputError(
        error,
        expected="a NIfTI or NRRD volume, or a zip of one DICOM series",
        got=got,
        hint="Export the scan as .nii.gz or .nrrd, or zip the folder of the series.",
        code=code,
    )


def _copy(source: BinaryIO, target: Path) -> None:
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(source, file, _COPY_BLOCK)


def link_or_copy(source: Path, target: Path) -> Path:
    """Keep a session's image for a job that may outlive the session (blocking)."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target
