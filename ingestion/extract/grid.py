"""Tables as text: a row a line, its cells side by side, and above which columns they stand."""

from collections.abc import Iterator, Mapping, Sequence

from ingestion.extract.reading import Block

_DIVIDER = " | "
_MAX_HEADER_CHARACTERS = 80
# In a sheet with more places than this, filled or not, only the filled cells of a row are written.
_MAX_PLACES = 4_000_000


def line(cells: Sequence[str]) -> str:
    """Return a row as one line, without the empty cells at its end."""
    texts = [" ".join(cell.split()) for cell in cells]
    while texts and not texts[-1]:
        texts.pop()
    return _DIVIDER.join(texts)


def blocks(rows: Sequence[Sequence[str]], *, has_header: bool) -> Iterator[Block]:
    """Yield a block for each row that is not empty; with a header, the rows below it stand under its names.

    The first row is taken for a header only where it can be one: it has a short name for each of two columns or more.
    """
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    names = line(filled[0]) if has_header and len(filled) > 1 and _can_name(filled[0]) else ""
    for index, row in enumerate(filled):
        yield Block(line(row), columns=names if index else "", tight=index > 0)


def sheet_blocks(rows: Sequence[Mapping[int, str]]) -> Iterator[Block]:
    """Yield a block for each row of a sheet, given as its filled cells by column.

    Columns that nothing stands in are left out: a sheet may have sixteen thousand. The header is the first row with
    two cells or more, so that a title above it is none; or, where no row has two, the first row.
    """
    used = sorted(set[int]().union(*rows))
    is_sparse = len(used) * len(rows) > _MAX_PLACES
    header = next((index for index, row in enumerate(rows) if len(row) > 1), 0)
    names = ""
    for index, row in enumerate(rows):
        text = line([row.get(column, "") for column in (sorted(row) if is_sparse else used)])
        yield Block(text, columns=names, tight=index > 0)
        if index == header:
            names = text


def _can_name(row: Sequence[str]) -> bool:
    return len(row) > 1 and all(cell.strip() and len(cell) <= _MAX_HEADER_CHARACTERS for cell in row)
