"""OpenDocument texts, presentations and spreadsheets, as LibreOffice and others write them.

Owns the order of a text: the body with its frames and notes right after the paragraph they belong to, then each header
and footer once. Slides are numbered as they are shown, a hidden one is an empty page; of a spreadsheet each sheet that
is shown is a page. Refuses what a reader does not see: deleted and hidden text, comments, hidden sheets and rows,
forms, properties, objects. Of characters with a reading above them the characters stay.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from ingestion import xml
from ingestion.archive import Archive
from ingestion.extract import grid
from ingestion.extract.reading import Block, Pages, Reading, Work
from ingestion.limits import JailLimits
from ingestion.xml import Element
from models.errors import EncryptedDocument, ParserFailed, TooComplex

_MAX_LEVEL = 6
_MAX_BLANKS = 100
_COLUMNS = 16_384
_EMPTY_FOR_EACH_FILLED = 10
_UNSEEN = frozenset({
    "tracked-changes", "annotation", "annotation-end", "note-citation", "ruby-text", "title", "desc", "forms", "script",
    "event-listeners", "object", "object-ole", "image", "plugin", "applet", "settings", "page-number", "hidden-text",
    "variable-decls", "sequence-decls", "user-field-decls", "alphabetical-index-auto-mark-file",
})  # fmt: skip
_WITHIN_FLOW = frozenset({
    "text", "section", "index-body", "index-title", "table-of-content", "illustration-index", "table-index",
    "object-index", "user-index", "alphabetical-index", "bibliography", "text-box", "header", "header-left",
    "header-first", "footer", "footer-left", "footer-first", "note-body", "g", "a", "frame", "custom-shape", "rect",
    "ellipse", "polygon", "path", "caption", "connector", "line", "page-sequence", "soft-page-break", "region-left",
    "region-center", "region-right", "shapes",
})  # fmt: skip
_FRAMES = frozenset({"frame", "custom-shape", "g", "rect", "ellipse", "caption", "text-box", "polygon", "path"})
_MARGINS = ("header", "header-left", "header-first", "footer", "footer-left", "footer-first")
_DURATION = re.compile(r"P(?:(\d{1,6})D)?T(\d{1,8})H(\d{1,2})M(\d{1,2})")
_ROWS = frozenset({"table-rows", "table-header-rows", "table-row-group"})
_SHOWN = frozenset({"", "visible"})


def read_text(untrusted: bytes, work: Work) -> Reading:
    """Return the text as one page. Raises what ``Archive``, ``xml.parse`` and ``Pages`` raise."""
    document = _Document(untrusted, work.limits)
    pages = Pages(work.limits)
    pages.add_blocks(document.text_blocks())
    work.report(1, 1)
    return Reading(pages.all())


def read_slides(untrusted: bytes, work: Work) -> Reading:
    """Return the slides as pages, each followed by its notes. Raises as ``read_text`` does."""
    document = _Document(untrusted, work.limits)
    slides = xml.children(document.body("presentation"), "page")
    pages = Pages(work.limits)
    for done, slide in enumerate(slides, start=1):
        pages.add_blocks(document.slide_blocks(slide))
        work.report(done, len(slides))
    return Reading(pages.all())


def read_sheet(untrusted: bytes, work: Work) -> Reading:
    """Return the sheets that are shown as pages.

    Raises as ``read_text`` does, and ``TooComplex`` for too many cells.
    """
    document = _Document(untrusted, work.limits)
    tables = [each for each in xml.children(document.body("spreadsheet"), "table") if not document.is_hidden(each)]
    cells = _Cells(work.limits, document.cell_text)
    pages = Pages(work.limits)
    for done, table in enumerate(tables, start=1):
        pages.add_blocks(document.sheet_blocks(table, cells), above=(xml.attribute(table, "name"),))
        work.report(done, len(tables))
    return Reading(pages.all())


class _Document:
    """One document: its content, and which of its styles hide what they are given to."""

    def __init__(self, untrusted: bytes, limits: JailLimits) -> None:
        archive = Archive(untrusted, limits)
        _refuse_encrypted(archive, limits)
        self._content = xml.parse(archive.read("content.xml"), limits)
        self._styles = xml.parse(archive.read("styles.xml"), limits) if "styles.xml" in archive else None
        roots = [root for root in (self._content, self._styles) if root is not None]
        self._hiding = {name for root in roots for name in _hiding(root)}
        self._titles = {"Title"} | {
            xml.attribute(style, "name")
            for style in self._content.iter("{*}style")
            if xml.attribute(style, "parent-style-name") == "Title"
        }

    def body(self, kind: str) -> Element:
        """Return the body. Raises ``ParserFailed`` when it is one of another kind of document."""
        body = xml.child(self._content, "body", kind)
        if body is None:
            raise ParserFailed
        return body

    def is_hidden(self, element: Element) -> bool:
        """Say whether an element is shown to nobody, by itself or by its style."""
        name = xml.attribute(element, "style-name")
        return xml.attribute(element, "display") in {"none", "false"} or name in self._hiding

    def text_blocks(self) -> Iterator[Block]:
        """Yield the body, then each header and footer whose text is not there yet."""
        yield from self._flow(self.body("text"))
        masters = None if self._styles is None else xml.child(self._styles, "master-styles")
        seen = set[str]()
        for master in [] if masters is None else xml.children(masters, "master-page"):
            for margin in xml.children(master, *_MARGINS):
                for block in self._flow([margin]):
                    if block.text not in seen:
                        seen.add(block.text)
                        yield block

    def slide_blocks(self, slide: Element) -> Iterator[Block]:
        """Yield a slide's title, its other shapes as they lie, and its notes."""
        if self.is_hidden(slide):
            return
        shapes = [each for each in slide if xml.local_name(each) != "notes"]
        blocks = [block for shape in shapes for block in self._shape(shape)]
        yield from sorted(blocks, key=lambda block: block.level != 1)
        for notes in xml.children(slide, "notes"):
            for shape in notes:
                if xml.attribute(shape, "class") == "notes":
                    yield from self._shape(shape)

    def sheet_blocks(self, table: Element, cells: "_Cells") -> Iterator[Block]:
        """Yield a sheet's rows, then the text of the shapes that lie on it."""
        yield from grid.sheet_blocks(cells.rows(table))
        for shapes in xml.children(table, "shapes"):
            yield from self._flow(shapes)

    def cell_text(self, cell: Element) -> str:
        """Return what a cell says on one line, with its notes and the tables within it."""
        return " ".join(block.text for block in self._flow(cell) if block.text.strip())

    def _shape(self, shape: Element) -> Iterator[Block]:
        if xml.attribute(shape, "placeholder") == "true":
            return
        blocks = self._flow([shape])
        if xml.attribute(shape, "class") == "title":
            yield Block(" ".join(" ".join(block.text for block in blocks).split()), 1)
        else:
            yield from blocks

    def _flow(self, container: Iterable[Element], *, is_list: bool = False) -> Iterator[Block]:
        for each in container:
            name = xml.local_name(each)
            if name in _UNSEEN or self.is_hidden(each):
                continue
            if name in {"p", "h"}:
                yield from self._paragraph(each, is_list=is_list)
            elif name in {"list", "list-item", "list-header", "numbered-paragraph"}:
                yield from self._flow(each, is_list=True)
            elif name == "table":
                yield from self._table(each)
            elif name in _WITHIN_FLOW:
                yield from self._flow(each, is_list=is_list)

    def _paragraph(self, paragraph: Element, *, is_list: bool) -> Iterator[Block]:
        if any(xml.attribute(each, "is-hidden") == "true" for each in paragraph.iter("{*}hidden-paragraph")):
            return
        aside = list[Element]()
        text = "".join(self._inline(paragraph, aside))
        level = self._level(paragraph)
        yield Block(" ".join(text.split()) if level else text, level, tight=is_list and not level)
        yield from self._flow(aside)

    def _level(self, paragraph: Element) -> int:
        if xml.local_name(paragraph) != "h":
            return 1 if xml.attribute(paragraph, "style-name") in self._titles else 0
        value = xml.attribute(paragraph, "outline-level")
        return min(max(int(value), 1), _MAX_LEVEL) if value.isascii() and value.isdigit() and len(value) < 4 else 1

    def _inline(self, element: Element, aside: list[Element]) -> Iterator[str]:
        """Yield the text of a paragraph; what is framed in it and its notes are left in ``aside`` for later."""
        yield _folded(element.text)
        for each in element:
            name = xml.local_name(each)
            if name in {"s", "tab", "line-break"}:
                yield _blank(each, name)
            elif name == "note":
                aside.extend(xml.children(each, "note-body"))
            elif name in _FRAMES:
                aside.append(each)
            elif name not in _UNSEEN and not self.is_hidden(each):
                yield from self._inline(each, aside)
            yield _folded(each.tail)

    def _table(self, table: Element) -> Iterator[Block]:
        rows = [[self.cell_text(each) for each in _cells(row)] for row in _rows(table)]
        yield from grid.blocks(rows, has_header=True)


