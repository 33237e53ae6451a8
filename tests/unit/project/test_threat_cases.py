"""The table of threats names every case: a test that tries it, or why it, or a part of it, is not proven."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pytest

from scripts.check_floors import ROOT

SERIES = {
    "U": 15, "J": 10, "N": 10, "B": 9, "L": 10, "I": 8, "K": 25, "D": 13, "W": 9, "C": 10, "S": 14, "X": 12, "R": 20,
    "O": 12, "V": 9,
}  # fmt: skip

TABLE = (ROOT / "docs" / "threat-cases.md").read_text(encoding="utf-8")
_HEADING = re.compile(r"^## .+ \(([A-Z])\)$")
_ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| (.+) \|$")
_LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)[^)]*\)")
_CASES = re.compile(r"([A-Z])(\d\d)(?:[–-]([A-Z])(\d\d))?")
_UNPROVEN = re.compile(r"not (?:proven|applicable): (.+)")
_FEWEST_LETTERS = 15


class Line(NamedTuple):
    series: str
    cases: str
    what: str
    where: str


class Fault(Exception):
    """A line of the table cannot be read."""


def lines(table: str) -> Iterator[Line]:
    series = ""
    for text in table.splitlines():
        if heading := _HEADING.match(text):
            series = heading[1]
        elif (row := _ROW.match(text)) and row[1] not in {"Case", "all"} and not row[1].startswith("-"):
            yield Line(series, row[1], row[2], row[3])


def cases(spec: str, series: str) -> Iterator[str]:
    """Read ``J01–J04, J06``: single cases and ranges of one series."""
    for part in spec.split(", "):
        found = _CASES.fullmatch(part)
        if found is None or found[1] != series or found[3] not in {None, series}:
            raise Fault(f"{part} is no case of the series {series or 'that no heading names'}")
        first, last = int(found[2]), int(found[4] or found[2])
        if not 1 <= first <= last <= SERIES[series]:
            raise Fault(f"{part} is not in the catalogue")
        yield from (f"{series}{number:02}" for number in range(first, last + 1))


def faults(table: str, *, series: Iterable[str] = SERIES) -> list[str]:
    """Return everything that is wrong with a table of these series."""
    found: list[str] = []
    told = set[str]()
    for line in lines(table):
        try:
            named = set(cases(line.cases, line.series))
        except Fault as fault:
            found.append(str(fault))
            continue
        reason = _UNPROVEN.fullmatch(line.where)
        links = _LINK.findall(line.where)
        if reason and len(reason[1]) < _FEWEST_LETTERS:
            found.append(f"{line.cases}: not proven, without a reason")
        if not reason and not links:
            found.append(f"{line.cases}: names neither a test nor a reason")
        found += [f"{line.cases}: {link} is not there" for link in links if not (ROOT / "docs" / link).exists()]
        told.update(named)
    wanted = {f"{name}{number:02}" for name in series for number in range(1, SERIES[name] + 1)}
    return found + [f"{case}: is not in the table" for case in sorted(wanted - told)]


def test_the_catalogue_has_a_hundred_and_eighty_six_cases() -> None:
    assert sum(SERIES.values()) == 186


def test_every_case_has_a_test_that_exists_or_a_reason_why_it_is_not_proven() -> None:
    assert len(list(lines(TABLE))) > 40
    assert faults(TABLE) == []


def test_what_is_not_proven_is_named_on_the_page_for_everybody() -> None:
    page = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
    open_cases = [line for line in lines(TABLE) if line.where.startswith("not proven")]

    assert open_cases, "when all is proven, the page needs no such list, nor this test"
    assert [line.cases for line in open_cases if f"**{line.cases}**, {line.what}: " not in page] == []


def test_the_series_stand_in_the_order_of_the_catalogue() -> None:
    order = [found[1] for text in TABLE.splitlines() if (found := _HEADING.match(text))]

    assert order == [name for name in SERIES if name in order]


HEAD = "## Jails (J)\n\n| Case | What | Where |\n|---|---|---|\n"
GOOD = "| J01–J04, J06 | walls | [a](../README.md) |\n| J05, J07-J10 | more | not proven: no machine was at hand |\n"


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("| J11 | none | [a](../README.md) |\n", "J11 is not in the catalogue"),
        ("| J04–J02 | backwards | [a](../README.md) |\n", "J04–J02 is not in the catalogue"),
        ("| K01 | elsewhere | [a](../README.md) |\n", "K01 is no case of the series J"),
        ("| J01 | gone | [a](../tests/none.py) |\n", "J01: ../tests/none.py is not there"),
        ("| J01 | nothing | some words |\n", "J01: names neither a test nor a reason"),
        ("| J01 to J03 | no range | [a](../README.md) |\n", "J01 to J03 is no case of the series J"),
    ],
)
def test_each_fault_of_a_table_is_found(more: str, fault: str) -> None:
    assert faults(HEAD + GOOD, series="J") == []

    assert faults(HEAD + GOOD + more, series="J") == [fault]


def test_a_case_that_is_missing_or_has_no_reason_is_named() -> None:
    assert faults(HEAD + GOOD.replace("J05, ", ""), series="J") == ["J05: is not in the table"]
    short = GOOD.replace("no machine was at hand", "no")
    assert faults(HEAD + short, series="J") == ["J05, J07-J10: not proven, without a reason"]
