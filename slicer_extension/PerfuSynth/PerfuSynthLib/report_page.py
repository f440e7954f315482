"""The report: one HTML file without scripts and without any address outside it; every given text is escaped."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from .facts import Facts
from .interval import why_no_intervals
from .measurements import EDITED, NO_SIDE, Measurements
from .notices import NO_BASIS
from .number_rows import SIDES, NumberRow, number_rows, state_text
from .report_style import STYLE

#: The browser itself refuses scripts, forms and anything that would be loaded from elsewhere.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"

TITLE = "Synthetic perfusion maps from a plain head CT"

#: What the result is not.
MEANING_NOT = (
    "No perfusion measurement and no replacement for CT perfusion, CT angiography or MRI.",
    "No basis for a treatment decision, and no statement about any trial's criteria.",
    "No exclusion of stroke: early ischaemia is often invisible on plain CT, also to the model.",
)


class ReportPicture(NamedTuple):
    """A picture of the report: PNG bytes, what it shows in words, a line below it."""

    png: bytes
    alt: str
    caption: str


def report_page(
    facts: Facts, measured: Measurements, pictures: Sequence[ReportPicture], as_made: Measurements | None = None
) -> str:
    """The page's HTML; nothing in it names the patient or the volume's node.

    Parameters
    ----------
    facts
        Of the result.
    measured
        The numbers to report; provisional ones say so.
    pictures
        With their banners in the pixels.
    as_made
        The model's own numbers, shown beside those of an edited region.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="referrer" content="no-referrer">
<title>{escape(f"{TITLE} - {facts.notices[0]}")}</title>
<style>{_print_header(facts)}{STYLE}</style>
</head>
<body>
{_banner(facts)}
<main>
<h1>{TITLE}</h1>
<p class="signature">{escape(_signature(facts))}</p>
{_numbers(facts, measured, as_made)}
{_remarks(facts, measured)}
{_pictures(pictures)}
{_meaning(facts)}
{_provenance(facts, measured)}
</main>
<footer>{escape(" - ".join([*facts.notices, NO_BASIS]))}</footer>
</body>
</html>
"""


def _print_header(facts: Facts) -> str:
    """The banner in the margin of every printed page."""
    # A CSS string: everything but plain letters and digits as an escape, so that no text can end the style sheet.
    text = "".join(c if c.isalnum() and c.isascii() else f"\\{ord(c):06x}" for c in " - ".join(facts.notices))
    return f'@page {{ @bottom-center {{ content: "{text}"; font: bold 9pt sans-serif; }} }}'


def _banner(facts: Facts) -> str:
    first, *others = (escape(line) for line in facts.notices)
    more = "".join(f"<span>{line}</span>" for line in others)
    return f'<div class="banner" role="note"><strong>{first}</strong>{more}</div>'


def _signature(facts: Facts) -> str:
    made = ""
    if facts.model is not None:
        made = f"Model {facts.model.name} {facts.model.version}, weights {facts.model.weights_sha256[:12]}; "
    return f"{made}input {facts.input_sha256[:12]}; {facts.software}; {facts.created}"


def _numbers(facts: Facts, measured: Measurements, as_made: Measurements | None) -> str:
    """The side in words and the table; after a reader's edit the model's own beside it."""
    tables = _table(state_text(measured), number_rows(facts, measured), facts)
    if measured.kind == EDITED and as_made is not None:
        tables += _table("As the model made it, before the edit", number_rows(facts, as_made), facts)
    return f"""<section aria-labelledby="numbers">
