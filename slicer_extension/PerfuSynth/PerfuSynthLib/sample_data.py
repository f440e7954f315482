"""The digital phantom in Slicer's Sample Data module; its CT comes with the extension, nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

import slicer

#: The shipped phantom case: a head that no person has, with an occlusion that is known.
SAMPLE_NAME = "PerfuSynthPhantom"
_CASE = "phantom-4000020"
_SHA256 = "a62b7dd95efac83b48be5fab48f694eb58ef6484dc9f53388fa01d77e116a70b"
_MODULE = Path(__file__).resolve().parent.parent
#: Where the installed extension keeps it, and where it lies in the sources.
_PLACES = (
    _MODULE / "Resources" / "SampleData" / _CASE / "ncct.nii.gz",
    _MODULE.parent.parent / "sample-data" / _CASE / "ncct.nii.gz",
)


def register_sample_data() -> None:
    """Offer the phantom in the Sample Data module; nothing where its file is missing."""
    path = next((place for place in _PLACES if place.is_file()), None)
    if path is None or not hasattr(slicer.modules, "sampledata"):
        return
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="PerfuSynth",
        sampleName=SAMPLE_NAME,
        thumbnailFileName=str(_MODULE / "Resources" / "Icons" / "PerfuSynthPhantom.png"),
        uris=path.as_uri(),
        fileNames=f"{_CASE}_ncct.nii.gz",
        checksums=f"SHA256:{_SHA256}",
        nodeNames="PerfuSynth phantom NCCT",
        loadFileType="VolumeFile",
    )