class _Cells:
    """Reads the cells of sheets, counting those with something in them; one that is repeated counts each time."""

    def __init__(self, limits: JailLimits, text: Callable[[Element], str]) -> None:
        self._max = limits.cells
        self._text = text
        self._filled = 0
        self._empty = 0

    def rows(self, table: Element) -> list[dict[int, str]]:
        """Return the rows that are shown and not empty. Raises ``TooComplex``."""
        hidden = _hidden_columns(table)
        rows = list[dict[int, str]]()
        for row in _rows(table):
            if xml.attribute(row, "visibility") not in _SHOWN:
                continue
            cells = self._row(row, hidden)
            times = _repeated(row, "number-rows-repeated") if cells else 0
            self._count((times - 1) * len(cells))
            rows.extend([cells] * times)
        return rows

    def _row(self, row: Element, hidden: set[int]) -> dict[int, str]:
        cells, column = dict[int, str](), 0
        for cell in _cells(row, covered=True):
            times = _repeated(cell, "number-columns-repeated")
            text = self._shown(cell)
            if text and column < _COLUMNS:
                shown = [at for at in range(column, min(column + times, _COLUMNS)) if at not in hidden]
                self._count(len(shown))
                cells.update(dict.fromkeys(shown, text))
            else:
                self._count_empty()
            column += times
        return cells

    def _shown(self, cell: Element) -> str:
        match xml.attribute(cell, "value-type"):
            case "date":
                return xml.attribute(cell, "date-value").replace("T", " ").removesuffix(" 00:00:00")
            case "time":
                return _time(xml.attribute(cell, "time-value"))
            case _:
                return self._text(cell).strip() or xml.attribute(cell, "value")

    def _count(self, cells: int) -> None:
        self._filled += cells
        if self._filled > self._max:
            raise TooComplex

    def _count_empty(self) -> None:
        self._empty += 1
        if self._empty > self._max * _EMPTY_FOR_EACH_FILLED:
            raise TooComplex


