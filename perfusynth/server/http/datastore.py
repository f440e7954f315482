"""``/datastore`` and ``/activelearning``: MONAI Label's calls where its own routes block, or trust what they get."""

import asyncio
import json
import secrets
import shutil
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from perfusynth.server.access.queries import IMAGE_ID, require_tag
from perfusynth.server.context import ServerContext, caller_of, context_of
from perfusynth.server.edited_region import EDITED_TAG, rewrite_edited_region
from perfusynth.server.http.jobs import stored_image
from perfusynth.server.http.uploads import only_upload, read_form, save_image
from perfusynth.server.problems import Problem, shown
from perfusynth.server.registration.submission import REGISTRATION_TAG

router = APIRouter(tags=["MONAI Label"])

#: Endings of files that are kept as labels: masks and maps, transforms, structured notes.
_LABEL_ENDINGS: Final = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".tfm", ".h5", ".json")


@router.get("/datastore/")
def overview(request: Request) -> Any:
    """How many images there are; with ``output=all`` all ids, with ``output=train`` the labelled ones."""
    datastore = context_of(request).monai_label.datastore()
    output = request.query_params.get("output") or "stats"
    if output not in ("stats", "all", "train"):
        raise _bad("output stats, all or train", "another output")
    datastore.refresh_if_old()
    if output == "all":
        return datastore.json()
    return datastore.datalist(full_path=False) if output == "train" else datastore.status()


@router.head("/datastore/image")
async def check_image(request: Request) -> Response:
    """Whether an image exists and, with ``check_sum``, whether the caller has the same."""
    context = context_of(request)
    path = await stored_image(context, request.query_params.get("image"))
    wanted = request.query_params.get("check_sum")
    if wanted:
        from monailabel.utils.others.generic import file_checksum

        algorithm, _, digest = wanted.rpartition(":")
        actual = await asyncio.to_thread(file_checksum, str(path), algorithm or "SHA256")
        if actual.rpartition(":")[2] != digest:
            return Response(status_code=404)
    return Response()


@router.put("/datastore/")
@router.put("/datastore/image")
async def add_image(request: Request) -> dict[str, str]:
    """Keep an image in the studies folder; never in the place of another."""
    context = context_of(request)
    image_id = request.query_params.get("image") or f"upload-{secrets.token_hex(8)}"
    if not IMAGE_ID.fullmatch(image_id) or "__" in image_id:
        raise _bad("an id of letters, digits and ._-, without __ (case folders have it)", shown(image_id))
    folder = _scratch(context)
    try:
        async with read_form(request, context) as form:
            _json_object(form.get("params"))
            path = await save_image(only_upload(form, "file"), folder, "image")
        if path.suffix == ".zip":
            raise _bad("a NIfTI or NRRD volume", "a zip")
        added = await asyncio.to_thread(
            context.monai_label.datastore().add_new_image, image_id, path, {"user": caller_of(request).user}
        )
        if not added:
            raise Problem(
                409,
                "There is an image of this id already.",
                expected="a new id",
                got=shown(image_id),
                hint="Choose another id, or send none.",
                code="image_exists",
            )
    finally:
        await asyncio.to_thread(_clear, folder)
    return {"image": image_id}


@router.put("/datastore/image/info")
async def update_image_info(request: Request) -> None:
    """Merge a JSON object into an image's info."""
    context, image_id = context_of(request), request.query_params.get("image")
    await stored_image(context, image_id)
    info = await _info_of(request, "info")
    await asyncio.to_thread(context.monai_label.datastore().update_image_info, image_id, info)


