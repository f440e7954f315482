"""The constant embedding that stands where a text prompt would, made once by the base's own text encoder.

It is kept with the adapter's weights: whoever synthesises needs no text encoder.
"""

from pathlib import Path

import torch

from perfusynth.errors import InputError

#: Folders of the base that are needed besides its networks, to begin a training only.
FOLDERS = ("tokenizer", "text_encoder")


@torch.inference_mode()
def embedded(text: str, base: Path, tokens: int) -> torch.Tensor:
    """The embedding of a text, float32 ``(1, tokens, width)``.

    Raises
    ------
    InputError
        Code ``no_base``: the base has no text encoder.
    """
    missing = [f"{name}/" for name in FOLDERS if not (base / name).is_dir()]
    if missing:
        raise InputError(
            "The base has no text encoder, which is needed to begin a training.",
            expected=" and ".join(f"{name}/" for name in FOLDERS),
            got=f"a folder without {' and '.join(missing)}",
            hint="Download these folders of the base as well, or set the base's prompt to null in the metadata.",
            code="no_base",
        )
    # Imported here: it takes seconds, and synthesis never comes here.
    from transformers import CLIPTextModel, CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(base / FOLDERS[0], local_files_only=True)
    encoder = CLIPTextModel.from_pretrained(base / FOLDERS[1], local_files_only=True, dtype=torch.float32).eval()
    words = tokenizer(text, padding="max_length", max_length=tokens, truncation=True, return_tensors="pt")
    return encoder(words.input_ids)[0].clone()
