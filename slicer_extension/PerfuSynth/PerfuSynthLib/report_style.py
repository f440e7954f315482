"""The report page's style sheet: dark for a reading room at night, black on white on paper."""

from __future__ import annotations

STYLE = """
:root { color-scheme: dark; --ground: #0d1117; --panel: #161c25; --rule: #343e4d; --text: #e9eef5; --dim: #a6b2c2;
  --amber: #ffc233; --ink: #1a1200; --warning: #ffb05c; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
.banner { position: sticky; top: 0; z-index: 1; background: var(--amber); color: var(--ink); text-align: center;
  padding: .5rem 1rem; }
.banner strong { display: block; font-size: 1.5rem; line-height: 1.3; }
.banner span { display: block; font-size: 1.1rem; font-weight: 600; }
main { max-width: 1900px; margin: 0 auto; padding: 1rem 1.5rem 2rem; }
h1 { font-size: 1.5rem; margin: .25rem 0 0; }
h2 { font-size: 1.05rem; margin: 1.75rem 0 .6rem; color: var(--dim); font-weight: 600; }
.signature, caption, figcaption { color: var(--dim); font-size: .875rem; overflow-wrap: anywhere; }
.side { font-size: 1.2rem; margin: 0 0 .5rem; }
table { border-collapse: collapse; }
.tables { display: flex; flex-wrap: wrap; gap: 1rem 4rem; align-items: flex-start; }
caption { text-align: left; padding: 0 0 .3rem; }
th, td { text-align: left; padding: .35rem 1.5rem .35rem 0; border-bottom: 1px solid var(--rule);
  vertical-align: top; font-variant-numeric: tabular-nums; }
th { font-weight: 400; color: var(--dim); }
.numbers td:nth-child(2) { font-weight: 700; font-size: 1.1rem; white-space: nowrap; }
.numbers td:last-child { color: var(--dim); }
.numbers .main th { color: var(--text); font-weight: 700; }
.provenance td { overflow-wrap: anywhere; }
.remarks { list-style: none; margin: 0; padding: 0; display: grid; gap: .4rem; }
.remarks li { background: var(--panel); border-left: 4px solid var(--rule); border-radius: 4px; padding: .5rem .9rem;
  overflow-wrap: anywhere; }
.remarks .warning { border-left-color: var(--warning); }
.remarks .warning strong { color: var(--warning); }
figure { margin: 0 0 1rem; overflow-x: auto; }
img { display: block; max-width: 100%; height: auto; }
.meaning { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 0 2.5rem; }
.meaning ul { margin: 0; padding-left: 1.1rem; }
footer { border-top: 1px solid var(--rule); padding: 1rem 1.5rem; text-align: center; color: var(--dim);
  font-weight: 600; }
@media print {
  @page { size: A4 landscape; margin: 10mm 10mm 14mm; }
  :root { color-scheme: light; --ground: #fff; --panel: #fff; --rule: #888; --text: #000; --dim: #333;
    --warning: #7a3d00; }
  body { font-size: 10pt; }
  .banner { position: static; border: 2pt solid #000; background: #fff; color: #000; }
  main { padding: 4mm 0 0; }
  figure, section { break-inside: avoid; }
  h2 { break-after: avoid; margin-top: 5mm; }
  img { max-height: 165mm; width: auto; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
