"""What a report says, in words and in order; picture and page both draw it from here."""

from dataclasses import dataclass
from typing import Literal

from perfusynth.perfusion.measurements import Measurements
from perfusynth.report import deconvolution_facts

TITLES = {
    "synthetic": "Synthetic perfusion maps from a plain head CT",
    "deconvolved": "Perfusion maps from CT perfusion",
    "vendor": "Perfusion maps of another program",
    "colour_picture": "Perfusion maps read from colour pictures",
}

SIDES = {
    "right": "right hemisphere",
    "left": "left hemisphere",
    "bilateral": "both hemispheres",
    "none": "no region",
}

#: Shown where a number has no meaning (a ratio without hypoperfusion).
NOT_APPLICABLE = "n/a"


@dataclass(frozen=True)
class Figure:
    """A number of the result: label, value with unit, a note on how it is meant."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Remark:
    """A sentence that the reader must see beside the numbers."""

    kind: Literal["warning", "note"]
    title: str
    text: str


def title(measurements: Measurements) -> str:
    """The report's heading."""
    return TITLES[measurements.origin]


def headline(measurements: Measurements) -> list[Figure]:
    """The numbers that are read first; blocks that the result does not have are left out."""
    m = measurements
    figures = []
    threshold = _hypoperfusion_key(m)
    if m.volumes_ml is not None and threshold in m.volumes_ml:
        figures.append(Figure(f"Tmax > {threshold} s", ml(m.volumes_ml[threshold]), _interval(m, threshold)))
    if m.core is not None:
        note = "; ".join(filter(None, [f"rCBF < {m.core.threshold_fraction:.0%}", _core_interval(m)]))
        figures.append(Figure("Core estimate", ml(m.core.ml), note))
    elif m.volumes_ml is not None:
        without = m.maps and "cbf" not in {entry.name for entry in m.maps}
        why = "there is no CBF map" if without else "too little normal tissue to compare with"
        figures.append(Figure("Core estimate", "not measured", why))
    if m.mismatch_ml is not None:
        figures.append(Figure("Mismatch volume", ml(m.mismatch_ml), f"Tmax > {threshold} s minus core"))
        figures.append(Figure("Mismatch ratio", _ratio(m), f"Tmax > {threshold} s / core"))
    if m.volumes_ml is not None:
        hir = NOT_APPLICABLE if m.hir is None else f"{m.hir:.2f}"
        figures.append(Figure("HIR", hir, f"Tmax > {_setting(m, 'severe_s', 10)} s / Tmax > {threshold} s"))
    if m.laterality is not None:
        share = m.laterality.right_share
        note = f"nothing above {threshold} s" if share is None else f"right {share:.0%}, left {1 - share:.0%}"
        figures.append(Figure("Side", SIDES[m.laterality.side], note))
    elif m.volumes_ml is not None:
        figures.append(Figure("Side", "not measured", "the midplane is not known"))
    return figures


def thresholds(measurements: Measurements) -> list[Figure]:
    """Volume of every Tmax threshold."""
    volumes = measurements.volumes_ml or {}
    return [Figure(f"Tmax > {key} s", ml(value), _interval(measurements, key)) for key, value in volumes.items()]


def remarks(measurements: Measurements) -> list[Remark]:
    """Warnings of the input checks, overrides, what is known of the result's reliability."""
    m = measurements
    result = [
        Remark("warning", "Warning", f"{check.message} (found {check.got}; expected {check.expected})")
        for check in m.checks
    ]
    if m.overrides:
        text = f"Synthesised although these checks refused the input: {', '.join(m.overrides)}."
        result.append(Remark("warning", "Overridden", text))
    if m.input.resampled:
        result.append(Remark("note", "Resampled", "The CT was not on an even orthogonal grid and has been resampled."))
    result.extend(Remark("note", "Input", note) for note in m.input.notes)
    if m.origin != "synthetic" and m.input.is_phantom:
        result.append(Remark("note", "Digital patient", "The series was simulated; the maps are measured on it."))
    if m.deconvolution is not None:
        result.extend(Remark("note", "Deconvolution", note) for note in m.deconvolution.notes)
        moved = m.deconvolution.motion
        if moved is not None and moved.interpolated_frames:
            result.append(Remark("warning", "Motion", f"The head moved: {deconvolution_facts.motion(moved)}."))
    result.extend(_domain_remarks(m))
    if m.intervals is not None and m.intervals.withheld is not None:
        result.append(Remark("note", "Intervals withheld", m.intervals.withheld))
    return result


def meaning(measurements: Measurements) -> tuple[list[str], list[str]]:
    """What the result is, and what it is not."""
    m = measurements
    if m.origin != "synthetic":
        return _meaning_of_measured(m)
    what = [
        "A computer's guess of what CT perfusion would show, made from the plain CT alone. No contrast passage was "
        "measured.",
        f"Made by a model that was validated on: {m.validated_on}.",
    ]
    if m.core is not None:
        what.append(f"Core estimate: {m.core.method}.")
    what_not = [
        "No perfusion measurement and no replacement for CT perfusion, CT angiography or MRI.",
        "No basis for a treatment decision, and no statement about any trial's criteria.",
        "No exclusion of stroke: early ischaemia is often invisible on plain CT, also to the model.",
    ]
    return what, what_not


