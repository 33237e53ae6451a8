"""Excel workbooks: a page a sheet, a line a row, as people see them.

Owns what a cell says: dates and times in ISO form, percentages as such, numbers with the digits that a double holds,
formulas as the value that was last computed. Refuses what is not seen: hidden sheets, rows and columns, comments;
follows no link to another file. Read as a stream that keeps filled cells only: a sheet is as large as it says for free,
and a library that lays out the whole grid first dies of one cell in the last corner.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ingestion import xml
from ingestion.extract import grid, ooxml
from ingestion.extract.reading import Block, Pages, Reading, Work
from ingestion.limits import JailLimits
from ingestion.xml import Element
from models.errors import TooComplex

# Cells that are only coloured cost time, too: so many of them for each that may be filled.
_EMPTY_FOR_EACH_FILLED = 10
_COLUMNS = 16_384
_COLUMN = re.compile(r"([A-Z]{1,3})[0-9]")
_ELAPSED = re.compile(r"\[[hms]+\]", re.IGNORECASE)
# What is quoted, escaped, blank of a width, filled up, or a condition, colour or locale says nothing of the kind.
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]', re.DOTALL)
_BUILT_IN = {
    9: "0%", 10: "0.00%", 14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm", 19: "h:mm:ss",
    20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss",
    **dict.fromkeys((*range(27, 32), 36, *range(50, 59)), "yyyy-mm-dd"), **dict.fromkeys(range(32, 36), "h:mm"),
}  # fmt: skip
_EPOCH_1900, _EPOCH_1904 = datetime(1899, 12, 30, tzinfo=UTC), datetime(1904, 1, 1, tzinfo=UTC)
# The 29th of February 1900, which never was, is a day in Excel: the days before it are counted from one day later.
_FEBRUARY_1900 = 60
_MAX_DAYS = 2_958_466
_SHOWN_STATES = frozenset({"", "visible"})
_TRUE = frozenset({"1", "true"})


def read(untrusted: bytes, work: Work) -> Reading:
    """Return the sheets that are shown as pages, each under its name.

    Raises what ``Archive``, ``xml.parse`` and ``Pages`` raise, and ``TooComplex`` for too many cells.
    """
    package = ooxml.Package(untrusted, work.limits)
    main = package.main_part()
    book = package.parse(main)
    workbook = _Workbook(package, main, book, work.limits)
    relations = package.relations(main)
    listed = xml.child(book, "sheets")
    sheets = [each for each in ([] if listed is None else listed) if each.get("state", "") in _SHOWN_STATES]
    pages = Pages(work.limits)
    for done, sheet in enumerate(sheets, start=1):
        relation = relations.get(ooxml.relation_id(sheet))
        blocks = workbook.blocks(relation.part) if relation and relation.kind == "worksheet" else ()
        pages.add_blocks(blocks, above=(sheet.get("name", ""),))
        work.report(done, len(sheets))
    return Reading(pages.all())


@dataclass(frozen=True, slots=True)
class _Format:
    """How a number is shown: as a date, a time of day, an elapsed time, a percentage with decimals, or not at all."""

    is_date: bool = False
    is_time: bool = False
    is_elapsed: bool = False
    has_seconds: bool = True
    percent_decimals: int | None = None
    is_hidden: bool = False


class _Workbook:
    """What all sheets share: texts, formats, the first day, and how many cells are left to read."""

    def __init__(self, package: ooxml.Package, main: str, book: Element, limits: JailLimits) -> None:
        self._package = package
        self._limits = limits
        self._filled = 0
        self._empty = 0
        properties = xml.child(book, "workbookPr")
        is_1904 = properties is not None and properties.get("date1904") in _TRUE
        self._epoch = _EPOCH_1904 if is_1904 else _EPOCH_1900
        self._texts = self._shared_texts(main)
        self._formats = [found for part in package.related(main, "styles") for found in _formats(package.parse(part))]

    def blocks(self, part: str) -> Iterator[Block]:
        """Yield a sheet's rows, then the text of the shapes that lie on it."""
        yield from grid.sheet_blocks(self._rows(part))
        for drawing in self._package.related(part, "drawing"):
            for body in self._package.parse(drawing).iter("{*}txBody"):
                yield from ooxml.shape_blocks(body)

    def _rows(self, part: str) -> list[dict[int, str]]:
        rows, row, hidden = list[dict[int, str]](), dict[int, str](), set[int]()
        column = -1
        for each in xml.elements(self._package.read(part), "col", "c", "row"):
            match xml.local_name(each):
                case "col":
                    hidden.update(_hidden_columns(each))
                case "c":
                    column = _column(each.get("r", ""), otherwise=column + 1)
                    text = self._text(each)
                    if text and column not in hidden:
                        row[column] = text
                case _:
                    if row and each.get("hidden") not in _TRUE:
                        rows.append(row)
                    row, column = dict[int, str](), -1
        return rows

    def _text(self, cell: Element) -> str:
        text = self._shown(cell).strip() if len(cell) else ""
        self._filled += bool(text)
        self._empty += not text
        if self._filled > self._limits.cells or self._empty > self._limits.cells * _EMPTY_FOR_EACH_FILLED:
            raise TooComplex
        return text

    def _shown(self, cell: Element) -> str:
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            inline = xml.child(cell, "is")
            return "" if inline is None else _rich_text(inline)
        element = xml.child(cell, "v")
        value = "" if element is None else element.text or ""
        style = _number(cell.get("s", "0"))
        shown_as = self._formats[style] if style < len(self._formats) else _Format()
        if shown_as.is_hidden:
            return ""
        match kind:
            case "s":
                index = _number(value)
                return self._texts[index] if value and index < len(self._texts) else ""
            case "b":
                return "TRUE" if value in _TRUE else "FALSE" if value else ""
            case "n":
                return _shown_number(value, shown_as, self._epoch)
            case _:
                return value

    def _shared_texts(self, main: str) -> list[str]:
        texts = list[str]()
        for part in self._package.related(main, "sharedStrings"):
            for each in xml.elements(self._package.read(part), "si"):
                texts.append(_rich_text(each))
                if len(texts) > self._limits.cells:
                    raise TooComplex
        return texts


