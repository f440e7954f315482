"""What the report's tests share."""

import pytest

from perfusynth.report import canvas as ink


@pytest.fixture
def written(monkeypatch):
    """Texts that are drawn, with their places."""
    texts: list[tuple[str, tuple[float, float]]] = []
    draw = ink.Canvas.text

    def record(self, place, text, *args, **kwargs):
        texts.append((text, place))
        return draw(self, place, text, *args, **kwargs)

    monkeypatch.setattr(ink.Canvas, "text", record)
    return texts
