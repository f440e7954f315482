"""A training run as callers see it: MONAI Label's keys for its clients, and ours; no path, no name of a case."""

from typing import Any, Final

from perfusynth.server.training.run_files import Order, Outcome, Progress, RunFolder

#: Our states in the words of MONAI Label's clients.
_STATUS: Final = {
    "running": "RUNNING",
    "done": "DONE",
    "paused": "STOPPED",
    "stopped": "STOPPED",
    "interrupted": "STOPPED",
    "failed": "ERROR",
}
#: How MONAI Label writes times.
_TIME: Final = "%Y-%m-%d %H:%M:%S"


def describe(run: RunFolder, *, running: bool) -> dict[str, Any]:
    """One run as JSON values; ``running``: this server has its process."""
    order, progress, outcome = run.order, run.progress, run.outcome
    state = outcome.state if outcome is not None else "running" if running else "interrupted"
    return {
        "id": order.id,
        "model": order.task,
        "status": _STATUS[state],
        "state": state,
        "request": order.parameters.model_dump(mode="json", exclude_unset=True),
        "start_ts": f"{order.at:{_TIME}}",
        **({"end_ts": f"{outcome.at:{_TIME}}"} if outcome is not None else {}),
        "details": _lines(order, progress, outcome),
        "progress": progress.model_dump(mode="json") if progress is not None else None,
        "candidate": outcome.candidate if outcome is not None else None,
        "error": outcome.error if outcome is not None else None,
    }


def statistics(run: dict[str, Any] | None) -> dict[str, Any]:
    """A described run in the words in which MONAI Label's clients draw a progress bar."""
    progress = (run or {}).get("progress")
    if run is None or progress is None:
        return {}
    return {"status": run["status"], "epoch": progress["step"], "total_epochs": max(1, progress["of"])}


def _lines(order: Order, progress: Progress | None, outcome: Outcome | None) -> list[str]:
    """What a person reads who waits."""
    lines = [f"{order.task}: trained on {order.parameters.data}"]
    if progress is not None:
        left = f", {progress.time_left_s / 60:.0f} min left" if progress.time_left_s is not None else ""
        figures = ", ".join(f"{name} {value:.4g}" for name, value in progress.figures.items() if value is not None)
        lines.append(f"{progress.phase}: {progress.step} of {progress.of}{left}{'; ' if figures else ''}{figures}")
    if outcome is not None:
        lines.append(outcome.state if outcome.candidate is None else f"candidate {outcome.candidate}")
        lines += [f"{outcome.error['error']} {outcome.error['hint']}"] if outcome.error is not None else []
    return lines
