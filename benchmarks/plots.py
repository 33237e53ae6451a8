"""The plots of the page: one mark a system, written as SVG by hand, readable on light and dark ground."""

import html
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks import engines, finding
from benchmarks.results import OURS, Report, Row

_WIDTH, _NAMES, _RIGHT, _TOP, _FOOT = 860, 350, 84, 34, 46
_ROW, _HEAD, _GAP = 17, 20, 8
_STYLE = """<style>
text { font: 12px sans-serif; fill: #24292f } .title { font-size: 14px; font-weight: bold } .work { font-weight: bold }
.grid { stroke: #d0d7de } .ours { fill: #1b7f5a; stroke: #1b7f5a } .peer { fill: #6e7781; stroke: #6e7781 }
.ours text, .peer text { stroke: none }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .grid { stroke: #3d444d }
.ours { fill: #3fb68b; stroke: #3fb68b } .peer { fill: #9198a1; stroke: #9198a1 } }
</style>"""


@dataclass(frozen=True, slots=True)
class Plot:
    """Rows by what they are called; ``axis`` names what is measured and its unit."""

    title: str
    axis: str
    groups: dict[str, list[Row]]
    logarithmic: bool = True


def plots(report: Report) -> dict[str, Plot]:
    """Return the plots that a report's rows fill, by a name for their file."""
    every = {
        "engines": _engines, "growth": _growth, "finding": _finding, "service": _service,
    }.get(report.benchmark, lambda _: dict[str, Plot]())(report.rows)  # fmt: skip
    return {name: plot for name, plot in every.items() if plot.groups}


def _engines(rows: Sequence[Row]) -> dict[str, Plot]:
    groups = _groups(rows, lambda work: work == engines.EMBED)
    return {"engines": Plot("Passages embedded", "passages a second, more is better", groups, logarithmic=False)}


def _growth(rows: Sequence[Row]) -> dict[str, Plot]:
    groups = _groups(rows, lambda work: work.startswith("search by") and work.endswith("p50"))
    return {"growth": Plot("One search by chunks held, p50", "milliseconds, less is better", groups)}


def _finding(rows: Sequence[Row]) -> dict[str, Plot]:
    wanted = tuple(f"{finding.NDCG}, {which}, " for which in (finding.ENGLISH, finding.ACROSS))
    both = tuple(f"{finding.NDCG}, {which}, " for which in (finding.ONE, finding.TWO))
    groups = _groups(rows, lambda work: work.startswith(wanted) or (work.startswith(both) and work.count(",") == 2))
    return {"finding": Plot("The right paragraph found", "nDCG@10, more is better", groups, logarithmic=False)}


def _service(rows: Sequence[Row]) -> dict[str, Plot]:
    asked = [row for row in rows if row.work.startswith("question, ")]
    most = asked[-1].work.split(", ")[2] if asked else ""
    found = {"ingest": Plot("Ingested over HTTP", "seconds, less is better", _groups(rows, _is_ingest))}
    for name in ("p50", "p99"):
        groups = _groups(asked, lambda work, name=name: f", {most}, " in work and work.endswith(name))
        found[f"questions-{name}"] = Plot(
            f"Question over HTTP, {most}, {name}", "milliseconds, less is better", _short_names(groups)
        )
    return found


def _is_ingest(work: str) -> bool:
    return work.startswith("ingest ")


def _short_names(groups: dict[str, list[Row]]) -> dict[str, list[Row]]:
    parts = {work: work.split(", ") for work in groups}
    return {f"{parts[work][1]}, {parts[work][3]}": rows for work, rows in groups.items()}


def _groups(rows: Iterable[Row], wanted: Callable[[str], bool]) -> dict[str, list[Row]]:
    groups = dict[str, list[Row]]()
    for row in rows:
        if wanted(row.work):
            groups.setdefault(row.work, []).append(row)
    return groups


def draw(plot: Plot) -> str:
    """Return a plot as SVG: bars from zero, or dots where the axis is logarithmic; a thin line spans all rounds."""
    body, y = list[str](), _TOP
    scale = _Scale.of(plot)
    for work, rows in plot.groups.items():
        y += _GAP
        body.append(f'<text class="work" x="4" y="{y + 13}">{html.escape(work)}</text>')
        y += _HEAD
        for row in rows:
            body.append(_mark(row, y, scale))
            y += _ROW
    height = y + _FOOT
    size = f'width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    title = f'<text class="title" x="4" y="20">{html.escape(plot.title)}</text>'
    return "\n".join([head, _STYLE, title, *scale.grid(y, plot.axis), *body, "</svg>\n"])


def _mark(row: Row, y: int, scale: "_Scale") -> str:
    kind, middle = ("ours" if row.system == OURS else "peer"), y + _ROW // 2
    low, high, at = (scale.x(value) for value in (min(row.values), max(row.values), row.median))
    mark = (
        f'<circle cx="{at:.1f}" cy="{middle}" r="4.5"/>'
        if scale.logarithmic
        else f'<rect x="{_NAMES}" y="{y + 3}" width="{max(0.5, at - _NAMES):.1f}" height="{_ROW - 6}"/>'
    )
    span = f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" stroke-width="1.5"/>'
    name = f'<text x="{_NAMES - 8}" y="{middle + 4}" text-anchor="end">{html.escape(row.system)}</text>'
    value = f'<text x="{max(at, high) + 9:.1f}" y="{middle + 4}">{short(row.median)}</text>'
    return f'<g class="{kind}">{mark}{span}{name}{value}</g>'


@dataclass(frozen=True, slots=True)
class _Scale:
    ticks: tuple[float, ...]
    logarithmic: bool

    @classmethod
    def of(cls, plot: Plot) -> "_Scale":
        values = [value for rows in plot.groups.values() for row in rows for value in row.values if value > 0] or [1.0]
        if plot.logarithmic:
            first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
            return cls(tuple(10.0**power for power in range(first, max(last, first + 1) + 1)), logarithmic=True)
        step = 10.0 ** math.floor(math.log10(max(values)))
        step = next(each for each in (step / 5, step / 2, step, 2 * step) if max(values) / each <= 6)
        return cls(tuple(step * n for n in range(math.ceil(max(values) / step) + 1)), logarithmic=False)

    def x(self, value: float) -> float:
        """Return where a value stands."""
        first, last = self.ticks[0], self.ticks[-1]
        share = value / last
        if self.logarithmic:
            share = math.log10(max(value, first) / first) / math.log10(last / first)
        return _NAMES + (_WIDTH - _NAMES - _RIGHT) * share

    def grid(self, bottom: int, axis: str) -> list[str]:
        """Return a line and a figure a tick, and what the axis measures."""
        lines = [
            f'<line class="grid" x1="{self.x(tick):.1f}" x2="{self.x(tick):.1f}" y1="{_TOP}" y2="{bottom + 4}"/>'
            f'<text x="{self.x(tick):.1f}" y="{bottom + 18}" text-anchor="middle">{tick:,g}</text>'
            for tick in self.ticks
        ]
        middle = (_NAMES + _WIDTH - _RIGHT) / 2
        said = f"{axis}; logarithmic" if self.logarithmic else axis
        return [*lines, f'<text x="{middle:.1f}" y="{bottom + 36}" text-anchor="middle">{html.escape(said)}</text>']


def short(value: float | str) -> str:
    """Return a figure with three digits that matter."""
    if isinstance(value, str):
        return value
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"