def _meaning_of_measured(m: Measurements) -> tuple[list[str], list[str]]:
    what = {
        "deconvolved": "Measured from the passage of contrast through the brain, deconvolved by the arterial input.",
        "vendor": "Volumes measured on maps that another program made; how it made them is not known here.",
        "colour_picture": "Volumes measured on numbers that were read back from the colours of a picture.",
    }
    what_not = ["No basis for a treatment decision, and no statement about any trial's criteria."]
    if m.origin == "deconvolved":
        what_not.append("No vendor's numbers: Tmax and CBF depend on method and threshold, not on the patient alone.")
    elif m.origin == "colour_picture":
        what_not.append("Not quantitative: colours hold few steps, and end where the picture's scale ends.")
    core = [] if m.core is None else [f"Core estimate: {m.core.method}."]
    return [what[m.origin], *core], what_not


def provenance(measurements: Measurements) -> list[tuple[str, str]]:
    """Model, software and input, so that the result can be traced."""
    m = measurements
    rows = []
    if m.model is not None:
        rows.append(("Model", f"{m.model.name} {m.model.version} ({m.model.family}, task {m.model.task})"))
        rows.append(("Weights SHA-256", m.model.weights_sha256))
        if m.model.licence:
            rows.append(("Model licence", m.model.licence))
    if m.validated_on is not None:
        rows.append(("Validated on", m.validated_on))
    if m.deconvolution is not None:
        rows.extend(deconvolution_facts.provenance_rows(m.deconvolution))
    shape = " x ".join(str(n) for n in m.input.shape)
    spacing = " x ".join(f"{s:.3g}" for s in m.input.spacing_mm)
    rows.append(("Input", f"{m.input.kind}, {shape} voxels of {spacing} mm" + (", phantom" * m.input.is_phantom)))
    rows.append(("Input SHA-256", m.input.sha256))
    if m.brain_ml is not None:
        rows.append(("Brain mask", ml(m.brain_ml)))
    if m.core is not None:
        rows.append(
            ("Normal tissue CBF", f"{m.core.normal_cbf:.1f} mL/100 g/min; core below {m.core.threshold_cbf:.1f}")
        )
    if m.brain_method is not None and m.origin != "synthetic":
        rows.append(("Brain found by", m.brain_method))
    rows.append(("Software", f"{m.software.name} {m.software.version}"))
    rows.append(("Created", m.created))
    if m.timings_s:
        rows.append(("Seconds", ", ".join(f"{stage} {s:.2f}" for stage, s in m.timings_s.items())))
    return rows


def signature(measurements: Measurements) -> str:
    """One line that ties a picture to its model and input: the first 12 hex digits of each hash."""
    m = measurements
    made = f"Model {m.model.name} {m.model.version}, weights {m.model.weights_sha256[:12]}; " if m.model else ""
    if m.deconvolution is not None:
        made += f"{deconvolution_facts.method_in_short(m.deconvolution)}; "
    return f"{made}input {m.input.sha256[:12]}; {m.software.name} {m.software.version}; {m.created}"


def ml(value: float) -> str:
    """A volume as shown."""
    return f"{value:.1f} mL"


def _ratio(m: Measurements) -> str:
    if m.mismatch_ratio_infinite:
        return "infinite"
    return NOT_APPLICABLE if m.mismatch_ratio is None else f"{m.mismatch_ratio:.1f}"


def interval_words(level: float, ends: tuple[float, float]) -> str:
    """An interval as shown beside its volume."""
    low, high = ends
    return f"{level:.0%} interval {low:.1f} to {high:.1f} mL"


def _interval(m: Measurements, key: str) -> str:
    found = m.intervals
    if found is None or found.level is None or found.volumes_ml is None or key not in found.volumes_ml:
        return ""
    return interval_words(found.level, found.volumes_ml[key])


def _core_interval(m: Measurements) -> str:
    if m.intervals is None or m.intervals.level is None or m.intervals.core_ml is None:
        return ""
    return interval_words(m.intervals.level, m.intervals.core_ml)


def _domain_remarks(m: Measurements) -> list[Remark]:
    if m.domain is None:
        return []
    if m.domain.verdict == "not measured":
        return [Remark("note", "Out-of-domain score not measured", m.domain.text)]
    unusual = m.domain.verdict == "unusual"
    title = "UNUSUAL INPUT" if unusual else "Input compared with the training patients"
    stands_out = f" Sticks out: {'; '.join(m.domain.unusual)}." if m.domain.unusual else ""
    consequence = " The maps may mean nothing." if unusual else ""
    return [Remark("warning" if unusual else "note", title, f"{m.domain.text}{consequence}{stands_out}")]


def _setting(m: Measurements, name: str, default: float) -> str:
    value = (m.settings or {}).get(name, default)
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _hypoperfusion_key(m: Measurements) -> str:
    return _setting(m, "hypoperfusion_s", 6)
