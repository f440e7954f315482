"""A progress bar on standard error; silent where nobody looks at a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from perfusynth.progress import OnProgress


@contextmanager
def progress_bar(title: str) -> Iterator[OnProgress]:
    """Show stage, percentage and elapsed time while the block runs; yields the listener to pass on."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[stage]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=1.0, stage="")
        yield lambda stage, fraction: progress.update(task, completed=fraction, stage=stage)
