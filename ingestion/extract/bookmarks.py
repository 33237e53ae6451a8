"""The chapters of a PDF, from the bookmarks its author made.

Owns where a passage stands: the titles above its page, and the headings on the page itself where they can be found
in its text. A title that is not found there adds nothing that could be wrong for a part of the page.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile

import pypdfium2 as pdfium

from ingestion.extract.reading import Block
from ingestion.outline import one_line

_MAX_BOOKMARKS = 2_000
_MAX_DEPTH = 6
_MAX_TITLE_CHARACTERS = 300
# Of one page. What has more was made to be slow.
_MAX_LINES, _MAX_HEADINGS = 5_000, 100


@dataclass(frozen=True, slots=True)
class _Bookmark:
    """A title, the page it leads to (from 0), and its level (from 1)."""

    page: int
    level: int
    title: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Chapter:
    """A page's text in parts, and the titles above all of it."""

    blocks: tuple[Block, ...] = field(repr=False)
    above: tuple[str, ...] = field(default=(), repr=False)


class Bookmarks:
    """The bookmarks of one document, in the order of its pages."""

    def __init__(self, document: pdfium.PdfDocument, pages: int) -> None:
        self._all = sorted(_bookmarks(document, pages), key=lambda each: each.page)
        self._paths = list(_paths(self._all))

    def chapter(self, index: int, text: str) -> Chapter:
        """Return a page (counted from 0) in parts."""
        first = bisect_left(self._all, index, key=lambda each: each.page)
        after = bisect_right(self._all, index, key=lambda each: each.page)
        before = self._paths[first - 1] if first else ()
        paths = self._paths[first:after]
        above = _common([before, *(path[:-1] for path in paths)])
        return Chapter(tuple(_parts(text, self._all[first:after], len(above))), above)


def _bookmarks(document: pdfium.PdfDocument, pages: int) -> Iterator[_Bookmark]:
    """Yield what leads to a page; no more than a long book has, whatever loops there are."""
    try:
        for bookmark in islice(document.get_toc(max_depth=_MAX_DEPTH), _MAX_BOOKMARKS):
            place = bookmark.get_dest()
            page = place.get_index() if place else None
            title = one_line(bookmark.get_title()[:_MAX_TITLE_CHARACTERS])
            if page is not None and 0 <= page < pages and title:
                yield _Bookmark(page, bookmark.level + 1, title)
    except (pdfium.PdfiumError, UnicodeError):
        return


def _paths(bookmarks: Sequence[_Bookmark]) -> Iterator[tuple[str, ...]]:
    """Yield for each bookmark the titles from the highest level down to its own."""
    path = list[_Bookmark]()
    for bookmark in bookmarks:
        path = [*takewhile(lambda each, level=bookmark.level: each.level < level, path), bookmark]
        yield tuple(each.title for each in path)


def _common(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return how all of the paths begin."""
    return tuple(titles[0] for titles in takewhile(lambda each: len(set(each)) == 1, zip(*paths, strict=False)))


def _parts(text: str, bookmarks: Sequence[_Bookmark], depth: int) -> Iterator[Block]:
    """Cut the text at the lines that are titles, in their order."""
    lines, start = text.splitlines(keepends=True) if bookmarks else [text], 0
    if len(lines) > _MAX_LINES:
        yield Block(text)
        return
    titles = [one_line(line) if len(line) <= _MAX_TITLE_CHARACTERS else "" for line in lines]
    for bookmark in bookmarks[:_MAX_HEADINGS]:
        at = next((at for at in range(start, len(lines)) if _is_heading(titles[at], bookmark.title)), None)
        if at is None:
            continue
        yield Block("".join(lines[start:at]))
        yield Block(lines[at], level=min(6, max(1, bookmark.level - depth)))
        start = at + 1
    yield Block("".join(lines[start:]))


def _is_heading(line: str, title: str) -> bool:
    """Say whether a line is this title, with or without the number that is printed before it."""
    line, title = line.casefold(), title.casefold()
    return (
        line == title
        or (line.endswith(" " + title) and len(line) - len(title) <= 12)
        or (title.endswith(" " + line) and len(title) - len(line) <= 12)
    )
