"""The page of results: what was to be reached and whether it is, the machine, and a table a part with its plots.

Made of the reports alone, so that the same figures give the same page.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.goals import Verdict, verdicts
from benchmarks.plots import draw, plots, short
from benchmarks.results import OURS, Report, Row, advantage

_REASONS = "README.md#goals-that-were-not-reached-why-and-what-was-tried"
_INTRODUCTION = (
    "Made by `make bench`; do not edit. Medians of rounds, with the lowest and the highest; systems take turns in\n"
    "every round. *Ours is better by* compares within rounds: above 1 ours is faster, smaller or more. Quote ratios,\n"
    "not absolute times. How to run it is in [README.md](README.md)."
)


def write_page(reports: Sequence[Report], folder: Path) -> Path:
    """Write the page beside the folder of figures, under its name, and the plots into the folder; return the page."""
    page = folder.with_suffix(".md")
    for old in folder.glob("*.svg"):
        old.unlink()
    for name, content in render(reports, folder.name).items():
        (page.parent / name).write_text(content, encoding="utf-8")
    return page


def render(reports: Sequence[Report], name: str) -> dict[str, str]:
    """Return the page ``NAME.md`` and its plots ``NAME/PLOT.svg``; nothing without reports."""
    if not reports:
        return {}
    parts = ["# Results of the last run", _INTRODUCTION, _goals(verdicts(reports)), _machine(reports), _runs(reports)]
    files = dict[str, str]()
    for report in reports:
        parts += [f"## {report.title}", report.about] if report.about else [f"## {report.title}"]
        for plot, drawn in plots(report).items():
            files[f"{name}/{plot}.svg"] = draw(drawn)
            parts.append(f"![{drawn.title}]({name}/{plot}.svg)")
        parts.append(_table(report.rows))
        parts += [f"Not measured: {reason}." for reason in report.missing]
    return {f"{name}.md": "\n\n".join(parts) + "\n"} | files


def _goals(found: Sequence[Verdict]) -> str:
    head = "## Goals\n\n| What | Goal | Measured | Reached | Beside or of |\n|---|---|---|---|---|"
    why = f"\n\nWhy goals were not reached, and what was tried: [README.md]({_REASONS})."
    return "\n".join([head, *(_goal(verdict) for verdict in found)]) + why


def _goal(verdict: Verdict) -> str:
    said = "not measured" if verdict.figure is None else short(verdict.figure)
    reached = "" if verdict.figure is None else "yes" if verdict.reached else "**no**"
    return f"| {verdict.what} | {verdict.goal} | {said} | {reached} | {verdict.note} |"


def _machine(reports: Sequence[Report]) -> str:
    """Return what all parts ran on; a part that ran on another machine has a line of its own."""
    machines = dict[str, list[str]]()
    for report in reports:
        facts = {name: value for name, value in report.machine.items() if name != "load_average"}
        said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
        machines.setdefault(said, []).append(report.benchmark)
    lines = [f"{'' if len(machines) == 1 else ', '.join(parts) + ': '}{said}." for said, parts in machines.items()]
    versions = {system: each for report in reports for system, each in report.versions.items() if each}
    peers = [
        f"{system}: {', '.join(f'{name} {version}' for name, version in each.items())}."
        for system, each in versions.items()
    ]
    return "\n\n".join(["## The machine, and what ran on it", *lines, *peers])


def _runs(reports: Sequence[Report]) -> str:
    head = "| Part | Size | Began (UTC) | Seconds | Load before, after | Commit |\n|---|---|---|---|---|---|"
    lines = [
        f"| {report.benchmark} | {report.size} | {report.began} | {report.seconds:.0f} "
        f"| {report.machine.get('load_average', '')}, {report.load_after} | {report.commit} |"
        for report in reports
    ]
    return "\n".join([head, *lines, f"| all | | | {sum(report.seconds for report in reports):.0f} | | |"])


def _table(rows: Sequence[Row]) -> str:
    head = "| Work | System | Median | Lowest to highest | Ours is better by | |\n|---|---|---|---|---|---|"
    together = [row for work in dict.fromkeys(map(_work, rows)) for row in rows if _work(row) == work]
    return "\n".join([head, *(_line(row, rows) for row in together)])


def _line(row: Row, rows: Sequence[Row]) -> str:
    ours = next((each for each in rows if each.system == OURS and _work(each) == _work(row)), None)
    ratio = f"{advantage(row, ours):.2f}" if ours is not None and ours is not row else ""
    facts = ", ".join(f"{name} {short(value)}" for name, value in row.facts.items())
    spread = f"{short(min(row.values))} to {short(max(row.values))}"
    return f"| {row.work} | {row.system} | {short(row.median)} {row.unit} | {spread} | {ratio} | {facts} |"


def _work(row: Row) -> tuple[str, str]:
    return (row.work, row.unit)
