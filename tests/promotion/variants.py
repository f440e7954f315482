"""Small bundles that differ, and what a comparison of two of them looks like."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from perfusynth.generators.bundles import Bundle, read_bundle
from perfusynth.promotion.comparison import Comparison, ModelFigures


def variant(source: Path, folder: Path, last_byte: int = 0, **spec: Any) -> Bundle:
    """A copy of a bundle with another last byte of its weights (still tensors) and other fields of its metadata."""
    shutil.copytree(source, folder)
    (file,) = (folder / "models").glob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[-1] = last_byte
    file.write_bytes(content)
    path = folder / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata["perfusynth"] |= {"weights_sha256": hashlib.sha256(content).hexdigest()} | spec
    path.write_text(json.dumps(metadata))
    return read_bundle(folder)


def compared(candidate: Bundle, live: Bundle) -> Comparison:
    """Figures of both, as an evaluation would bring them."""
    return Comparison(
        cases="phantom seeds 3000000:3000002",
        candidate=ModelFigures(candidate.name, candidate.weights_sha256(), {"dice": 0.5, "mae_s": 1.0}),
        live=ModelFigures(live.name, live.weights_sha256(), {"dice": 0.4, "mae_s": None}),
        report_sha256="0" * 64,
    )
