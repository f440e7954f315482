"""Reading a result in Slicer's own views: arrays to pixels, scrolling, moving the threshold (software rendering).

Four views of 450x450 pixels, as on a small screen, all drawn after every change.
"""

import statistics
import sys
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.figure import Figure
from tests.benchmarks.plan import Plan
from tests.benchmarks.timing import seconds

ROW = "slicer reading"

#: Width and height of a view, pixels.
VIEW = (450, 450)
#: What it must reach on two quiet cores, ms: a reader who scrolls or moves a slider must not wait.
SHOW_MS, SCROLL_MS, THRESHOLD_MS, CLEANED_MS = 340, 45, 70, 1500

_ROOT = Path(__file__).parents[2]


def measure(plan: Plan) -> list[Figure]:
    """Times of a head whose deficit is known, on a grid about as large as the plan's."""
    for folder in (_ROOT / "tests" / "slicer_extension", _ROOT / "slicer_extension" / "PerfuSynth"):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    # Imported late: slicer-core takes seconds, which the other rows shall not wait for.
    import slicer
    from heads import STORED, head
    from offscreen import Desktop
    from PerfuSynthLib.measurer import Measurer
    from PerfuSynthLib.node_geometry import image_of, matrix_of
    from PerfuSynthLib.reading_scene import Reading
    from PerfuSynthLib.region_segments import HYPOPERFUSION

    shown = head(STORED["LPS"], (200.0 / plan.shape[0], 200.0 / plan.shape[1], 140.0 / plan.shape[2]))
    desktop = Desktop(VIEW)
    node = desktop.add_volume(shown.ncct)

    def draw() -> None:
        for view in desktop.views().values():
            view.render()

    def show() -> Reading:
        return Reading.show(desktop.scene, node, shown.result, shown.case.facts, desktop.renderer)

    show().let_go()
    draw()  # windows, fonts and shaders are made once

    def show_and_draw() -> None:
        show().let_go()
        draw()

    shows = [seconds(show_and_draw) for _ in range(plan.repeats)]
    reading = show()
    draw()
    view = next(iter(desktop.views().values()))

    def scroll(step: int) -> None:
        view.logic.StartSliceOffsetInteraction()
        view.logic.SetSliceOffset(view.logic.GetSliceOffset() + step * 140.0 / plan.shape[2])
        view.logic.EndSliceOffsetInteraction()
        draw()

    def move(threshold_s: float) -> None:
        reading.set_threshold(threshold_s)
        draw()

    def move_by_slicers_logic(threshold_s: float) -> None:
        image = slicer.vtkOrientedImageData()
        image.ShallowCopy(image_of((reading.tmax.array > threshold_s) & (reading.brain.array > 0)))
        image.SetGeometryFromImageToWorldMatrix(matrix_of(reading.tmax.affine))
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        logic.SetBinaryLabelmapToSegment(image, reading.state.node_of("regions"), HYPOPERFUSION, logic.MODE_REPLACE)
        draw()

    measurer = Measurer(*shown.case.maps, reading.facts.midplane, reading.facts.normal_cbf, reading.facts.settings)
    steps = range(2 * plan.repeats)
    scrolls = [seconds(lambda step=step: scroll(1 if step % 2 else -1)) for step in steps]
    moves = _moves(move, plan.repeats)
    theirs = _moves(move_by_slicers_logic, plan.repeats)
    cleaned = [seconds(lambda step=step: measurer.cleaned(5.0 + 0.1 * step)) for step in range(plan.repeats)]
    reading.let_go()
    desktop.close()
    return [
        Figure(ROW, "arrays ready to pixels", _ms(shows), "ms", len(shows), note=f"bar {SHOW_MS} ms"),
        Figure(ROW, "a slice further", _ms(scrolls), "ms", len(scrolls), note=f"bar {SCROLL_MS} ms"),
        Figure(
            ROW,
            "threshold to outline and raw volume",
            _ms(moves),
            "ms",
            len(moves),
            "Slicer's segmentations logic",
            _ms(theirs),
            f"bar {THRESHOLD_MS} ms",
        ),
        Figure(ROW, "cleaned volumes", _ms(cleaned), "ms", len(cleaned), note=f"bar {CLEANED_MS} ms"),
    ]


def _moves(move: Callable[[float], None], repeats: int) -> list[float]:
    """Seconds of steps of a slider around 6 s."""
    return [seconds(lambda step=step: move(5.5 + 0.1 * (step % 10))) for step in range(2 * repeats)]


def _ms(taken: list[float]) -> float:
    return 1000 * statistics.median(taken)