<h2 id="numbers">Numbers</h2>
<p class="side">{_side(measured)}</p>
<div class="tables">{tables}</div>
</section>"""


def _side(measured: Measurements) -> str:
    region = "Edited region" if measured.kind == EDITED else f"Tmax > {measured.settings.hypoperfusion_s:g} s"
    found = measured.laterality
    if found is None:
        words = "side not measured, the midplane is not known"
    elif found.side == NO_SIDE:
        words = "nowhere in the brain"
    else:
        words = f"<strong>{SIDES[found.side]}</strong> of the patient"
    return f"{escape(region)}: {words}"


def _table(caption: str, rows: Sequence[NumberRow], facts: Facts) -> str:
    intervals = any(row.interval for row in rows)
    heading = f'<th scope="col">{facts.intervals.level:.0%} interval</th>' if intervals else ""
    body = "".join(
        f'<tr class="{"main" if row.main else "plain"}"><th scope="row">{escape(row.label)}</th>'
        f"<td>{escape(row.value)}{' (provisional)' if row.provisional else ''}</td>"
        f"{f'<td>{escape(row.interval)}</td>' if intervals else ''}<td>{escape(row.note)}</td></tr>"
        for row in rows
    )
    return f"""<table class="numbers"><caption>{escape(caption)}</caption>
<thead><tr><th scope="col"></th><th scope="col">Value</th>{heading}<th scope="col"></th></tr></thead>
<tbody>{body}</tbody></table>"""


def _remarks(facts: Facts, measured: Measurements) -> str:
    told = [(remark.is_warning, remark.title, remark.text) for remark in facts.remarks]
    reason = why_no_intervals(facts, measured)
    if reason and reason != facts.intervals.withheld:
        told.append((False, "Intervals withheld", reason))
    if measured.kind == EDITED:
        told.insert(0, (True, "Edited", "A reader changed the region: its numbers are not the model's."))
    if not told:
        return ""
    items = "".join(
        f'<li class="{"warning" if warning else "note"}"><strong>{escape(title)}:</strong> {escape(text)}</li>'
        for warning, title, text in told
    )
    return f"""<section aria-labelledby="remarks">
<h2 id="remarks">Read before use</h2>
<ul class="remarks">{items}</ul>
</section>"""


def _pictures(pictures: Sequence[ReportPicture]) -> str:
    if not pictures:
        return ""
    figures = "".join(
        f'<figure><img alt="{escape(picture.alt)}" src="data:image/png;base64,'
        f'{base64.b64encode(picture.png).decode("ascii")}"><figcaption>{escape(picture.caption)}</figcaption></figure>'
        for picture in pictures
    )
    return f"""<section aria-labelledby="pictures">
<h2 id="pictures">Pictures</h2>
<p>Radiological orientation: the patient's <strong>left is on the right</strong> of each picture.</p>
{figures}
</section>"""


def _meaning(facts: Facts) -> str:
    what = [
        "A computer's guess of what CT perfusion would show, made from the plain CT alone. No contrast passage was "
        "measured.",
        f"Made by a model that was validated on: {facts.validated_on}.",
    ]
    if facts.core_method:
        what.append(f"Core estimate: {facts.core_method}.")
    positive, negative = ("".join(f"<li>{escape(line)}</li>" for line in lines) for lines in (what, MEANING_NOT))
    return f"""<div class="meaning">
<section aria-labelledby="is"><h2 id="is">What this is</h2><ul>{positive}</ul></section>
<section aria-labelledby="is-not"><h2 id="is-not">What this is not</h2><ul>{negative}</ul></section>
</div>"""


def _provenance(facts: Facts, measured: Measurements) -> str:
    rows = []
    if facts.model is not None:
        model = facts.model
        rows.append(("Model", f"{model.name} {model.version} ({model.family}, task {model.task})"))
        rows.append(("Weights SHA-256", model.weights_sha256))
    rows.append(("Validated on", facts.validated_on or "not said"))
    rows.append(("Input", facts.input_text + (", phantom" if facts.is_phantom else "")))
    rows.append(("Input SHA-256", facts.input_sha256))
    rows.append(("Brain mask", f"{measured.brain_ml:.1f} mL"))
    if measured.normal_cbf is not None and measured.core_cbf is not None:
        text = f"{measured.normal_cbf:.1f} mL/100 g/min; core below {measured.core_cbf:.1f}"
        rows.append(("Normal tissue CBF", text))
    rows.append(("Software", facts.software))
    rows.append(("Created", facts.created))
    body = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>' for name, text in rows)
    return f"""<section aria-labelledby="origin">
<h2 id="origin">Where it comes from</h2>
<table class="provenance"><tbody>{body}</tbody></table>
</section>"""
