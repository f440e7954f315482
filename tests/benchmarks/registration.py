"""Registration of NCCT and CT perfusion on simulated pairs: seconds and error, beside itk-elastix."""

import statistics
import time
from dataclasses import dataclass, field

import numpy as np
import SimpleITK as sitk

from perfusynth.evaluation.registration_error.pairs import HARD, Kind, SimulatedPair, simulated_pair
from perfusynth.registration.head_images import head_region, on_grid, prepared
from perfusynth.registration.register import register
from perfusynth.registration.registration_settings import RegistrationSettings
from perfusynth.volumes.volume import Volume
from tests.benchmarks.figure import Figure
from tests.benchmarks.plan import FULL, Plan
from tests.benchmarks.timing import seconds

ROW = "registration of NCCT and CTP"
#: Pairs of each kind, the first of the block of seeds that nothing was chosen on; of a quick run.
PAIRS: dict[Kind, int] = {"ordinary": 50, "turned": 9, "thin": 9}
QUICK_PAIRS: dict[Kind, int] = {"ordinary": 2, "turned": 1, "thin": 1}
_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass
class _Way:
    """What one way of registering took and reached, pair by pair: s of the clock and of all cores together, mm."""

    taken_s: list[float] = field(default_factory=list)
    processor_s: list[float] = field(default_factory=list)
    errors_mm: list[float] = field(default_factory=list)


def measure(plan: Plan) -> list[Figure]:
    """The same pairs both ways, one after the other in turn."""
    _elastix(simulated_pair(0))  # itk loads its parts at the first call
    counts = PAIRS if plan is FULL else QUICK_PAIRS
    return [figure for kind, count in counts.items() for figure in _measured(kind, count)]


def _measured(kind: Kind, count: int) -> list[Figure]:
    ours, theirs = _Way(), _Way()
    for number in range(count):
        pair = simulated_pair(number) if kind == "ordinary" else _hard_pair(kind, number)
        for way, call in ((ours, _ours), (theirs, _elastix)):
            found: list[np.ndarray] = []
            before = time.process_time()
            way.taken_s.append(seconds(lambda call=call, found=found, pair=pair: found.append(call(pair))))
            way.processor_s.append(time.process_time() - before)
            way.errors_mm.append(pair.error_mm(found[0]))
    rows = (
        ("a pair, median", "s", statistics.median, "taken_s", "ours with restarts and figures of quality"),
        ("a pair, slowest", "s", max, "taken_s", ""),
        ("a pair, median of all cores", "s", statistics.median, "processor_s", "processor time, whatever else runs"),
        ("a pair, slowest of all cores", "s", max, "processor_s", ""),
        ("error, mean", "mm", statistics.mean, "errors_mm", "mean over a pair's points"),
        ("error, worst pair", "mm", max, "errors_mm", ""),
    )
    return [
        Figure(ROW, f"{kind}: {what}", of(getattr(ours, name)), unit, count, "itk-elastix, rigid",
               of(getattr(theirs, name)), note)
        for what, unit, of, name, note in rows
    ]  # fmt: skip


def _hard_pair(kind: Kind, number: int) -> SimulatedPair:
    return simulated_pair(HARD.index(kind) + len(HARD) * number, hard=True)


def _ours(pair: SimulatedPair) -> np.ndarray:
    return register(pair.fixed, pair.moving).fixed_to_moving


def _elastix(pair: SimulatedPair) -> np.ndarray:
    """elastix' own rigid parameters, begun at the centres of gravity, on the same images and in the same region."""
    import itk

    settings = RegistrationSettings()
    fixed, moving = (
        volume.with_array(np.clip(volume.array, settings.low_hu, settings.high_hu))
        for volume in (prepared(pair.fixed, settings), prepared(pair.moving, settings))
    )
    region = fixed.with_array(on_grid(head_region(fixed, settings), fixed))
    parameters = itk.ParameterObject.New()
    rigid = parameters.GetDefaultParameterMap("rigid", 4)
    rigid["AutomaticTransformInitialization"] = ["true"]
    rigid["AutomaticTransformInitializationMethod"] = ["CenterOfGravity"]
    rigid["WriteResultImage"] = ["false"]
    # In plane alone: smoothing over 8 and 4 slices of 5 mm would leave nothing of 16.
    rigid["ImagePyramidSchedule"] = [str(n) for n in (8, 8, 1, 4, 4, 1, 2, 2, 1, 1, 1, 1)]
    rigid["ErodeMask"] = ["false"]
    parameters.AddParameterMap(rigid)
    _, result = itk.elastix_registration_method(
        _itk_image(fixed),
        _itk_image(moving),
        fixed_mask=_itk_image(region, np.uint8),
        parameter_object=parameters,
        log_to_console=False,
    )
    found = result.GetParameterMap(0)
    transform = sitk.Euler3DTransform()
    transform.SetCenter([float(value) for value in found["CenterOfRotationPoint"]])
    transform.SetParameters([float(value) for value in found["TransformParameters"]])
    transform.SetComputeZYX(found["ComputeZYX"][0] == "true")
    centre, turn = np.array(transform.GetCenter()), np.array(transform.GetMatrix()).reshape(3, 3)
    lps = np.eye(4)
    lps[:3, :3], lps[:3, 3] = turn, np.array(transform.GetTranslation()) + centre - turn @ centre
    return _FLIP @ lps @ _FLIP


def _itk_image(volume: Volume, dtype: type = np.float32):
    import itk

    lps = _FLIP @ volume.affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image = itk.image_from_array(np.ascontiguousarray(volume.array.T.astype(dtype)))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection(itk.matrix_from_array(lps[:3, :3] / spacing))
    return image
