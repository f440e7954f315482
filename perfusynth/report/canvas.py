"""Ink for report pictures: colours with enough contrast on near-black, fonts, text that fits."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

#: All text and lines keep a contrast of at least 7:1 (WCAG 2.2 AAA) on `BACKGROUND` and `PANEL`; the tests hold it.
BACKGROUND: Colour = (13, 17, 23)
PANEL: Colour = (22, 28, 37)
TEXT: Colour = (233, 238, 245)
DIM: Colour = (166, 178, 194)
BANNER: Colour = (255, 194, 51)
BANNER_INK: Colour = (26, 18, 0)
WARNING: Colour = (255, 176, 92)
HYPOPERFUSION: Colour = (74, 232, 128)
CORE: Colour = (255, 124, 224)


@lru_cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu Sans, which ships with matplotlib (found without importing it); Pillow's own where it is missing."""
    spec = find_spec("matplotlib")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "mpl-data/fonts/ttf" / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")
        if path.is_file():
            return ImageFont.truetype(str(path), size)
    return ImageFont.load_default(size)


class Canvas:
    """A picture to draw text and boxes on; coordinates in pixels from the top left."""

    def __init__(self, width: int, height: int, colour: Colour = BACKGROUND):
        self.image = Image.new("RGB", (width, height), colour)
        self._draw = ImageDraw.Draw(self.image)

    def text(
        self,
        place: tuple[float, float],
        text: str,
        size: int,
        colour: Colour = TEXT,
        *,
        bold: bool = False,
        anchor: str = "la",
        halo: bool = False,
    ) -> float:
        """Write one line; ``anchor`` as in Pillow; ``halo`` keeps it readable on pictures. Returns its width."""
        ink = font(size, bold)
        self._draw.text(
            place, text, fill=colour, font=ink, anchor=anchor, stroke_width=2 if halo else 0, stroke_fill=(0, 0, 0)
        )
        return float(ink.getlength(text))

    def box(self, corners: tuple[float, float, float, float], colour: Colour, radius: int = 0) -> None:
        """A filled box from (left, top) to (right, bottom)."""
        self._draw.rounded_rectangle(corners, radius, fill=colour)

    def line(self, ends: tuple[float, float, float, float], colour: Colour, width: int = 1) -> None:
        """A straight line."""
        self._draw.line(ends, fill=colour, width=width)

    def paste(self, picture: Image.Image, place: tuple[int, int]) -> None:
        """Put another picture on this one."""
        self.image.paste(picture, place)


def wrap(text: str, size: int, width: float, *, bold: bool = False) -> list[str]:
    """Break text into lines of at most ``width`` pixels; a word that is longer is broken too."""
    ink = font(size, bold)
    lines: list[str] = []
    line = ""
    for given in text.split():
        word = given
        while word:
            trial = f"{line} {word}" if line else word
            if ink.getlength(trial) <= width:
                line, word = trial, ""
            elif line:
                lines.append(line)
                line = ""
            else:
                fits = max(1, next((n for n in range(len(word), 0, -1) if ink.getlength(word[:n]) <= width), 1))
                lines.append(word[:fits])
                word = word[fits:]
    return [*lines, line] if line else lines or [""]


def banner(notices: list[str], width: int, size: int = 24) -> Image.Image | None:
    """The notices as an amber strip that cannot be overlooked; ``None`` without any."""
    if not notices:
        return None
    rows = [
        (wrap(line, size if i == 0 else size - 4, width - 40, bold=True), size if i == 0 else size - 4)
        for i, line in enumerate(notices)
    ]
    height = int(sum(len(lines) * s * 1.4 for lines, s in rows) + 18)
    canvas = Canvas(width, height, BANNER)
    y = 9.0
    for lines, s in rows:
        for line in lines:
            canvas.text((width / 2, y + s * 0.7), line, s, BANNER_INK, bold=True, anchor="mm")
            y += s * 1.4
    return canvas.image
