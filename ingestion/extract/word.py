"""Word documents: all that a reader sees, in one page.

Owns the order: the body with its text boxes and notes right after the paragraph they belong to, then each header and
footer once. Refuses what a reader does not see: deleted and hidden text, comments, instructions of fields, properties,
embedded files. Of characters with a reading above them the characters stay and the reading goes: a word that is cut
into syllables is found by nobody. Numbers that Word makes (of lists, headings and notes) are not text.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ingestion import xml
from ingestion.extract import grid, ooxml
from ingestion.extract.reading import Block, Pages, Reading, Work
from ingestion.xml import Element
from models.errors import ParserFailed

_T = TypeVar("_T")
_MAX_LEVEL = 6
_BODY_LEVEL = 9
_BASED_ON_AT_MOST = 20
_UNSEEN = frozenset({
    "del", "moveFrom", "delText", "instrText", "delInstrText", "rPr", "pPr", "sdtPr", "sdtEndPr", "tblPr", "tblGrid",
    "trPr", "tcPr", "sectPr", "ctrlPr", "rt", "object", "altChunk", "commentReference", "annotationRef",
})  # fmt: skip
_WITHIN_FLOW = frozenset({"sdt", "sdtContent", "customXml", "smartTag", "ins", "moveTo", "body", "txbxContent"})
_CHARACTERS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_NUMERIC = frozenset("0123456789+-−")
_POSITIONS = {
    "superscript": str.maketrans("0123456789+-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻"),
    "subscript": str.maketrans("0123456789+-−", "₀₁₂₃₄₅₆₇₈₉₊₋₋"),
}
# The letters of the font "Symbol", which stand for these: formulas of old documents are written in it.
_SYMBOLS = {
    **dict(zip(range(0xF041, 0xF05B), "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", strict=True)),
    **dict(zip(range(0xF061, 0xF07B), "αβχδεφγηιϕκλμνοπθρστυϖωξψζ", strict=True)),
    0xF0A3: "≤", 0xF0A5: "∞", 0xF0AE: "→", 0xF0B0: "°", 0xF0B1: "±", 0xF0B3: "≥", 0xF0B4: "×", 0xF0B6: "∂", 0xF0B8: "÷",
    0xF0B9: "≠", 0xF0BA: "≡", 0xF0BB: "≈", 0xF0C7: "∩", 0xF0C8: "∪", 0xF0CE: "∈", 0xF0D1: "∇", 0xF0D6: "√",
    0xF0DE: "⇒", 0xF0E5: "∑", 0xF0F2: "∫",
}  # fmt: skip


def read(untrusted: bytes, work: Work) -> Reading:
    """Return the document as one page. Raises what ``Archive`` and ``xml.parse`` raise, and ``TooMuchText``."""
    package = ooxml.Package(untrusted, work.limits)
    part = package.main_part()
    pages = Pages(work.limits)
    pages.add_blocks(_Document(package, part).blocks())
    work.report(1, 1)
    return Reading(pages.all())


@dataclass(frozen=True, slots=True)
class _Style:
    """What a style says itself; ``None`` where it leaves it to the style that it is based on."""

    based_on: str
    level: int | None
    is_hidden: bool | None
    is_list: bool | None


@dataclass(slots=True)
class _Aside:
    """What belongs to a paragraph and is read after it: text boxes, charts and diagrams, and the ids of its notes."""

    boxes: list[Element] = field(default_factory=list)
    graphics: list[Element] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)


class _Document:
    """The parts of one document."""

    def __init__(self, package: ooxml.Package, part: str) -> None:
        self._package = package
        self._part = part
        self._relations = package.relations(part)
        self._styles = self._read_styles()
        self._notes = {kind: self._read_notes(kind) for kind in ("footnote", "endnote")}

    def blocks(self) -> Iterator[Block]:
        """Yield the body, then each header and footer whose text is not there yet."""
        body = xml.child(self._package.parse(self._part), "body")
        if body is None:
            raise ParserFailed
        yield from self._flow(body)
        seen = set[str]()
        for relation in self._relations.values():
            if relation.kind in {"header", "footer"}:
                for block in self._flow(self._package.parse(relation.part)):
                    # What is only a number is the page's.
                    if block.text not in seen and not block.text.strip().isdigit():
                        seen.add(block.text)
                        yield block

    def _flow(self, container: Iterable[Element]) -> Iterator[Block]:
        for each in container:
            match xml.local_name(each):
                case "p":
                    yield from self._paragraph(each)
                case "tbl":
                    yield from self._table(each)
                case "AlternateContent":
                    yield from self._flow(ooxml.chosen(each))
                case name if name in _WITHIN_FLOW:
                    yield from self._flow(each)
                case "oMathPara" | "oMath":
                    yield Block("".join(self._inline(each, _Aside())))
                case _:
                    pass

    def _paragraph(self, paragraph: Element) -> Iterator[Block]:
        aside = _Aside()
        properties = xml.child(paragraph, "pPr")
        style = self._style_of(properties, "pStyle")
        text = "".join(self._inline(paragraph, aside, is_hidden=self._is_hidden(style)))
        level = self._level(properties, style)
        is_entry = not level and self._is_list(properties, style)
        yield Block(" ".join(text.split()) if level else text, level, tight=is_entry)
        yield from self._after(aside)

    def _after(self, aside: _Aside) -> Iterator[Block]:
        for box in aside.boxes:
            yield from self._flow(box)
        for graphic in aside.graphics:
            yield from ooxml.chart_blocks(self._package, self._relations, graphic)
            yield from ooxml.diagram_blocks(self._package, self._relations, graphic)
        for kind, number in aside.notes:
            # Each note is read once, where it is first referred to: a note may refer to itself.
            note = self._notes[kind].pop(number, None)
            if note is not None:
                yield from self._flow(note)

    def _inline(self, container: Iterable[Element], aside: _Aside, *, is_hidden: bool = False) -> Iterator[str]:
        for each in container:
            name = xml.local_name(each)
            if name in {"t", "sym"} or name in _CHARACTERS:
                yield "" if is_hidden else _character(each, name)
            elif name == "r":
                if not self._is_hidden_run(each, is_hidden=is_hidden):
                    yield _raised(each, "".join(self._inline(each, aside)))
            elif name == "AlternateContent":
                yield from self._inline(ooxml.chosen(each), aside, is_hidden=is_hidden)
            elif name == "txbxContent":
                aside.boxes.append(each)
            elif name in {"chart", "relIds"}:
                aside.graphics.append(each)
            elif name in {"footnoteReference", "endnoteReference"}:
                aside.notes.append((name.removesuffix("Reference"), xml.attribute(each, "id")))
            elif name not in _UNSEEN:
                before, after = ooxml.formula_marks(each)
                yield before
                yield from self._inline(each, aside, is_hidden=is_hidden)
                yield after

    def _table(self, table: Element) -> Iterator[Block]:
        aside = _Aside()
        rows, is_marked = list[list[str]](), False
        for row in _rows(table):
            cells = list(_cells(row))
            if len(cells) == 1:
                # A row of one cell frames text and lays it out; what was gathered before it comes first.
                yield from grid.blocks(rows, has_header=_has_header(table, is_marked=is_marked))
                yield from self._after(aside)
                rows, aside = list[list[str]](), _Aside()
                yield from self._flow(cells[0])
            else:
                is_marked = is_marked or (not rows and ooxml.is_on(xml.child(row, "trPr", "tblHeader")))
                rows.append([self._cell(each, aside) for each in cells])
        yield from grid.blocks(rows, has_header=_has_header(table, is_marked=is_marked))
        yield from self._after(aside)

    def _cell(self, cell: Element, aside: _Aside) -> str:
        """Return a cell on one line, tables within included; its text boxes and notes are left for later."""
        texts = list[str]()
        for each in _content(cell):
            if xml.local_name(each) == "p":
                hidden = self._is_hidden(self._style_of(xml.child(each, "pPr"), "pStyle"))
                texts.append("".join(self._inline(each, aside, is_hidden=hidden)))
            else:
                texts.extend(self._cell(inner, aside) for row in _rows(each) for inner in _cells(row))
        return " ".join(text for text in texts if text.strip())

    def _level(self, properties: Element | None, style: str) -> int:
        own = None if properties is None else _outline_level(properties)
        level = own if own is not None else self._of(style, lambda each: each.level, 0)
        return min(level, _MAX_LEVEL)

    def _is_list(self, properties: Element | None, style: str) -> bool:
        own = None if properties is None else _numbered(properties)
        return own if own is not None else self._of(style, lambda each: each.is_list, False)

    def _is_hidden(self, style: str) -> bool:
        return self._of(style, lambda each: each.is_hidden, False)

    def _is_hidden_run(self, run: Element, *, is_hidden: bool) -> bool:
        properties = xml.child(run, "rPr")
        vanish = None if properties is None else xml.child(properties, "vanish")
        if vanish is not None:
            return ooxml.is_on(vanish)
        return is_hidden or self._is_hidden(self._style_of(properties, "rStyle"))

    def _style_of(self, properties: Element | None, kind: str) -> str:
        style = None if properties is None else xml.child(properties, kind)
        return "" if style is None else xml.attribute(style, "val")

    def _of(self, style: str, said: Callable[[_Style], _T | None], otherwise: _T) -> _T:
        """Return what a style or the nearest one that it is based on says."""
        for _ in range(_BASED_ON_AT_MOST):
            found = self._styles.get(style)
            if found is None:
                break
            value = said(found)
            if value is not None:
                return value
            style = found.based_on
        return otherwise

    def _read_styles(self) -> Mapping[str, _Style]:
        styles = dict[str, _Style]()
        for part in self._package.related(self._part, "styles"):
            for each in xml.children(self._package.parse(part), "style"):
                styles[xml.attribute(each, "styleId")] = _style(each)
        return styles

    def _read_notes(self, kind: str) -> dict[str, Element]:
        notes = dict[str, Element]()
        for part in self._package.related(self._part, f"{kind}s"):
            for each in xml.children(self._package.parse(part), kind):
                notes[xml.attribute(each, "id")] = each
        return notes


def _style(element: Element) -> _Style:
    based_on, paragraph = xml.child(element, "basedOn"), xml.child(element, "pPr")
    vanish = xml.child(element, "rPr", "vanish")
    named = xml.child(element, "name")
    name = "" if named is None else xml.attribute(named, "val").lower()
    is_list = None if paragraph is None else _numbered(paragraph)
    level = None if paragraph is None else _outline_level(paragraph)
    return _Style(
        based_on="" if based_on is None else xml.attribute(based_on, "val"),
        level=_named_level(name) if level is None else level,
        is_hidden=None if vanish is None else ooxml.is_on(vanish),
        # A table of contents is a list, too.
        is_list=True if name.startswith("toc ") else is_list,
    )


def _named_level(name: str) -> int | None:
    """Return the level of a built-in style: its name in the file is English, whatever language Word speaks."""
    if name == "title":
        return 1
    number = name.removeprefix("heading ")
    return int(number) if number != name and number.isascii() and number.isdigit() else None


def _outline_level(properties: Element) -> int | None:
    """Return the level that a paragraph's properties say: 1 and up for a heading, 0 for body text."""
    outline = xml.child(properties, "outlineLvl")
    value = "" if outline is None else xml.attribute(outline, "val")
    if len(value) != 1 or value not in "0123456789":
        return None
    return 0 if int(value) == _BODY_LEVEL else int(value) + 1


