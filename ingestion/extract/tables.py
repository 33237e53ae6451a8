"""Comma-separated values, whatever separates them: one page, its rows under the names in the header."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice

from ingestion.extract import grid, text
from ingestion.extract.reading import Pages, Reading, Work
from models.errors import TooComplex

# Of those that agree as well, the one that stands least often inside a cell: German numbers have a comma.
_SEPARATORS = ("\t", ";", "|", ",")
_NO_SEPARATOR = "\x1f"
_MIN_AGREEMENT = 0.5
_STATED = re.compile(r'"?sep=([^\w"\r\n])"?(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
_SAMPLE_CHARACTERS = 64 * 1024
_SAMPLE_ROWS = 50


def read(untrusted: bytes, work: Work) -> Reading:
    """Return the table's rows. Raises ``UnsupportedType`` (no text) and ``TooComplex`` (cells, or the size of one).

    A quotation mark that is never closed is a character like any other.
    """
    content = text.decoded(untrusted)
    stated = _STATED.match(content)  # Excel's own first line, which is none of the table's.
    if stated is not None:
        content = content[stated.end() :]
    pages = Pages(work.limits)
    pages.add_blocks(grid.sheet_blocks(_table(content, stated and stated[1], work.limits.cells)))
    work.report(1, 1)
    return Reading(pages.all())


def _table(content: str, stated: str | None, max_cells: int) -> Sequence[Mapping[int, str]]:
    """Return the rows as strictly read as they can be: with quotation marks by the book, by and large, or as signs."""
    sample = content[:_SAMPLE_CHARACTERS]
    separator = stated or _separator(sample, quoted=True)
    try:
        return list(_rows(_reader(content, separator, quoted=True, strict=True), max_cells))
    except csv.Error as error:
        is_unclosed = "unexpected end of data" in str(error)
    if not is_unclosed:
        with suppress(csv.Error):
            return list(_rows(_reader(content, separator, quoted=True), max_cells))
    separator = stated or _separator(sample, quoted=False)
    try:
        return list(_rows(_reader(content, separator, quoted=False), max_cells))
    except csv.Error as error:
        raise TooComplex from error


def _reader(content: str, separator: str, *, quoted: bool, strict: bool = False) -> Iterator[list[str]]:
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    return csv.reader(io.StringIO(content, newline=""), delimiter=separator, quoting=quoting, strict=strict)


def _rows(reader: Iterator[list[str]], max_cells: int) -> Iterator[Mapping[int, str]]:
    """Yield the filled cells of each row that has any, by column. Raises ``TooComplex`` and ``csv.Error``."""
    cells = 0
    for row in reader:
        filled = {column: value for column, value in enumerate(row) if value and not value.isspace()}
        cells += len(filled)
        if cells > max_cells:
            raise TooComplex
        if filled:
            yield filled


def _separator(sample: str, *, quoted: bool) -> str:
    """Return what cuts most of the first rows into the same number of cells, two or more; what is in no text if none.

    Prose in one column has commas as well, but no two lines have the same number of them.
    """
    agreement = {separator: _agreement(sample, separator, quoted=quoted) for separator in _SEPARATORS}
    best = max(_SEPARATORS, key=lambda separator: agreement[separator])
    return best if agreement[best] > _MIN_AGREEMENT else _NO_SEPARATOR


def _agreement(sample: str, separator: str, *, quoted: bool) -> float:
    """Return the share of the rows that have as many cells as most have (0 to 1); 0 where that is one cell."""
    try:
        widths = [len(row) for row in islice(_reader(sample, separator, quoted=quoted), _SAMPLE_ROWS) if row]
    except csv.Error:
        return 0.0
    # The sample may end inside a row.
    widths = widths[:-1] if len(widths) > 2 else widths
    usual = max(set(widths), key=widths.count, default=1)
    return widths.count(usual) / len(widths) if usual > 1 else 0.0
