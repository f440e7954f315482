"""``report.html`` of an evaluation: one file without scripts and without any address outside it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from PIL import Image

from perfusynth.evaluation.model_figures.report.tables import Table
from perfusynth.evaluation.model_figures.report.verdict import Verdict
from perfusynth.report.facts import Figure
from perfusynth.report.page import document_head, png_bytes

#: What this page has besides the reports' common style.
OWN_STYLE = """
.verdicts { list-style: none; margin: 0; padding: 0; display: grid; gap: .4rem; }
.verdicts li { background: var(--panel); border-left: 4px solid var(--warning); border-radius: 4px;
  padding: .45rem .9rem; }
.verdicts li.good { border-left-color: var(--hypoperfusion); }
.verdicts li strong { color: var(--warning); }
.verdicts li.good strong { color: var(--hypoperfusion); }
.figures td { white-space: nowrap; padding-right: 1.1rem; }
.figures thead th { color: var(--text); font-weight: 700; vertical-align: bottom; white-space: normal; }
.figures tr.group th { color: var(--amber); font-weight: 600; padding-top: .9rem; border-bottom: 0; }
.figures tbody th { white-space: normal; min-width: 15rem; }
.figures tbody tr:hover td, .figures tbody tr:hover th { background: var(--panel); }
img.chart { width: auto; max-width: 100%; min-width: 0; margin: .6rem 0; }
img.patient { width: auto; max-width: 100%; min-width: 0; margin: .8rem 0; }
p { max-width: 95ch; margin: .4rem 0; }
"""


@dataclass(frozen=True, eq=False)
class Section:
    """A part of the page: heading, paragraphs, tables, pictures with what they show; ``style`` of the pictures."""

    title: str
    text: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[tuple[str, Image.Image]] = ()
    style: str = "chart"


def render_page(
    title: str,
    signature: str,
    notices: Sequence[str],
    cards: Sequence[Figure],
    verdicts: Sequence[Verdict],
    warnings: Sequence[str],
    sections: Sequence[Section],
    provenance: Mapping[str, Any],
) -> str:
    """The page's HTML; everything given is escaped."""
    first, *others = (escape(line) for line in notices)
    banner = f"<strong>{first}</strong>{''.join(f'<span>{line}</span>' for line in others)}"
    return f"""{document_head(f"{escape(title)} - {first}", OWN_STYLE)}
<body>
<div class="banner" role="note">{banner}</div>
<main>
<header><h1>{escape(title)}</h1><p class="signature">{escape(signature)}</p></header>
{_in_short(cards, verdicts, warnings)}
{"".join(_section(section) for section in sections)}
{_provenance(provenance)}
</main>
<footer>{escape(" - ".join([*notices, "No basis for a treatment decision"]))}</footer>
</body>
</html>
"""


def _in_short(cards: Sequence[Figure], verdicts: Sequence[Verdict], warnings: Sequence[str]) -> str:
    shown = "".join(
        f'<div class="card plain"><dt>{escape(f.label)}</dt><dd>{_first_part(f.value)}'
        f"<small>{escape(f.note)}</small></dd></div>"
        for f in cards
    )
    told = "".join(
        f'<li class="{"good" if v.good else "bad"}"><strong>{"Good" if v.good else "Falls short"}:</strong> '
        f"{escape(v.text)}</li>"
        for v in sorted(verdicts, key=lambda v: not v.good)
    )
    leaks = "".join(f'<li class="warning"><strong>Leak?</strong> {escape(text)}</li>' for text in warnings)
    return f"""<section aria-labelledby="short"><h2 id="short">In short</h2>
<dl class="cards">{shown}</dl>
<ul class="remarks">{leaks}</ul>
<h2>What it can do, what it cannot</h2>
<ul class="verdicts">{told}</ul></section>
"""


def _first_part(value: str) -> str:
    """A number large, its interval small below it."""
    number, bracket, interval = value.partition(" (")
    return escape(number) + (f"<small>95 %: {escape(interval.rstrip(')'))}</small>" if bracket else "")


def _section(section: Section) -> str:
    text = "".join(f"<p>{escape(line)}</p>" for line in section.text)
    pictures = "".join(
        f'<figure><img class="{section.style}" width="{p.width}" height="{p.height}" alt="{escape(what)}" '
        f'src="data:image/png;base64,{base64.b64encode(png_bytes(p)).decode("ascii")}"></figure>'
        for what, p in section.pictures
    )
    return (
        f"<section><h2>{escape(section.title)}</h2>{text}{pictures}{''.join(map(_table, section.tables))}</section>\n"
    )


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.columns)
    body = "".join(
        f'<tr><th scope="row">{escape(label)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        if cells
        else f'<tr class="group"><th scope="rowgroup" colspan="{len(table.columns) + 1}">{escape(label)}</th></tr>'
        for label, cells in table.rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.caption)}"><table class="figures">'
        f"<caption>{escape(table.caption)}</caption><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody>"
        "</table></div>"
    )


def _provenance(facts: Mapping[str, Any]) -> str:
    rows = "".join(f'<tr><th scope="row">{escape(k)}</th><td>{escape(str(v))}</td></tr>' for k, v in facts.items())
    return f'<section><h2>Where it comes from</h2><table class="provenance"><tbody>{rows}</tbody></table></section>'
