"""The page of results: a table a benchmark, the machine, and plots as SVG written by hand."""

import html
import math
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results import OURS, Report, Row, advantage

_BAR, _GAP, _LABELS, _WIDTH = 18, 6, 300, 860
_COLOURS = {True: "#1b7f5a", False: "#8a8f98"}


def write_page(reports: Sequence[Report], page: Path) -> None:
    """Write the page, and a plot a benchmark beside it."""
    parts = ["# Results of the last run", _INTRODUCTION]
    for report in reports:
        plot = page.with_name(f"{page.stem}-{report.benchmark}.svg")
        plot.write_text(draw(report), encoding="utf-8")
        parts += [f"## {report.title}", _circumstances(report), f"![{report.title}]({plot.name})", _table(report.rows)]
        parts += [f"Not measured: {reason}." for reason in report.missing]
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


_INTRODUCTION = (
    "Made by `make bench`; do not edit. Medians of rounds, with the lowest and the highest. *Ours is better by*\n"
    "compares within rounds: above 1 ours is faster or smaller. Quote ratios, not absolute times."
)


def _circumstances(report: Report) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    return f"Size `{report.size}`, {report.seconds:.0f} s. {machine}."


def _table(rows: Sequence[Row]) -> str:
    head = "| Work | System | Median | Lowest to highest | Ours is better by | |\n|---|---|---|---|---|---|"
    together = [row for work in dict.fromkeys(map(_work, rows)) for row in rows if _work(row) == work]
    return "\n".join([head, *(_line(row, rows) for row in together)])


def _line(row: Row, rows: Sequence[Row]) -> str:
    ours = next((each for each in rows if each.system == OURS and _work(each) == _work(row)), None)
    ratio = f"{advantage(row, ours):.2f}" if ours is not None and ours is not row else ""
    facts = ", ".join(f"{name} {_short(value)}" for name, value in row.facts.items())
    spread = f"{_short(min(row.values))} to {_short(max(row.values))}"
    return f"| {row.work} | {row.system} | {_short(row.median)} {row.unit} | {spread} | {ratio} | {facts} |"


def _work(row: Row) -> tuple[str, str]:
    return (row.work, row.unit)


def _short(value: float | str) -> str:
    """Return a figure with three digits that matter."""
    if isinstance(value, str):
        return value
    if value == 0 or not math.isfinite(value):
        return str(value)
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def draw(report: Report) -> str:
    """Return bars for every piece of work that more than one system did, the longest of each as long as the plot."""
    bars = list[str]()
    y = _GAP
    for work in dict.fromkeys(map(_work, report.rows)):
        rows = [row for row in report.rows if _work(row) == work]
        if len(rows) < 2:
            continue
        bars.append(_text(4, y + 14, f"{work[0]} ({work[1]})", weight="bold"))
        y += _BAR + _GAP
        longest = max(row.median for row in rows) or 1.0
        for row in rows:
            bars.append(_bar(row, y, longest))
            y += _BAR + 2
        y += 2 * _GAP
    size = f'width="{_WIDTH}" height="{y}" viewBox="0 0 {_WIDTH} {y}"'
    style = 'font-family="sans-serif" font-size="12"'
    background = f'<rect width="{_WIDTH}" height="{y}" fill="#ffffff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{background}\n' + "\n".join(bars) + "\n</svg>\n"


def _bar(row: Row, y: int, longest: float) -> str:
    room = _WIDTH - _LABELS - 90
    width = max(1.0, room * row.median / longest)
    shape = f'<rect x="{_LABELS}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{_COLOURS[row.system == OURS]}"/>'
    return _text(20, y + 14, row.system) + shape + _text(_LABELS + width + 6, y + 14, _short(row.median))


def _text(x: float, y: float, text: str, *, weight: str = "normal") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-weight="{weight}">{html.escape(text)}</text>'
