"""Comma-separated values, whatever separates them: one page, its rows under the names in the header."""

import csv
import io
from collections.abc import Iterator, Mapping
from itertools import islice

from ingestion.extract import grid, text
from ingestion.extract.reading import Pages, Reading, Work
from models.errors import TooComplex

_SEPARATORS = (",", ";", "\t", "|")
_SAMPLE_CHARACTERS = 64 * 1024
_SAMPLE_ROWS = 50


def read(untrusted: bytes, work: Work) -> Reading:
    """Return the table's rows. Raises ``UnsupportedType`` (no text) and ``TooComplex`` (cells, or the size of one).

    A quotation mark that is never closed is a character like any other.
    """
    content = text.decoded(untrusted)
    separator = _separator(content[:_SAMPLE_CHARACTERS])
    try:
        rows = list(_rows(content, separator, work.limits.cells, quoted=True))
    except csv.Error:
        try:
            rows = list(_rows(content, separator, work.limits.cells, quoted=False))
        except csv.Error as error:
            raise TooComplex from error
    pages = Pages(work.limits)
    pages.add_blocks(grid.sheet_blocks(rows))
    work.report(1, 1)
    return Reading(pages.all())


def _rows(content: str, separator: str, max_cells: int, *, quoted: bool) -> Iterator[Mapping[int, str]]:
    """Yield the filled cells of each row that has any, by column. Raises ``TooComplex`` and ``csv.Error``."""
    cells, quoting = 0, csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    for row in csv.reader(io.StringIO(content, newline=""), delimiter=separator, quoting=quoting):
        filled = {column: value for column, value in enumerate(row) if value and not value.isspace()}
        cells += len(filled)
        if cells > max_cells:
            raise TooComplex
        if filled:
            yield filled


def _separator(sample: str) -> str:
    """Return what separates the cells: what cuts most of the first rows into the same number of them, two or more."""
    return max(_SEPARATORS, key=lambda separator: _agreement(sample, separator))


def _agreement(sample: str, separator: str) -> tuple[float, int]:
    try:
        reader = csv.reader(io.StringIO(sample, newline=""), delimiter=separator)
        widths = [len(row) for row in islice(reader, _SAMPLE_ROWS) if row]
    except csv.Error:
        return 0.0, 0
    # The sample may end inside a row.
    widths = widths[:-1] if len(widths) > 2 else widths
    usual = max(set(widths), key=widths.count, default=1)
    return (widths.count(usual) / len(widths), usual) if usual > 1 else (0.0, 0)