def _hidden_columns(column: Element) -> range | set[int]:
    if column.get("hidden") not in _TRUE:
        return set()
    return range(_number(column.get("min", "")) - 1, min(_number(column.get("max", "")), _COLUMNS))


def _column(reference: str, *, otherwise: int) -> int:
    """Return the number of the column in a reference like "BC17", counted from 0."""
    found = _COLUMN.match(reference)
    if not found:
        return otherwise
    number = 0
    for letter in found[1]:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _rich_text(element: Element) -> str:
    """Return a text's runs without the readings of its characters."""
    parts = list[str]()
    for each in element:
        match xml.local_name(each):
            case "t":
                parts.append(each.text or "")
            case "r":
                parts.extend(text.text or "" for text in xml.children(each, "t"))
            case _:
                pass
    return "".join(parts)


def _formats(styles: Element) -> list[_Format]:
    """Return how each style of cells shows numbers."""
    own = xml.child(styles, "numFmts")
    codes: Mapping[int, str] = _BUILT_IN | {
        _number(each.get("numFmtId", "")): each.get("formatCode", "") for each in ([] if own is None else own)
    }
    cells = xml.child(styles, "cellXfs")
    return [
        _format(codes.get(_number(each.get("numFmtId", "0")), ""))
        for each in ([] if cells is None else xml.children(cells, "xf"))
    ]


def _format(code: str) -> _Format:
    if code.strip() and not code.strip("; "):
        return _Format(is_hidden=True)
    positive = code.split(";", 1)[0]
    is_elapsed = bool(_ELAPSED.search(positive))
    letters = _LITERAL.sub("", positive).lower()
    if "general" in letters:
        return _Format()
    if is_elapsed:
        return _Format(is_elapsed=True, has_seconds="s" in positive.lower())
    if "%" in letters:
        decimals = re.search(r"\.([0#?]+)", letters)
        return _Format(percent_decimals=len(decimals[1]) if decimals else 0)
    is_time = any(letter in letters for letter in "hs")
    # An "m" alone is a month, beside hours or seconds it is minutes. In East Asian dates the year is an "e".
    is_date = any(letter in letters for letter in "yd") or ("m" in letters and not is_time)
    return _Format(is_date=is_date, is_time=is_time)


def _shown_number(value: str, shown_as: _Format, epoch: datetime) -> str:
    try:
        number = float(value)
    except ValueError:
        return value
    if shown_as.percent_decimals is not None:
        # Halves are rounded away from zero, as Excel does, not to the even digit.
        return f"{number * (100 + 1e-10):.{min(shown_as.percent_decimals, 10)}f}%"
    if 0 <= number < _MAX_DAYS and (shown_as.is_date or shown_as.is_time or shown_as.is_elapsed):
        return _shown_time(number, shown_as, epoch)
    # Excel keeps fifteen digits, and so 0.1 + 0.2 is 0.3.
    return f"{number:.15g}" if abs(number) < 1e15 else value


def _shown_time(days: float, shown_as: _Format, epoch: datetime) -> str:
    seconds = round(days * 86_400)
    if shown_as.is_elapsed or (shown_as.is_time and not shown_as.is_date and days >= 1):
        minutes = f"{seconds // 3600}:{seconds // 60 % 60:02}"
        return f"{minutes}:{seconds % 60:02}" if shown_as.has_seconds else minutes
    early = epoch == _EPOCH_1900 and days < _FEBRUARY_1900
    moment = epoch + timedelta(days=1 if early else 0, seconds=seconds)
    time = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    if not shown_as.is_date:
        return time
    return f"{moment:%Y-%m-%d} {time}" if shown_as.is_time else f"{moment:%Y-%m-%d}"


def _number(value: str) -> int:
    """Return a number that counts something, or one too large for anything where it is none."""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else 10**9