def _numbered(properties: Element) -> bool | None:
    """Say whether a paragraph's properties make it an entry of a list; ``None`` where they say nothing of it."""
    number = xml.child(properties, "numPr", "numId")
    return None if number is None else xml.attribute(number, "val") != "0"


def _content(container: Iterable[Element]) -> Iterator[Element]:
    """Yield the paragraphs and tables of a cell, whatever is wrapped around them."""
    for each in container:
        match xml.local_name(each):
            case "p" | "tbl":
                yield each
            case "AlternateContent":
                yield from _content(ooxml.chosen(each))
            case name if name in _WITHIN_FLOW:
                yield from _content(each)
            case _:
                pass


def _rows(table: Iterable[Element]) -> Iterator[Element]:
    """Yield the rows of a table that are not deleted."""
    for each in table:
        name = xml.local_name(each)
        if name == "tr" and xml.child(each, "trPr", "del") is None:
            yield each
        elif name in _WITHIN_FLOW:
            yield from _rows(each)


def _cells(row: Iterable[Element]) -> Iterator[Element]:
    for each in row:
        name = xml.local_name(each)
        if name == "tc" and xml.child(each, "tcPr", "cellDel") is None:
            yield each
        elif name in _WITHIN_FLOW:
            yield from _cells(each)


