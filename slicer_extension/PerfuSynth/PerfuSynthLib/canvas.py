"""Text, lines and outlines on RGB arrays, and PNG: what Slicer's Python has no picture library for.

Text comes out of VTK's own text renderer, which is not made for several threads: the main thread alone may draw.
"""

from __future__ import annotations

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

#: Uint8 red, green, blue; the report page uses the same ones. All text keeps a contrast of 7:1 (WCAG 2.2 AAA).
GROUND = (13, 17, 23)
TEXT = (233, 238, 245)
DIM = (166, 178, 194)
BANNER = (255, 194, 51)
BANNER_INK = (26, 18, 0)
HYPOPERFUSION = (74, 232, 128)
CORE = (255, 124, 224)

#: Resolution at which one point of a font is one pixel.
_DPI = 72
#: Width of the soft edge that `outline_of` draws its line along, pixels.
_SOFTNESS = 1.2


def blank(width: int, height: int, colour: tuple[int, int, int] = GROUND) -> np.ndarray:
    """A picture of one colour: uint8 ``(height, width, 3)``, rows from the top."""
    return np.full((height, width, 3), colour, dtype=np.uint8)


def blend(picture: np.ndarray, opacity: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """``picture`` (uint8 RGB) below ``colour`` with ``opacity`` ``(height, width)`` from 0 to 1."""
    alpha = np.asarray(opacity, dtype=np.float32)[..., None]
    mixed = picture * (1 - alpha) + np.array(colour, dtype=np.float32) * alpha
    return np.round(mixed).astype(np.uint8)


def text_opacity(text: str, size: int, bold: bool = False) -> np.ndarray:
    """One line of text as opacity from 0 to 1, float32 ``(height, width)``, rows from the top; ``size`` in pixels."""
    style = vtk.vtkTextProperty()
    style.SetFontFamilyToArial()
    style.SetFontSize(size)
    style.SetBold(bold)
    style.SetColor(1, 1, 1)
    image, extent = vtk.vtkImageData(), [0, 0]
    renderer = vtk.vtkTextRenderer.GetInstance()
    # Named, so that a dollar sign in a text is not taken for the start of a formula.
    if not renderer.RenderString(style, text, image, extent, _DPI, vtk.vtkTextRenderer.FreeType):
        raise RuntimeError("VTK's text renderer gave no picture")
    width, height, _ = image.GetDimensions()
    rgba = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)
    return rgba[extent[1] :: -1, : extent[0] + 1, 3].astype(np.float32) / 255


def draw_text(
    picture: np.ndarray,
    place: tuple[float, float],
    text: str,
    size: int,
    colour: tuple[int, int, int] = TEXT,
    *,
    bold: bool = False,
    anchor: tuple[float, float] = (0, 0),
    halo: bool = False,
) -> None:
    """Write one line onto ``picture``.

    Parameters
    ----------
    place
        x and y from the top left, pixels.
    anchor
        Which point of the text lies there, as shares of its width and height: (0, 0) its top left, (1, 0) top right.
    halo
        A dark edge that keeps it readable on pictures.
    """
    if not text:
        return
    ink = np.pad(text_opacity(text, size, bold), 2)
    left = round(place[0] - anchor[0] * ink.shape[1])
    top = round(place[1] - anchor[1] * ink.shape[0])
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(picture.shape[1], left + ink.shape[1]), min(picture.shape[0], top + ink.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    if halo:
        edge = np.max([np.roll(ink, (dy, dx), (0, 1)) for dy in (-2, -1, 0, 1, 2) for dx in (-2, -1, 0, 1, 2)], axis=0)
        picture[y0:y1, x0:x1] = blend(
            picture[y0:y1, x0:x1], edge[y0 - top : y1 - top, x0 - left : x1 - left], (0, 0, 0)
        )
    part = ink[y0 - top : y1 - top, x0 - left : x1 - left]
    picture[y0:y1, x0:x1] = blend(picture[y0:y1, x0:x1], part, colour)


def outline_of(mask: np.ndarray, width: float = 2.0) -> np.ndarray:
    """Opacity (0 to 1) of a smooth line of ``width`` pixels along the edge of a picture of a mask (0 to 1)."""
    soft = _blurred((np.asarray(mask) >= 0.5).astype(np.float32))
    down, across = np.gradient(soft)
    slope = np.maximum(np.hypot(down, across), 1e-3)
    return np.clip(width / 2 + 0.5 - np.abs(soft - 0.5) / slope, 0, 1) * (slope > 0.02)


def png_bytes(picture: np.ndarray) -> bytes:
    """A picture (uint8 RGB, rows from the top) as PNG."""
    height, width, _ = picture.shape
    image = vtk.vtkImageData()
    image.SetDimensions(width, height, 1)
    # VTK's first row is the lowest.
    image.GetPointData().SetScalars(numpy_to_vtk(picture[::-1].reshape(-1, 3), deep=True))
    writer = vtk.vtkPNGWriter()
    writer.WriteToMemoryOn()
    writer.SetInputData(image)
    writer.Write()
    return vtk_to_numpy(writer.GetResult()).tobytes()


def _blurred(values: np.ndarray) -> np.ndarray:
    """Gauss of `_SOFTNESS` pixels along both axes; the edge goes on as it is."""
    reach = int(np.ceil(4 * _SOFTNESS))
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _SOFTNESS) ** 2)
    weight /= weight.sum()
    for axis in (0, 1):
        padded = np.pad(values, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis)
        values = (windows @ weight).astype(np.float32)
    return values
