"""How the report looks: its styles, its tables, its frame. It knows no run; cells are escaped by who makes them."""

from collections.abc import Iterable, Sequence
from html import escape

CSS = """
:root{--ink:#1c2024;--soft:#5b636b;--ground:#fff;--panel:#f5f6f7;--line:#d9dde1}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a5adb5;--ground:#15181b;--panel:#1f2327;--line:#363c42}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem;max-width:76rem;background:var(--ground);color:var(--ink);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:break-word}
h1{font-size:1.6rem;margin:0 0 .25rem}h2{font-size:1.2rem;margin:2.2rem 0 .5rem}
h3{font-size:1rem;margin:1.4rem 0 .3rem}p{margin:.4rem 0}
.verdict{font-size:1.2rem;padding:.9rem 1.1rem;background:var(--panel);border-radius:.6rem}
.soft{color:var(--soft)}.curves{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(19rem,1fr))}
figure{margin:0;max-width:38rem}
figcaption{font-weight:600}svg text{fill:var(--soft);font-size:13px}svg .grid{stroke:var(--line)}
.legend span{margin-right:1.4rem;white-space:nowrap}.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}.even{table-layout:fixed}.even td,.even th,td code
{overflow-wrap:anywhere;hyphens:auto}th,td{text-align:left;vertical-align:top;padding:.4rem .7rem;
border-bottom:1px solid var(--line)}thead th{color:var(--soft);font-weight:600}
td.n{white-space:nowrap;padding:.4rem .45rem;font-variant-numeric:tabular-nums}.even tbody th{font-weight:400}
table:not(.even) tbody th{white-space:nowrap}
code{background:var(--panel);padding:.1rem .3rem;border-radius:.3rem}
pre{background:var(--panel);padding:.8rem;border-radius:.5rem;overflow-x:auto;white-space:pre-wrap}
.note{font-size:.9rem;color:var(--soft)}dl{font-size:.9rem}dt{font-weight:600;margin-top:.5rem}dd{margin:0 0 0 1rem}
.warn{border-left:.3rem solid #b35c00;padding:.5rem .9rem;background:var(--panel)}
.heat{width:auto}.heat caption{white-space:nowrap}
.heat td{min-width:4.2rem;text-align:right;padding:.25rem .5rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.4rem 0}
a:focus-visible,.scroll:focus-visible{outline:2px solid #3a86f0;outline-offset:2px}
@media print{body{max-width:none;padding:0}.scroll{overflow:visible}h2,h3,caption{break-after:avoid}
figure,tr{break-inside:avoid}table{font-size:.8rem}.even{min-width:0!important}}
"""


def page_html(title: str, body: str) -> str:
    """A whole document that loads nothing and runs nothing.

    Args:
        title: Not escaped yet.
        body: Markup.
    """
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{CSS}</style></head><body>{body}</body></html>\n"
    )


def table_html(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    caption: str = "",
    numbers: bool = False,
    even: bool = False,
    kind: str = "",
) -> str:
    """A table that scrolls by itself where it is too wide. The first column is a header of its row.

    Args:
        head: Titles, escaped.
        rows: Cells, escaped.
        caption: Escaped; empty for none.
        numbers: Whether cells are numbers.
        even: Make columns equally wide, and none narrower than a few words.
        kind: A class of its own.
    """
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    cell_kind = ' class="n"' if numbers else ""
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td{cell_kind}>{cell}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    table = "<table>"
    if even:
        table = f'<table class="even" style="min-width:{max(44, 9 * len(head))}rem">'
    elif kind:
        table = f'<table class="{kind}">'
    named = f"<caption>{caption}</caption>" if caption else ""
    parts = f"{table}{named}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{caption or "Table"}">{parts}</div>'
