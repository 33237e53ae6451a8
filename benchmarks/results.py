"""What every benchmark gives: rows of one shape, and how they are kept.

A row is one system at one piece of work, with a value a round. Rounds of all systems alternate within one run, so that
a busy machine slows all of them alike; compare values of the same place, or medians.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

OURS = "mayfly"
Better = Literal["higher", "lower"]
_Key = tuple[str, str, str]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One system at one piece of work; ``values`` holds one figure a round, in ``unit``. ``facts`` explain it."""

    work: str
    system: str
    unit: str
    values: tuple[float, ...]
    better: Better = "lower"
    facts: dict[str, float | str] = {}

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One part's rows, what they were measured on, and what could not be measured and why.

    ``began`` is a date and time, UTC; ``versions`` those of each other system that took part.
    """

    benchmark: str
    title: str
    size: str
    seconds: float
    machine: dict[str, object]
    rows: tuple[Row, ...]
    missing: tuple[str, ...] = ()
    about: str = ""
    began: str = ""
    commit: str = ""
    load_after: float = 0.0
    versions: dict[str, dict[str, str]] = {}


class Tally:
    """Where a part puts what it measures as it goes, so that whatever ends it early, what it had stays.

    ``missing`` says what could not be measured and why; ``versions`` are those of other systems, by their names.
    """

    def __init__(self) -> None:
        self._values: dict[_Key, list[float]] = {}
        self._better: dict[_Key, Better] = {}
        self._facts: dict[_Key, dict[str, float | str]] = {}
        self.missing = list[str]()
        self.versions = dict[str, dict[str, str]]()

    def note(
        self, work: str, system: str, value: float, unit: str, *, better: Better = "lower", **facts: float | str
    ) -> None:
        """Add one round's figure."""
        key = (work, system, unit)
        self._values.setdefault(key, []).append(float(f"{value:.5g}"))
        self._better[key] = better
        self._facts.setdefault(key, {}).update({name.replace("_", " "): fact for name, fact in facts.items()})

    def rows(self) -> tuple[Row, ...]:
        """Return all that was noted, in the order in which it first was."""
        return tuple(
            Row(
                work=work,
                system=system,
                unit=unit,
                values=tuple(values),
                better=self._better[work, system, unit],
                facts=self._facts[work, system, unit],
            )
            for (work, system, unit), values in self._values.items()
        )


def advantage(row: Row, ours: Row) -> float:
    """Return how many times better ours is; of rounds that were paired, the median of their ratios."""
    paired = len(row.values) == len(ours.values)
    mine, other = (ours.values, row.values) if paired else ((ours.median,), (row.median,))
    ratios = [a / b if row.better == "higher" else b / a for a, b in zip(mine, other, strict=True) if a and b]
    return statistics.median(ratios) if ratios else float("nan")


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def save(report: Report, folder: Path) -> None:
    """Write a report where ``load_all`` finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{report.benchmark}.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))


def load_all(folder: Path) -> list[Report]:
    """Return every report of a folder, by name."""
    return [msgspec.json.decode(file.read_bytes(), type=Report) for file in sorted(folder.glob("*.json"))]
