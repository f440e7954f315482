"""``report.html``: one file without scripts and without any address outside it; every given text is escaped."""

import base64
import io
from html import escape

from PIL import Image

from perfusynth.perfusion.measurements import Measurements
from perfusynth.report import deconvolution_facts, facts
from perfusynth.report.page_style import STYLE

#: The browser itself refuses scripts, forms and anything that would be loaded from elsewhere.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"


def document_head(title: str, style: str) -> str:
    """All before a page's body: it loads nothing and runs nothing. ``title`` is escaped; ``style`` joins `STYLE`."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{STYLE}{style}</style>
</head>"""


def png_bytes(picture: Image.Image) -> bytes:
    """A picture as PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=5)
    return buffer.getvalue()


def render_page(mosaic: Image.Image, measurements: Measurements, input_functions: Image.Image | None = None) -> str:
    """The page's HTML.

    Parameters
    ----------
    mosaic, input_functions
        The pictures with their banners; inlined.
    """
    m = measurements
    heading = facts.title(m)
    name = escape(" - ".join([heading, *m.notices[:1]]))
    return f"""{document_head(name, _print_header(m))}
<body>
{_banner(m)}
<main>
<header>
<h1>{escape(heading)}</h1>
<p class="signature">{escape(facts.signature(m))}</p>
</header>
{_numbers(m)}
{_remarks(m)}
<section aria-labelledby="pictures">
<h2 id="pictures">Pictures</h2>
<figure>
<div class="scroll" tabindex="0" role="region" aria-label="Mosaic of axial slices">
{_image(mosaic, _alt(m))}
</div>
<figcaption>Radiological orientation: the patient's <strong>left is on the right</strong> of each picture.
Green: hypoperfusion. Pink: core estimate. z is the height in the scanner's coordinates.</figcaption>
</figure>
</section>
{_input_functions(input_functions, m)}{_meaning(m)}
{_provenance(m)}
</main>
<footer>{escape(" - ".join([*m.notices, "No basis for a treatment decision"]))}</footer>
</body>
</html>
"""


def _print_header(m: Measurements) -> str:
    """The banner in the margin of every printed page (browsers that know margin boxes)."""
    # A CSS string: everything but plain letters and digits as an escape, so that no text can end the style sheet.
    text = "".join(c if c.isalnum() and c.isascii() else f"\\{ord(c):06x}" for c in " - ".join(m.notices))
    return f'@page {{ @bottom-center {{ content: "{text}"; font: bold 9pt sans-serif; }} }}' if text else ""


def _banner(m: Measurements) -> str:
    if not m.notices:
        return ""
    first, *others = (escape(line) for line in m.notices)
    return (
        f'<div class="banner" role="note"><strong>{first}</strong>{"".join(f"<span>{o}</span>" for o in others)}</div>'
    )


def _numbers(m: Measurements) -> str:
    figures = facts.headline(m)
    if not figures:
        return ""
    cards = "".join(
        f'<div class="card {_class(f.label)}"><dt>{escape(f.label)}</dt>'
        f"<dd>{escape(f.value)}<small>{escape(f.note)}</small></dd></div>"
        for f in figures
    )
    head = "".join(f'<th scope="col">{escape(f.label)}</th>' for f in facts.thresholds(m))
    row = "".join(
        f"<td>{escape(f.value)}{f'<small>{escape(f.note)}</small>' if f.note else ''}</td>" for f in facts.thresholds(m)
    )
    return f"""<section aria-labelledby="numbers">
<h2 id="numbers">Numbers</h2>
<dl class="cards">{cards}</dl>
<div class="scroll"><table class="thresholds"><caption>Volume by threshold, inside the brain, after clean-up</caption>
<thead><tr>{head}</tr></thead><tbody><tr>{row}</tr></tbody></table></div>
</section>"""


def _class(label: str) -> str:
    return "hypoperfusion" if label.startswith("Tmax") else "core" if label.startswith("Core") else "plain"


def _remarks(m: Measurements) -> str:
    items = "".join(
        f'<li class="{r.kind}"><strong>{escape(r.title)}:</strong> {escape(r.text)}</li>' for r in facts.remarks(m)
    )
    if not items:
        return ""
    return f"""<section aria-labelledby="remarks">
<h2 id="remarks">Read before use</h2>
<ul class="remarks">{items}</ul>
</section>"""


def _meaning(m: Measurements) -> str:
    what, what_not = ("".join(f"<li>{escape(line)}</li>" for line in lines) for lines in facts.meaning(m))
    return f"""<div class="meaning">
<section aria-labelledby="is"><h2 id="is">What this is</h2><ul>{what}</ul></section>
<section aria-labelledby="is-not"><h2 id="is-not">What this is not</h2><ul>{what_not}</ul></section>
</div>"""


def _provenance(m: Measurements) -> str:
    rows = "".join(f'<tr><th scope="row">{escape(k)}</th><td>{escape(v)}</td></tr>' for k, v in facts.provenance(m))
    return f"""<section aria-labelledby="origin">
<h2 id="origin">Where it comes from</h2>
<table class="provenance"><tbody>{rows}</tbody></table>
</section>"""


def _image(picture: Image.Image, alt: str) -> str:
    content = base64.b64encode(png_bytes(picture)).decode("ascii")
    return (
        f'<img width="{picture.width}" height="{picture.height}" alt="{escape(alt)}" '
        f'src="data:image/png;base64,{content}">'
    )


def _input_functions(picture: Image.Image | None, m: Measurements) -> str:
    """Pictures and curves of both vessels, and a table of the voxels; nothing where there are none."""
    if picture is None:
        return ""
    rows = deconvolution_facts.curve_rows(m)
    alt = "Slices with the chosen voxels ringed, and their curves over time. " + "; ".join(
        f"{name}: chosen {chosen}, peak {peak}" for name, chosen, peak, *_ in rows
    )
    head = "".join(
        f'<th scope="col">{text}</th>' for text in ("", "Chosen", "Peak above the baseline", "Voxels", "RAS mm")
    )
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(text)}</td>" for text in row[1:])}</tr>'
        for row in rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if rows else ""
    return f"""<section aria-labelledby="inputs">
<h2 id="inputs">Arterial input and venous output</h2>
<figure>
<div class="scroll" tabindex="0" role="region" aria-label="Arterial input and venous output">
{_image(picture, alt)}
</div>
<figcaption>If a ring does not lie in a large artery or vein, or the curve is no bolus, do not trust the maps.
Radiological orientation: the patient's <strong>left is on the right</strong>.</figcaption>
</figure>
<div class="scroll">{table}</div>
</section>
"""


def _alt(m: Measurements) -> str:
    numbers = "; ".join(f"{f.label} {f.value}" for f in facts.headline(m))
    background = "plain CT" if m.origin == "synthetic" else "grey picture"
    rows = ", ".join([f"{background} with outlines", *(f"{entry.name} in colour" for entry in m.maps)])
    return f"Axial slices from inferior to superior in rows: {rows}. {numbers}."
