"""Installed bundles: where they lie, what they say of themselves, and whether their weights are what they claim.

A bundle is a MONAI bundle folder (``configs/metadata.json``, ``models/*.safetensors``, ``docs/README.md``). It is
data: nothing in it is executed.
"""

import hashlib
import json
import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from perfusynth.errors import InputError
from perfusynth.home import home
from perfusynth.shared_files import shared_folders


class ModelGridSpec(BaseModel):
    """The generator's working grid: in-plane voxels, in-plane spacing (mm), slab thickness (mm)."""

    model_config = ConfigDict(extra="forbid")

    size: int = Field(gt=0)
    spacing_mm: float = Field(gt=0)
    slab_mm: float = Field(gt=0)


class InputSpec(BaseModel):
    """One modality that goes in: its name and the window (lowest, highest value) that the network sees.

    Only the brain is shown: outside it stands the window's middle, so that bone and air do not drown a few HU.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    unit: str
    window: tuple[float, float]
    slices: int = Field(3, description="neighbouring slabs given to the network, centred on the one that is made")
    side_difference_mm: float | None = Field(
        None, gt=0, description="smoothing (standard deviation, mm) of a last channel, the difference of the two sides"
    )


class OutputSpec(BaseModel):
    """One volume that comes out: name, unit and physical range (for a map, what the network's -1 and 1 stand for).

    A ``probability`` (0-1) says of each voxel how likely a finding is: it tells how sure the maps can be.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    unit: str
    range: tuple[float, float]
    description: str
    kind: Literal["map", "probability"] = "map"
    region_above: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="where no map says so: probability from which on a voxel belongs to the region, chosen on tuning "
        "patients",
    )


class GeneratorSpec(BaseModel):
    """The ``perfusynth`` block of a bundle's ``metadata.json``: what its generator takes and makes."""

    model_config = ConfigDict(extra="forbid")

    task: str
    family: str
    validated_on: str
    grid: ModelGridSpec
    inputs: list[InputSpec]
    outputs: list[OutputSpec]
    network: dict[str, Any]
    weights_sha256: str
    training: dict[str, Any] = Field(default_factory=dict)

    @property
    def maps(self) -> list[OutputSpec]:
        """The outputs that are quantitative maps, in the order of the network's channels."""
        return [output for output in self.outputs if output.kind == "map"]

    @property
    def probability(self) -> OutputSpec | None:
        """The output that is a probability, where there is one."""
        return next((output for output in self.outputs if output.kind == "probability"), None)

    @property
    def measured(self) -> list[str]:
        """Names of the measured maps that training needs: those that are made, and Tmax, which a probability is of."""
        names = [output.name for output in self.maps]
        return names if self.probability is None or "tmax" in names else [*names, "tmax"]


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk, its metadata read and checked."""

    path: Path
    version: str
    description: str
    spec: GeneratorSpec

    @property
    def name(self) -> str:
        """The bundle's folder name, for example ``ncct_perfusion_compact``."""
        return self.path.name

    @property
    def weight_files(self) -> list[Path]:
        """The safetensors shards, in order."""
        return sorted((self.path / "models").glob("*.safetensors"))

    def weights_sha256(self) -> str:
        """SHA-256 over the shards' bytes in order of their names."""
        return _digest(tuple((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in self.weight_files))

    def verify(self) -> None:
        """Compare the weights with the hash in the metadata.

        Raises
        ------
        InputError
            Code ``weights_changed``: the files are not those that the metadata names.
        """
        actual = self.weights_sha256()
        if actual != self.spec.weights_sha256:
            raise InputError(
                f"The weights of {self.name} are not those that its metadata names.",
                expected=f"SHA-256 {self.spec.weights_sha256}",
                got=f"SHA-256 {actual}",
                hint="Install the bundle again; do not edit weights in place.",
                code="weights_changed",
            )


@lru_cache(maxsize=8)
def _digest(files: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for path, _, _ in files:
        with open(path, "rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def read_bundle(path: Path) -> Bundle:
    """Read a bundle's metadata.

    Raises
    ------
    InputError
        Code ``bad_bundle``: the folder is not a bundle of this project.
    """
    metadata = path / "configs" / "metadata.json"
    try:
        content = json.loads(metadata.read_text(encoding="utf-8"))
        return Bundle(
            path, content["version"], content["description"], GeneratorSpec.model_validate(content["perfusynth"])
        )
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise InputError(
            f"{path.name} is not a usable bundle.",
            expected="configs/metadata.json with version, description and a perfusynth block",
            got=f"{type(error).__name__} while reading it",
            hint="Install the bundle again, or read docs/architecture.md for its form.",
            code="bad_bundle",
        ) from error


def bundle_folders() -> list[Path]:
    """Folders that hold bundles, first one wins: the installation's own, then those that came with the package."""
    return [home() / "models", *shared_folders("models")]


def readable_bundles(folder: Path) -> dict[str, Bundle]:
    """The bundles of a folder by name; one that cannot be read (half copied, of another version) is left out."""
    found: dict[str, Bundle] = {}
    for metadata in sorted(folder.glob("*/configs/metadata.json")):
        path = metadata.parents[1]
        if path.suffix == ".part":  # a copy under way
            continue
        try:
            found[path.name] = read_bundle(path)
        except InputError as error:
            logging.getLogger(__name__).warning("%s", error)
    return found


def installed_bundles() -> dict[str, Bundle]:
    """Every readable installed bundle by name."""
    found: dict[str, Bundle] = {}
    for folder in bundle_folders():
        found = readable_bundles(folder) | found
    return found