@router.put("/datastore/label")
async def save_label(request: Request) -> dict[str, Any]:
    """Keep a label of an image under a tag; one that was there goes into the history."""
    context, image_id = context_of(request), request.query_params.get("image") or ""
    tag = require_tag(request.query_params.get("tag") or "final")
    image = await stored_image(context, image_id)
    folder = _scratch(context)
    user = caller_of(request).user
    try:
        async with read_form(request, context) as form:
            params = _json_object(form.get("params"))
            upload = only_upload(form, "label")
            path = folder / f"label{_label_ending(upload)}"
            await asyncio.to_thread(_keep, upload, path)
        datastore = context.monai_label.datastore()
        if tag == REGISTRATION_TAG:
            desk = context.monai_label.registrations
            now = await asyncio.to_thread(desk.submit, image_id, path, params, user)
            earlier = await asyncio.to_thread(datastore.earlier_labels, image_id, tag)
            return {"image": image_id, "label": image_id, "earlier": earlier, **now}
        info = params | {"user": user}
        if tag == EDITED_TAG:
            sent, path = path, folder / "region.nii.gz"
            info |= await asyncio.to_thread(rewrite_edited_region, sent, image, path)
        label_id = await asyncio.to_thread(datastore.save_label, image_id, str(path), tag, info)
        await asyncio.to_thread(context.monai_label.on_save_label, image_id, label_id)
        earlier = await asyncio.to_thread(datastore.earlier_labels, image_id, tag)
    finally:
        await asyncio.to_thread(_clear, folder)
    return {"image": image_id, "label": label_id, "earlier": earlier}


@router.put("/datastore/label/info")
async def update_label_info(request: Request) -> None:
    """Merge a JSON object into a label's info."""
    context, query = context_of(request), request.query_params
    label_id, tag = query.get("label") or "", require_tag(query.get("tag") or "final")
    datastore = context.monai_label.datastore()
    if not datastore.get_label_uri(label_id, tag):
        raise Problem(
            404,
            "There is no such label.",
            expected="an image id and a tag under which a label is kept",
            got="another id or tag",
            hint="GET /datastore/?output=all lists the labels.",
            code="unknown_label",
        )
    await asyncio.to_thread(datastore.update_label_info, label_id, tag, await _info_of(request, "info"))


@router.post("/activelearning/{strategy}")
async def next_sample(strategy: str, request: Request) -> dict[str, Any]:
    """The image that a strategy gives next."""
    context = context_of(request)
    if strategy not in context.monai_label.strategies:
        raise Problem(
            404,
            "There is no such strategy.",
            expected=f"one of {', '.join(sorted(context.monai_label.strategies))}",
            got=shown(strategy),
            hint="GET /info/ lists the strategies.",
            code="unknown_strategy",
        )
    from monailabel.endpoints.activelearning import sample

    user = caller_of(request).user
    found: dict[str, Any] = await asyncio.to_thread(sample, strategy, {"client_id": user}, user)
    return {**found, "path": ""} if found else {}


async def _info_of(request: Request, name: str) -> dict[str, Any]:
    async with request.form(max_files=0, max_fields=4) as form:
        return _json_object(form.get(name)) | {"user": caller_of(request).user}


def _json_object(value: Any) -> dict[str, Any]:
    """Decoded, and sure to be encoded again: NaN, 1e999 or half a character would break each later list of it."""
    try:
        decoded = json.loads(value) if isinstance(value, str) and value else {}
        json.dumps(decoded, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        decoded = None
    if not isinstance(decoded, dict):
        raise _bad("a JSON object", "something else")
    return decoded


def _label_ending(upload: UploadFile) -> str:
    name = (upload.filename or "").lower()
    ending = next((ending for ending in _LABEL_ENDINGS if name.endswith(ending)), None)
    if ending is None or not upload.size:
        raise _bad(f"a file that is not empty and ends in {', '.join(_LABEL_ENDINGS)}", "another")
    return ending


def _keep(upload: UploadFile, path: Path) -> None:
    with open(path, "xb") as file:
        while block := upload.file.read(1 << 20):
            file.write(block)


def _scratch(context: ServerContext) -> Path:
    folder = context.run_folder.temp / secrets.token_hex(16)
    folder.mkdir(mode=0o700)
    return folder


def _clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _bad(expected: str, got: str) -> Problem:
    return Problem(
        400,
        "This cannot be kept or listed.",
        expected=expected,
        got=got,
        hint="Check the client's version.",
        code="bad_request",
    )
