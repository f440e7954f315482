"""Patients as a hospital's scanner gives them: its own slices, the built-in brain mask, the way to the model grid.

Patients drawn on the model grid have neither the scanner's matrix nor a mask that a program found; a model meets both
as soon as somebody uses it. So the tables are tested, and the out-of-domain reference is made, on such heads too.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from perfusynth.evaluation.intervals.rows import PatientRow, view_in_row, volumes_in_row
from perfusynth.evaluation.model_figures.case import REGIONS, case_of_rendered
from perfusynth.perfusion.regions import measure_regions
from perfusynth.phantom.case.write import write_case
from perfusynth.phantom.ct.scanners import Scanner
from perfusynth.readers.read import read_scan
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.midplane import find_midplane
from perfusynth.volumes.volume import Volume


@dataclass(frozen=True)
class ScannedRow:
    """Makes rows as `PatientRow` does, of the same patients on the same scanners, out of the scan that was written.

    Predicted volumes are those that the pipeline would tell: on the scan's grid, inside the mask that it finds. True
    ones are the row's of the patient drawn on the model grid.
    """

    drawn: PatientRow

    def __call__(self, seed: int) -> dict[str, Any]:
        """The row of one patient."""
        case = self.drawn.case_of(seed)
        scan = written_scan(seed, case.scanner)
        brain = BuiltinBrain().extract(scan)
        made = self.drawn.generator.synthesize({"ncct": scan, "brain": scan.with_array(brain.mask)})
        assert made.view is not None
        regions = measure_regions(made.maps["tmax"], made.maps["cbf"], brain.mask, find_midplane(scan, brain), REGIONS)
        own = case_of_rendered(case, self.drawn.sign_reader)
        volumes = volumes_in_row("truth", own.true_regions) | volumes_in_row("made", regions)
        return {**own.about, **volumes, **view_in_row(made.view)}


def written_scan(seed: int, scanner: Scanner) -> Volume:
    """The patient's NCCT as a file brings it: in the scanner's slices, even and orthogonal after reading, HU."""
    with TemporaryDirectory() as folder:
        case = write_case(Path(folder) / "case", seed, scanner, modalities=("ncct",))
        return read_scan(case / "ncct.nii.gz").volume
