"""The checks and the data on one page that needs nothing else: no script, no network, pictures inside."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from sweeper.data.dataset import Dataset
from sweeper.data.text import RESERVED, TextInputs
from sweeper.preflight.features import is_tokens, names
from sweeper.preflight.finding import Finding, Status, worst
from sweeper.preflight.pictures import label_of, overview_png, sample_rows, samples_png

ROWS, COLUMNS = 12, 12
"""Of a table of samples."""

LETTERS = 120
"""Of a sample text."""

HEADLINES = {
    Status.PASS: "Ready: every check passes",
    Status.WARN: "Ready, with warnings",
    Status.FAIL: "Not ready: a check fails",
}

STYLE = """
:root { color-scheme: light; --ink: #1f2933; --soft: #5b6770; --line: #e5e7eb; --pass: #1a7f37; --warn: #b45309; --fail: #b42318; }
* { box-sizing: border-box; }
body { margin: 0; background: #f6f7f9; color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1120px; margin: 32px auto; padding: 0 24px; }
h1 { font-size: 24px; margin: 0; } h2 { font-size: 17px; margin: 36px 0 10px; }
p.soft { color: var(--soft); margin: 4px 0 20px; }
.card { background: #fff; border: 1px solid var(--line); border-radius: 8px; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: 9px 14px; }
tr + tr td { border-top: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; font-size: 13px; border-bottom: 1px solid var(--line); }
td.check { white-space: nowrap; font-weight: 600; } td.last { width: 100%; } .remedy { color: var(--soft); }
tr.warn { background: #fffaf0; } tr.fail { background: #fff5f4; }
.mark { display: inline-block; width: 52px; text-align: center; border-radius: 999px; padding: 1px 0; }
.mark { color: #fff; font-size: 12px; font-weight: 600; }
.mark.pass { background: var(--pass); } .mark.warn { background: var(--warn); } .mark.fail { background: var(--fail); }
.numbers td, .numbers th { font: 13px/1.4 ui-monospace, Menlo, Consolas, monospace; padding: 5px 12px; }
.numbers td, .numbers th { text-align: right; white-space: nowrap; }
.numbers td:first-child, .numbers th:first-child { text-align: left; font-weight: 600; }
.texts td, .texts th { text-align: left; }
img { display: block; max-width: 100%; padding: 12px; }
"""


def page(name: str, about: str, findings: Sequence[Finding], data: Dataset) -> str:
    """The whole page as HTML.

    Args:
        name: of the space.
        about: a line on what was checked, when and how long.
        findings: the table, in order.
        data: prepared; its training part is shown.
    """
    grid = samples_png(data)
    samples = _picture(grid, "samples of the training part with their labels") if grid else _samples(data)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n'
        f"<title>sweeper check {escape(name)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{HEADLINES[worst(findings)]}</h1>\n<p class="soft">{escape(about)}</p>\n'
        f"{_table(findings)}\n<h2>The data as a model sees it</h2>\n"
        f'<div class="card">{_picture(overview_png(data), "targets by part, and the values of the inputs")}</div>\n'
        f'<h2>Samples of the training part</h2>\n<div class="card">{samples}</div>\n</main>\n</body>\n</html>\n'
    )


def _table(findings: Iterable[Finding]) -> str:
    rows = "\n".join(
        f'<tr class="{one.status}"><td><span class="mark {one.status}">{one.status}</span></td><td class="check">{escape(one.check)}</td>'
        f'<td class="last">{escape(one.sentence)}{_remedy(one)}</td></tr>'
        for one in findings
    )
    return f'<div class="card"><table>\n<tr><th></th><th>check</th><th>what was found</th></tr>\n{rows}\n</table></div>'


def _remedy(finding: Finding) -> str:
    return f'<div class="remedy">What to do: {escape(finding.remedy)}</div>' if finding.remedy else ""


def _samples(data: Dataset) -> str:
    """Rows of a table, or texts as their tokens."""
    rows = sample_rows(data, ROWS)
    if is_tokens(data.train.x):
        return _numbers(["label", "tokens"], ([label_of(data, int(row)), _text(data, int(row))] for row in rows), "numbers texts")
    every = names(data)
    more = [f"and {len(every) - COLUMNS} more"] if len(every) > COLUMNS else []
    cells = [[label_of(data, int(row)), *(f"{value:.3g}" for value in data.train.x[row][:COLUMNS]), *[""] * len(more)] for row in rows]
    return _numbers(["label", *every[:COLUMNS], *more], cells)


def _text(data: Dataset, row: int) -> str:
    """A row's tokens without padding: words or characters where there is a vocabulary, otherwise their numbers."""
    inputs, numbers = data.preprocessing.inputs, data.train.x[row].tolist()
    if not isinstance(inputs, TextInputs):
        return " ".join(str(number) for number in numbers if number)[:LETTERS]
    words = ("\N{MIDDLE DOT}" if number < RESERVED else inputs.vocabulary[number - RESERVED] for number in numbers if number)
    return (" " if inputs.level == "word" else "").join(words)[:LETTERS]


def _numbers(head: Sequence[str], cells: Iterable[Sequence[str]], style: str = "numbers") -> str:
    lines = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in cells)
    return f'<table class="{style}">\n<tr>{"".join(f"<th>{escape(name)}</th>" for name in head)}</tr>\n{lines}\n</table>'


def _picture(png: bytes, what: str) -> str:
    return f'<img alt="{escape(what)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
