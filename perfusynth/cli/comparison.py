"""Two models' figures on the same cases, for `perfusynth models promote`: out of a report, or evaluated now."""

from pathlib import Path

from perfusynth.cli.refusals import bad_option
from perfusynth.generators.bundles import Bundle
from perfusynth.promotion.comparison import Comparison


def compare(
    candidate: Bundle,
    live: Bundle | None,
    *,
    report: Path | None,
    phantom_seeds: str | None,
    data: Path | None,
    out: Path | None,
) -> Comparison:
    """The comparison that a command's options ask for.

    Raises
    ------
    InputError
        Codes ``no_figures``: not exactly one source is given; those of the evaluation, of `read_comparison`, and of a
        folder that is in the way.
    """
    from perfusynth.home import home
    from perfusynth.promotion.report_file import read_comparison

    given = [
        name for name, value in (("--report", report), ("--phantom-seeds", phantom_seeds), ("--data", data)) if value
    ]
    if len(given) != 1:
        raise bad_option(
            "models promote",
            "A model is promoted on figures.",
            "one of --report, --phantom-seeds, --data",
            " and ".join(given) or "none",
            "no_figures",
        )
    if report is None:
        folder = out or home() / "evaluations" / candidate.name
        _evaluate(candidate, live, phantom_seeds, data, folder)
        report = folder / "report.json"
    return read_comparison(report, candidate, live)


def table(comparison: Comparison) -> list[str]:
    """The figures as lines of text."""
    lines = [
        f"On {comparison.cases} (report sha256 {comparison.report_sha256[:12]})",
        f"{'':52}{'live':>12}{'candidate':>12}",
    ]
    for name, live, candidate in comparison.rows():
        lines.append(f"{name:52}{_shown(live):>12}{_shown(candidate):>12}")
    return [*lines, *([f"By the report's rule: {comparison.verdict}"] if comparison.verdict else [])]


def _evaluate(candidate: Bundle, live: Bundle | None, phantom_seeds: str | None, data: Path | None, out: Path) -> None:
    from perfusynth.cli.progress_bar import progress_bar
    from perfusynth.cli.seed_range import seed_range
    from perfusynth.evaluation.model_figures.evaluate import evaluate_cases, evaluate_seeds
    from perfusynth.evaluation.model_figures.plan import plan_of

    seeds = seed_range(phantom_seeds) if phantom_seeds is not None else None
    plan = plan_of([bundle for bundle in (live, candidate) if bundle is not None], baselines=False, data=data)
    with progress_bar("evaluate") as progress:
        if seeds is not None:
            evaluate_seeds(plan, seeds, out, on_progress=progress)
        else:
            evaluate_cases(plan, out, on_progress=progress)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
