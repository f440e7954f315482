"""The one pipeline: read, check, mask, generate, measure, package. The command line, the worker and cohorts call it."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from perfusynth import __version__
from perfusynth.brain_structures.methods import brain_extractor, inside_of_skull
from perfusynth.errors import InputError
from perfusynth.generators.base import Generator
from perfusynth.generators.bundles import Bundle
from perfusynth.generators.domain import domain_block, read_domain
from perfusynth.generators.head_view import HeadView
from perfusynth.perfusion.measurements import Measurements
from perfusynth.perfusion.notices import notices_for, short_notice
from perfusynth.perfusion.region_blocks import region_blocks
from perfusynth.perfusion.regions import Regions, measure_regions
from perfusynth.perfusion.volume_intervals import CORE, intervals_block, read_intervals
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.readers.read import Scan, read_scan
from perfusynth.stages import Stages
from perfusynth.synthesis.options import SynthesisOptions
from perfusynth.synthesis.phantom_cases import is_phantom
from perfusynth.volumes.brain import BrainExtractor, BrainMask, Midplane
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.findings import Finding
from perfusynth.volumes.head_check import check_anatomy, check_image, refusals
from perfusynth.volumes.midplane import find_midplane
from perfusynth.volumes.nifti import write_nifti
from perfusynth.volumes.volume import Volume

#: Share of the whole work by stage, from the timings of a 512x512x40 NCCT on 2 cores (docs/performance.md).
SHARES = {"read": 0.06, "check": 0.03, "mask": 0.12, "generate": 0.69, "measure": 0.07, "package": 0.03}


class Pipeline:
    """A loaded generator and everything around it; one instance serves many scans, one at a time.

    Parameters
    ----------
    bundle
        The bundle that the generator came from.
    generator
        Makes the maps.
    extractor
        Finds the brain.
    """

    def __init__(self, bundle: Bundle, generator: Generator, extractor: BrainExtractor | None = None):
        self.bundle = bundle
        self.generator = generator
        self.extractor = extractor or BuiltinBrain()
        self.intervals = read_intervals(bundle.path)
        self.domain = read_domain(bundle.path)

    @classmethod
    def load(cls, task: str, *, device: str = "auto", brain_method: str | None = None) -> "Pipeline":
        """Load the live bundle of a task (or the bundle of that name) onto a device.

        ``brain_method`` as of `perfusynth.brain_structures.methods.brain_extractor`.
        """
        # Imported here: torch and diffusers take seconds, and --help, check and models do not need them.
        from perfusynth.generators.loading import load_generator
        from perfusynth.generators.registry import live_bundle

        extractor = brain_extractor(brain_method, device=device)
        bundle = live_bundle(task)
        return cls(bundle, load_generator(bundle, device=device), extractor)

    def warm_up(self) -> None:
        """Run the generator once on an empty head, so that the first real scan is no slower than the tenth."""
        ncct = np.zeros((64, 64, 8), dtype=np.float32)
        grid = Volume(ncct, np.diag([3.0, 3.0, 5.0, 1.0]))
        self.generator.synthesize({self.bundle.spec.inputs[0].name: grid, "brain": grid.with_array(ncct + 1)})

    def run(
        self,
        inputs: Mapping[str, Path],
        out: Path,
        *,
        options: SynthesisOptions | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> Measurements:
        """Synthesise the maps of one scan and write the result's files.

        Parameters
        ----------
        inputs
            Path (NIfTI, NRRD, DICOM folder or zip) by modality name; here ``ncct``.
        out
            Existing empty folder; receives ``<map>.nii.gz``, ``brain.nii.gz``, ``ncct.nii.gz`` where the scan was
            resampled, and ``measurements.json``.
        options
            See `SynthesisOptions`.
        on_progress
            Told stage and fraction of the whole; may raise `Cancelled`.

        Raises
        ------
        InputError
            The scan cannot be read, is refused by a check, or has no brain in it.
        Cancelled
            ``on_progress`` asked to stop.
        """
        options = options or SynthesisOptions()
        stages = Stages(SHARES, on_progress)
        path = self._only_input(inputs)
        with stages.stage("read") as progress:
            scan = read_scan(path, on_progress=progress)
        findings: list[Finding] = []
        if options.checks:
            with stages.stage("check"):
                findings += check_image(scan.volume, scan.acquisition)
                refuse(findings, options.override)
        with stages.stage("mask") as progress:
            brain = _everything(scan.volume)
            if options.mask:
                brain = self.extractor.extract(scan.volume, on_progress=progress)
            midplane = find_midplane(scan.volume, brain) if options.mask else _middle(scan.volume)
            if options.checks:
                inside = inside_of_skull(scan.volume, brain) if options.mask else brain
                findings += check_anatomy(scan.volume, inside, midplane=midplane)
                refuse(findings, options.override)
        with stages.stage("generate") as progress:
            brain_volume = scan.volume.with_array(brain.mask)
            made = self.generator.synthesize(
                {self.bundle.spec.inputs[0].name: scan.volume, "brain": brain_volume}, on_progress=progress
            )
        banner = short_notice(notices_for("synthetic", self.bundle.spec.validated_on))
        # Packing needs another core than measuring does; both only read the maps.
        with ThreadPoolExecutor(1) as beside:
            writing = beside.submit(_write_volumes, out, scan, made.maps, brain_volume, banner)
            with stages.stage("measure"):
                regions = measure_regions(made.maps["tmax"], made.maps["cbf"], brain.mask, midplane)
            with stages.stage("package"):
                writing.result()
        measurements = self._measurements(
            path, scan, brain, midplane, regions, made.view, findings, options, stages.timings_s
        )
        measurements.write_json(out / "measurements.json")
        return measurements

    def _only_input(self, inputs: Mapping[str, Path]) -> Path:
        names = [spec.name for spec in self.bundle.spec.inputs]
        if set(inputs) != set(names):
            raise InputError(
                "The inputs are not those of this model.",
                expected=", ".join(names),
                got=", ".join(sorted(inputs)) or "nothing",
                hint="Give one image per modality, named as in the model's metadata.",
                code="wrong_inputs",
            )
        return Path(inputs[names[0]])

    def _measurements(
        self,
        path: Path,
        scan: Scan,
        brain: BrainMask,
        midplane: Midplane,
        regions: Regions,
        view: HeadView | None,
        findings: list[Finding],
        options: SynthesisOptions,
        timings_s: dict[str, float],
    ) -> Measurements:
        spec = self.bundle.spec
        phantom = is_phantom(scan.source_sha256, path)
        blocks = region_blocks(regions, midplane)
        domain = domain_block(self.domain, view, spec.weights_sha256)
        volumes = blocks["volumes_ml"] | ({} if regions.core_ml is None else {CORE: regions.core_ml})
        intervals = intervals_block(
            self.intervals,
            volumes,
            weights_sha256=spec.weights_sha256,
            regions=blocks["settings"],
            validated_on=spec.validated_on,
            is_phantom=phantom,
            is_unusual=domain["verdict"] == "unusual",
        )
        raised = {finding.code for finding in findings if finding.severity == "refuse"}
        return Measurements.model_validate(
            {
                "origin": "synthetic",
                "notices": notices_for("synthetic", spec.validated_on),
                "validated_on": spec.validated_on,
                **blocks,
                "brain_method": brain.method,
                "checks": [finding.as_dict() for finding in findings],
                "overrides": [code for code in options.override if code in raised],
                "domain": domain,
                "intervals": intervals,
                "model": {
                    "task": spec.task,
                    "name": self.bundle.name,
                    "version": self.bundle.version,
                    "weights_sha256": spec.weights_sha256,
                    "family": spec.family,
                },
                "software": {"version": __version__},
                "input": {
                    "sha256": scan.source_sha256,
                    "kind": scan.kind,
                    "shape": scan.volume.shape,
                    "spacing_mm": tuple(scan.volume.spacing),
                    "resampled": scan.resampled,
                    "notes": list(scan.notes),
                    "is_phantom": phantom,
                },
                "maps": [
                    {"name": o.name, "file": f"{o.name}.nii.gz", "unit": o.unit, "range": o.range} for o in spec.outputs
                ],
                "timings_s": timings_s,
            }
        )


def _write_volumes(out: Path, scan: Scan, maps: Mapping[str, Volume], brain: Volume, banner: str) -> None:
    for name, volume in maps.items():
        write_nifti(out / f"{name}.nii.gz", volume, like=scan.volume, description=banner)
    write_nifti(out / "brain.nii.gz", brain, like=scan.volume, dtype=np.uint8)
    if scan.resampled:
        write_nifti(out / "ncct.nii.gz", scan.volume, like=scan.volume)


def refuse(findings: list[Finding], override: tuple[str, ...]) -> None:
    """Stop at a refusal that the caller has not overridden.

    Raises
    ------
    InputError
        With the first refusal's code and all refusals' sentences.
    """
    refused = refusals(findings, override)
    if refused:
        raise InputError(
            " ".join(finding.message for finding in refused),
            expected="; ".join(finding.expected for finding in refused),
            got="; ".join(finding.got for finding in refused),
            hint="To synthesise all the same, on your own responsibility, override: "
            + ", ".join(finding.code for finding in refused)
            + ". The override is recorded in the result.",
            code=refused[0].code,
        )


def _everything(volume: Volume) -> BrainMask:
    return BrainMask(np.ones(volume.shape, dtype=bool), "none")


def _middle(volume: Volume) -> Midplane:
    centre = volume.affine @ np.append((np.array(volume.shape) - 1) / 2, 1)
    return Midplane(centre[:3], np.array([1.0, 0.0, 0.0]))
