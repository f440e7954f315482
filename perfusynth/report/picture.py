"""``report.png``: banner, numbers and mosaic in one picture that says all without the page."""

from PIL import Image

from perfusynth.perfusion.measurements import Measurements
from perfusynth.report import facts
from perfusynth.report.canvas import (
    CORE,
    DIM,
    HYPOPERFUSION,
    PANEL,
    TEXT,
    WARNING,
    Canvas,
    Colour,
    banner,
    wrap,
)

MARGIN = 16
CARD_HEIGHT = 104
CARD_GAP = 8
LINE = 21

#: Between the mosaic and the panel below it.
PANEL_GAP = 18

#: Narrowest report: the cards need it, also when a thin scan has few slices.
MINIMUM_WIDTH = 1320

#: Longest remark in the picture, lines; the page and ``measurements.json`` have the rest.
REMARK_LINES = 3


def report_width(mosaic: Image.Image) -> int:
    """Width of the report that holds a mosaic, pixels."""
    return max(mosaic.width, MINIMUM_WIDTH)


def render_report(
    mosaic: Image.Image, measurements: Measurements, input_functions: Image.Image | None = None
) -> Image.Image:
    """The whole report as one picture.

    Parameters
    ----------
    mosaic
        As `draw_mosaic` makes it, without a banner of its own.
    input_functions
        As `draw_input_functions` makes it, `report_width` wide; below the mosaic.
    """
    width = report_width(mosaic)
    below = 0 if input_functions is None else input_functions.height + PANEL_GAP
    strip = banner(measurements.notices, width, size=30)
    remarks = [(r, _remark_lines(r, width - 2 * MARGIN)) for r in facts.remarks(measurements)]
    head = (strip.height if strip else 0) + 14
    height = (
        head
        + 64
        + CARD_HEIGHT
        + 14
        + 30
        + sum(len(lines) * LINE for _, lines in remarks)
        + 14
        + mosaic.height
        + below
        + 34
    )
    canvas = Canvas(width, height)
    if strip:
        canvas.paste(strip, (0, 0))
    y = float(head)
    canvas.text((MARGIN, y), facts.title(measurements), 24, bold=True)
    canvas.text((MARGIN, y + 34), facts.signature(measurements), 15, DIM)
    y += 64
    _cards(canvas, y, width, facts.headline(measurements))
    y += CARD_HEIGHT + 14
    x = float(MARGIN)
    for figure in facts.thresholds(measurements):
        x += canvas.text((x, y), f"{figure.label}: ", 17, DIM)
        x += canvas.text((x, y), figure.value, 17, bold=True) + 34
    y += 30
    for remark, lines in remarks:
        for line in lines:
            canvas.text((MARGIN, y), line, 16, WARNING if remark.kind == "warning" else TEXT)
            y += LINE
    y += 14
    canvas.paste(mosaic, ((width - mosaic.width) // 2, int(y)))
    if input_functions is not None:
        canvas.paste(input_functions, (0, int(y) + mosaic.height + PANEL_GAP))
    footer = " - ".join([*measurements.notices, "No basis for a treatment decision"])
    canvas.text((width / 2, height - 17), footer, 15, DIM, bold=True, anchor="mm")
    return canvas.image


def _cards(canvas: Canvas, y: float, width: int, figures: list[facts.Figure]) -> None:
    if not figures:
        return
    card = (width - 2 * MARGIN - CARD_GAP * (len(figures) - 1)) / len(figures)
    for i, figure in enumerate(figures):
        left = MARGIN + i * (card + CARD_GAP)
        canvas.box((left, y, left + card, y + CARD_HEIGHT), PANEL, radius=8)
        colour = _colour(figure.label)
        canvas.box((left, y + 12, left + 4, y + CARD_HEIGHT - 12), colour)
        canvas.text((left + 14, y + 10), figure.label, 16, DIM)
        size = next((s for s in (30, 26, 22, 18, 15) if len(wrap(figure.value, s, card - 24, bold=True)) == 1), 15)
        canvas.text((left + 14, y + 50), figure.value, size, bold=True, anchor="lm")
        for j, line in enumerate(wrap(figure.note, 12, card - 24)[:2]):
            canvas.text((left + 14, y + 70 + 15 * j), line, 12, DIM)


def _colour(label: str) -> Colour:
    return HYPOPERFUSION if label.startswith("Tmax") else CORE if label.startswith("Core") else DIM


def _remark_lines(remark: facts.Remark, width: float) -> list[str]:
    lines = wrap(f"{remark.title}: {remark.text}", 16, width)
    return lines if len(lines) <= REMARK_LINES else [*lines[: REMARK_LINES - 1], lines[REMARK_LINES - 1] + " ..."]
