"""``summary.html``: every case with its picture, what speaks for its registration, and all that was left out."""

import base64
from collections import Counter
from html import escape
from pathlib import Path
from typing import Any

from perfusynth import __version__, atomic
from perfusynth.errors import InputError
from perfusynth.report.page import document_head
from perfusynth.studies.ledger import Ledger
from perfusynth.studies.overview import OVERVIEW_FILE
from perfusynth.volumes.case_file import read_case_file
from perfusynth.volumes.case_registration import CaseRegistration, left_out, read_registration

#: Name of the page; further ones, with so many cases each, are ``summary_2.html`` and so on.
SUMMARY_FILE, CASES_A_PAGE = "summary.html", 200
#: What this page has besides the reports' common style.
OWN_STYLE = """
.case { background: var(--panel); border-radius: 8px; border-left: 4px solid var(--hypoperfusion);
  padding: .6rem 1rem; margin: .8rem 0; break-inside: avoid; }
.case.out { border-left-color: var(--warning); }
.case h3 { margin: 0; font-size: 1rem; overflow-wrap: anywhere; }
.case p { margin: .2rem 0; color: var(--dim); max-width: 110ch; }
.case .why { color: var(--warning); }
.case img { width: auto; max-width: 100%; min-width: 0; margin-top: .5rem; }
td { overflow-wrap: break-word; }
"""
RESEARCH_USE = "Research use only"


def write_summary(out: Path, ledger: Ledger) -> None:
    """Write the page (or pages) of a folder of cases, out of what the case folders say now."""
    cases = ledger.cases
    pages = [cases[k : k + CASES_A_PAGE] for k in range(0, len(cases), CASES_A_PAGE)] or [[]]
    for number, shown in enumerate(pages, start=1):
        page = _page(out, ledger, shown, number, len(pages))
        atomic.write_bytes(out / _name(number), page.encode())
    for old in out.glob("summary_*.html"):
        if old.name not in {_name(number) for number in range(1, len(pages) + 1)}:
            old.unlink()


def _name(number: int) -> str:
    return SUMMARY_FILE if number == 1 else f"summary_{number}.html"


def _page(out: Path, ledger: Ledger, shown: list[str], number: int, pages: int) -> str:
    blocks = "".join(_case(out / name) for name in shown)
    links = " ".join(f'<a href="{_name(k)}">{k}</a>' for k in range(1, pages + 1)) if pages > 1 else ""
    count = len(ledger.cases)
    heading = f"Prepared studies: {count} {'case' if count == 1 else 'cases'}" + (
        f", page {number} of {pages}" if pages > 1 else ""
    )
    return f"""{document_head(escape(heading), OWN_STYLE)}
<body>
<div class="banner" role="note"><strong>{RESEARCH_USE}</strong></div>
<main>
<header><h1>{escape(heading)}</h1>
<p class="signature">perfusynth {__version__}; {len(ledger.exclusions)} exclusions. {links}</p></header>
{_exclusions(ledger) if number == 1 else ""}
<section><h2>Cases</h2>
<p>Above, the CT of the perfusion study with bone and brain of the NCCT as lines: they must lie on its own. Below, the
NCCT with Tmax. Pictures show the registration as it was when the case was made. The patient's
<strong>left is on the right</strong>.</p>
{blocks}</section>
</main>
<footer>{RESEARCH_USE} - No basis for a treatment decision</footer>
</body>
</html>
"""


def _exclusions(ledger: Ledger) -> str:
    rows = ledger.exclusions
    if not rows:
        return "<section><h2>Left out</h2><p>Nothing was left out.</p></section>"
    counts = Counter(row["code"] for row in rows)
    told = ", ".join(f"{code} {count}" for code, count in counts.most_common())
    body = "".join(
        f'<tr><th scope="row">{escape(row["case"] or row["patient"])}</th><td>{escape(row["code"])}</td>'
        f"<td>{escape(row['reason'])}</td></tr>"
        for row in rows
    )
    return f"""<section><h2>Left out</h2><p>{escape(told)}</p>
<div class="scroll"><table><thead><tr><th scope="col">Case or patient</th><th scope="col">Code</th>
<th scope="col">Reason</th></tr></thead><tbody>{body}</tbody></table></div></section>"""


def _case(folder: Path) -> str:
    try:
        content, registration = read_case_file(folder), read_registration(folder)
        picture = (folder / OVERVIEW_FILE).read_bytes()
    except (OSError, ValueError, InputError) as error:
        told = escape(f"{folder.name}: cannot be shown ({type(error).__name__})")
        return f'<article class="case out"><h3>{told}</h3></article>'
    reason = left_out(registration)
    why = "" if reason is None else f'<p class="why">Left out of training for now: {escape(reason)}.</p>'
    image = base64.b64encode(picture).decode("ascii")
    return f"""<article class="case{"" if reason is None else " out"}"><h3>{escape(folder.name)}</h3>
<p>{escape("; ".join(_facts(content, registration)))}</p>{why}
<img alt="Axial slices of {escape(folder.name)}" src="data:image/jpeg;base64,{image}"></article>
"""


def _facts(content: dict[str, Any], registration: CaseRegistration) -> list[str]:
    volumes, prepared = content.get("volumes_ml", {}), content.get("prepared", {})
    facts = [f"maps {prepared.get('maps', {}).get('origin', 'unknown')}"]
    if prepared.get("minutes_apart") is not None:
        facts.append(f"NCCT {prepared['minutes_apart']:.0f} min before")
    facts += [
        f"{label} {volumes[name]:.0f} mL"
        for name, label in (("brain", "brain"), ("tmax_over_6_s", "Tmax > 6 s"))
        if name in volumes
    ]
    by = f"registration {registration.method}"
    if registration.verdict is not None:
        by += f", {registration.verdict} by {registration.author}"
    elif registration.probability_over_2mm is not None:
        by += f", off by more than 2 mm with probability {registration.probability_over_2mm:.2f}"
    facts.append(by)
    notes = len(prepared.get("notes", []))
    return [*facts, f"{notes} notes in case.json"] if notes else facts
