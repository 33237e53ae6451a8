"""PDF pages in vertical writing: their columns from right to left, each from top to bottom.

Owns how such a page is told from the places of its characters, and in which order its columns are read. PDFium gives
the characters of a column in order, but the columns from left to right or as the file has them. Pages in any other
writing are left as they are, and so is one with more characters than are ever printed on a page.
"""

import ctypes
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from statistics import median

import pypdfium2 as pdfium
from pypdfium2 import raw

_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_MIN_CJK = 20
_MAX_CHARACTERS = 20_000
# So many neighbours are looked at, spread over the page.
_LOOKED_AT = 48
_MIN_NEIGHBOURS = 8
_VERTICAL_SHARE = 0.6
_UPRIGHT_RADIANS = 0.1
_ADDED = 2  # Characters that PDFium adds at a time: the two of a line's end.
# Parts of a page hold parts. What nests deeper was made to be slow.
_MAX_DEPTH = 12
# In heights of a character: how far from the middle of its column one may stand, how large a hole a column may have,
# how far up the next one may begin (the digits of a number stand side by side), how far apart words are in a line
# across (a page's head, a number), and how much empty space divides a page into upper and lower, or right and left
# parts.
_ASIDE, _HOLE, _BESIDE, _BLANK, _BAND, _GUTTER = 0.7, 2.5, 1.5, 0.5, 0.8, 3.0


@dataclass(frozen=True, slots=True)
class _Box:
    """Where something stands on its page, in points; ``top`` is larger than ``bottom``."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2


@dataclass(frozen=True, slots=True)
class _Column:
    """Characters below one another, or a line across, and the box around them all."""

    text: str = field(repr=False)
    box: _Box


def in_reading_order(textpage: pdfium.PdfTextPage, text: str) -> str:
    """Return the text of a page in vertical writing, a column a line; that of any other page as it is given.

    ``text`` is what PDFium says of the whole page.
    """
    if text.isascii() or sum(1 for _ in islice(_CJK.finditer(text), _MIN_CJK)) < _MIN_CJK:
        return text
    count = textpage.count_chars()
    if count > _MAX_CHARACTERS or not _is_vertical(textpage, count):
        return text
    placed = list(_placed(textpage, count))
    size = median(box.top - box.bottom for _, box in placed) or 1.0
    lines = "\n".join(column.text for column in _ordered(list(_columns(placed, size)), size))
    # Characters beyond the first 65,536 may come in two halves.
    return lines.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _is_vertical(textpage: pdfium.PdfTextPage, count: int) -> bool:
    """Say whether upright CJK characters mostly stand right below the ones that they follow."""
    votes = list[bool]()
    for at in range(0, count - _ADDED - 1, max(1, count // _LOOKED_AT)):
        # PDFium may take each character for a line and add its end.
        after = next((each for each in range(at + 1, at + _ADDED + 2) if not _is_added(textpage, each)), at)
        if after > at and _is_cjk(textpage, at) and _is_cjk(textpage, after):
            first, second = _box(textpage, at), _box(textpage, after)
            is_below = first.bottom - second.top > -(first.top - first.bottom) / 2
            votes.append(is_below and first.left < second.middle < first.right and _is_upright(textpage, at))
    return len(votes) >= _MIN_NEIGHBOURS and sum(votes) > _VERTICAL_SHARE * len(votes)


def _is_cjk(textpage: pdfium.PdfTextPage, at: int) -> bool:
    return _CJK.match(chr(raw.FPDFText_GetUnicode(textpage, at))) is not None


def _is_added(textpage: pdfium.PdfTextPage, at: int) -> bool:
    return raw.FPDFText_IsGenerated(textpage, at) == 1


def _is_upright(textpage: pdfium.PdfTextPage, at: int) -> bool:
    return abs(raw.FPDFText_GetCharAngle(textpage, at)) < _UPRIGHT_RADIANS


def _box(textpage: pdfium.PdfTextPage, at: int) -> _Box:
    """Return the cell of a character, which is as large for a comma as for an ideograph."""
    box = raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(textpage, at, ctypes.byref(box))
    return _Box(box.left, box.bottom, box.right, box.top)


def _placed(textpage: pdfium.PdfTextPage, count: int) -> Iterator[tuple[str, _Box]]:
    """Yield the characters that the file has, without the line ends and blanks that PDFium adds."""
    for at in range(count):
        if not _is_added(textpage, at):
            yield chr(raw.FPDFText_GetUnicode(textpage, at)), _box(textpage, at)


def _columns(placed: Sequence[tuple[str, _Box]], size: float) -> Iterator[_Column]:
    """Cut the characters, in the order given, wherever one stands neither below nor beside the one before."""
    start = 0
    for at, ((_, before), (_, box)) in enumerate(pairwise(placed), start=1):
        is_below = abs(box.middle - placed[start][1].middle) < _ASIDE * size
        is_near = -_BESIDE * size < before.bottom - box.top < _HOLE * size
        is_beside = abs(box.left - before.right) < _BLANK * size and abs(box.bottom - before.bottom) < size / 2
        if not is_beside and not (is_below and is_near):
            yield _column(placed[start:at])
            start = at
    yield _column(placed[start:])


def _column(placed: Sequence[tuple[str, _Box]]) -> _Column:
    return _Column("".join(character for character, _ in placed), _around(box for _, box in placed))


def _around(boxes: Iterable[_Box]) -> _Box:
    left, bottom, right, top = zip(*((box.left, box.bottom, box.right, box.top) for box in boxes), strict=True)
    return _Box(min(left), min(bottom), max(right), max(top))


def _ordered(columns: Sequence[_Column], size: float) -> list[_Column]:
    """Return columns as they are read: upper parts of the page before lower ones, in each from right to left."""
    waiting, found = [(list(columns), 0)], list[_Column]()
    while waiting:
        part, depth = waiting.pop()
        parts = _divided(part, size) if depth < _MAX_DEPTH else []
        if len(parts) > 1:
            waiting.extend((each, depth + 1) for each in reversed(parts))
        else:
            found.extend(sorted(part, key=lambda column: (-column.box.right, -column.box.top)))
    return found


def _divided(columns: Sequence[_Column], size: float) -> list[list[_Column]]:
    """Cut a page's part at empty bands across it, or, where it has none, at wide gutters."""
    rows = _runs(sorted(((-each.box.top, -each.box.bottom, each) for each in columns), key=_first), _BAND * size)
    if len(rows) > 1:
        return rows
    return _runs(sorted(((-each.box.right, -each.box.left, each) for each in columns), key=_first), _GUTTER * size)


def _first(extent: tuple[float, float, _Column]) -> float:
    return extent[0]


def _runs(extents: Sequence[tuple[float, float, _Column]], gap: float) -> list[list[_Column]]:
    """Group what lies from one place to another, sorted by the first, where nothing lies for so long."""
    runs, reached = list[list[_Column]](), 0.0
    for start, end, column in extents:
        if not runs or start - reached > gap:
            runs.append([])
            reached = end
        reached = max(reached, end)
        runs[-1].append(column)
    return runs