def _has_header(table: Element, *, is_marked: bool) -> bool:
    """Say whether the first row names columns: it is repeated on each page, or shown as a first row.

    Word shows first rows unless somebody turns it off; what can be no names is sorted out by ``grid.blocks``.
    """
    look = xml.child(table, "tblPr", "tblLook")
    if is_marked or look is None:
        return is_marked
    first_row = xml.attribute(look, "firstRow")
    value = xml.attribute(look, "val")
    return first_row in {"1", "true", "on"} if first_row else bool(_hexadecimal(value) & 0x20)


def _raised(run: Element, text: str) -> str:
    """Return a run's text; numbers that are set higher or lower are written so: 10⁻³ is not 10-3."""
    position = xml.child(run, "rPr", "vertAlign")
    table = _POSITIONS.get("" if position is None else xml.attribute(position, "val"))
    return text.translate(table) if table and text.strip() and set(text.strip()) <= _NUMERIC else text


def _character(element: Element, name: str) -> str:
    if name == "t":
        return element.text or ""
    if name != "sym":
        return _CHARACTERS[name]
    code = _hexadecimal(xml.attribute(element, "char"))
    if xml.attribute(element, "font") == "Symbol":
        return _SYMBOLS.get(code | 0xF000, "")
    # The private characters of other fonts are ticks and arrows that no text can hold.
    return chr(code) if 0x20 <= code < 0xD800 else ""


def _hexadecimal(value: str) -> int:
    try:
        return int(value[:4], 16)
    except ValueError:
        return 0
