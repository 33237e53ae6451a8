"""The numbers and letters that Word puts before paragraphs: "3.", "b)", "Article 4".

Owns the counting. A person sees them and asks for them; the paragraphs themselves do not hold them. Bullets say nothing
and are left out.
"""

import re
from dataclasses import dataclass, field

from ingestion import xml
from ingestion.xml import Element

_LEVELS = 9
_PLACE = re.compile("%([1-9])")
_MAX_CHARACTERS = 60
# A count is written in letters or Roman numerals up to here, and in digits beyond.
_MAX_LETTERS, _MAX_ROMAN = 26 * 10, 3_999
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
    (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_SILENT = frozenset({"bullet", "none"})


@dataclass(frozen=True, slots=True)
class _Level:
    """How one level counts: from where, in which numerals, and what is written around them."""

    start: int = 1
    numerals: str = "decimal"
    text: str = field(default="", repr=False)


@dataclass(slots=True)
class _List:
    """A list as it is used: its levels, where it starts anew, and the counts that lists of one kind share."""

    levels: dict[int, _Level]
    counts: dict[int, int]
    restarts: dict[int, int]


class Numbers:
    """The counts of one document, in the order in which its paragraphs are read."""

    def __init__(self, numbering: Element | None) -> None:
        self._lists = {} if numbering is None else _lists(numbering)

    def label(self, number: str, level: int) -> str:
        """Count a paragraph of a list (the id that its properties name) at a level (from 0) and return its label."""
        found = self._lists.get(number)
        if found is None or level not in found.levels:
            return ""
        if level in found.restarts:
            found.counts[level] = found.restarts.pop(level)
        else:
            found.counts[level] = found.counts.get(level, found.levels[level].start - 1) + 1
        for deeper in range(level + 1, _LEVELS):
            found.counts.pop(deeper, None)
        return _label(found, level)


def _label(found: _List, level: int) -> str:
    def written(place: re.Match[str]) -> str:
        at = int(place[1]) - 1
        of = found.levels.get(at, _Level())
        return "" if of.numerals in _SILENT else _numeral(found.counts.get(at, of.start), of.numerals)

    shown = found.levels[level]
    return "" if shown.numerals in _SILENT else _PLACE.sub(written, shown.text)[:_MAX_CHARACTERS].strip()


def _numeral(count: int, numerals: str) -> str:
    match numerals:
        case "lowerLetter" | "upperLetter" if 0 < count <= _MAX_LETTERS:
            written = chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1)
        case "lowerRoman" | "upperRoman" if 0 < count <= _MAX_ROMAN:
            written = _roman(count)
        case "decimalZero":
            return f"{count:02}"
        case _:
            return str(count)
    return written.upper() if numerals.startswith("upper") else written


def _roman(count: int) -> str:
    written = ""
    for value, letters in _ROMAN:
        written += letters * (count // value)
        count %= value
    return written


def _lists(numbering: Element) -> dict[str, _List]:
    """Return the lists by the id that paragraphs name; those made from one pattern go on counting together."""
    patterns = {
        xml.attribute(each, "abstractNumId"): (_levels(each), dict[int, int]())
        for each in xml.children(numbering, "abstractNum")
    }
    lists = dict[str, _List]()
    for each in xml.children(numbering, "num"):
        of = xml.child(each, "abstractNumId")
        levels, counts = patterns.get("" if of is None else xml.attribute(of, "val"), ({}, {}))
        own, restarts = dict(levels), dict[int, int]()
        for change in xml.children(each, "lvlOverride"):
            own |= _levels(change)
            start = xml.child(change, "startOverride")
            if start is not None:
                restarts[_number(change, "ilvl", 0)] = _number(start, "val", 1)
        lists[xml.attribute(each, "numId")] = _List(own, counts, restarts)
    return lists


def _levels(container: Element) -> dict[int, _Level]:
    return {_number(each, "ilvl", 0): _level(each) for each in xml.children(container, "lvl")}


def _level(element: Element) -> _Level:
    start, numerals, text = (xml.child(element, name) for name in ("start", "numFmt", "lvlText"))
    return _Level(
        start=1 if start is None else _number(start, "val", 1),
        numerals="decimal" if numerals is None else xml.attribute(numerals, "val"),
        text="" if text is None else xml.attribute(text, "val")[:_MAX_CHARACTERS],
    )


def _number(element: Element, name: str, otherwise: int) -> int:
    value = xml.attribute(element, name)
    return int(value) if value.isascii() and value.isdigit() and len(value) < 7 else otherwise