def _refuse_encrypted(archive: Archive, limits: JailLimits) -> None:
    if "META-INF/manifest.xml" in archive:
        manifest = xml.parse(archive.read("META-INF/manifest.xml"), limits)
        if next(manifest.iter("{*}encryption-data", "{*}encrypted-key"), None) is not None:
            raise EncryptedDocument


def _hiding(root: Element) -> Iterator[str]:
    """Yield the names of the styles that hide: text, a sheet, a slide."""
    for style in root.iter("{*}style"):
        for properties in style:
            if (
                (xml.local_name(properties) == "text-properties" and xml.attribute(properties, "display") == "none")
                or (
                    xml.local_name(properties) == "table-properties" and xml.attribute(properties, "display") == "false"
                )
                or xml.attribute(properties, "visibility") == "hidden"
            ):
                yield xml.attribute(style, "name")


def _blank(element: Element, name: str) -> str:
    if name == "s":
        return " " * min(_repeated(element, "c"), _MAX_BLANKS)
    return "\t" if name == "tab" else "\n"


def _folded(text: str | None) -> str:
    """Return text with each run of blanks as one: more have elements of their own."""
    return re.sub(r"[ \t\r\n]+", " ", text) if text else ""


def _repeated(element: Element, name: str) -> int:
    value = xml.attribute(element, name)
    return max(int(value), 1) if value.isascii() and value.isdigit() and len(value) < 10 else 1


def _rows(table: Iterable[Element]) -> Iterator[Element]:
    for each in table:
        name = xml.local_name(each)
        if name == "table-row":
            yield each
        elif name in _ROWS and xml.attribute(each, "display") != "false":
            yield from _rows(each)


def _cells(row: Iterable[Element], *, covered: bool = False) -> list[Element]:
    return [
        each
        for each in row
        if xml.local_name(each) == "table-cell" or (covered and xml.local_name(each) == "covered-table-cell")
    ]


def _hidden_columns(table: Element) -> set[int]:
    hidden, column = set[int](), 0
    for each in table.iter("{*}table-column"):
        times = _repeated(each, "number-columns-repeated")
        if xml.attribute(each, "visibility") not in _SHOWN:
            hidden.update(range(column, min(column + times, _COLUMNS)))
        column += times
    return hidden


def _time(duration: str) -> str:
    """Return a duration like "PT06H12M00S" as "6:12:00", or as it is."""
    found = _DURATION.match(duration)
    if not found:
        return duration
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return f"{days * 24 + hours}:{minutes:02}:{seconds:02}"
