"""Word documents: all that a reader sees, in one page.

Owns the order: the body with its text boxes and notes right after the paragraph they belong to, then each header and
footer once. Refuses what a reader does not see: deleted and hidden text, comments, instructions of fields, properties,
embedded files. Of characters with a reading above them the characters stay and the reading goes: a word that is cut
into syllables is found by nobody. The numbers that Word makes of lists and headings are text, those of notes are not.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ingestion import xml
from ingestion.extract import grid, ooxml
from ingestion.extract.reading import Block, Pages, Reading, Work
from ingestion.extract.word_numbers import Numbers
from ingestion.extract.word_styles import Styles, style_of
from ingestion.xml import Element
from models.errors import ParserFailed

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
        self._styles = Styles(self._parts("styles"))
        self._numbers = Numbers(next(iter(self._parts("numbering")), None))
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
        style = style_of(properties, "pStyle")
        text = "".join(self._inline(paragraph, aside, is_hidden=self._styles.is_hidden(style)))
        text = self._labelled(paragraph, style, text)
        level = self._styles.level(properties, style)
        is_entry = not level and self._styles.is_list(properties, style)
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
                if not self._styles.is_hidden_run(each, is_hidden=is_hidden):
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
                style = style_of(xml.child(each, "pPr"), "pStyle")
                text = "".join(self._inline(each, aside, is_hidden=self._styles.is_hidden(style)))
                texts.append(self._labelled(each, style, text))
            else:
                texts.extend(self._cell(inner, aside) for row in _rows(each) for inner in _cells(row))
        return " ".join(text for text in texts if text.strip())

    def _labelled(self, paragraph: Element, style: str, text: str) -> str:
        """Return a paragraph's text after the number that Word shows before it."""
        label = self._numbers.label(*self._styles.number(xml.child(paragraph, "pPr"), style))
        return f"{label} {text}" if label and text.strip() else text

    def _parts(self, kind: str) -> list[Element]:
        return [self._package.parse(part) for part in self._package.related(self._part, kind)]

    def _read_notes(self, kind: str) -> dict[str, Element]:
        notes = dict[str, Element]()
        for part in self._parts(f"{kind}s"):
            for each in xml.children(part, kind):
                notes[xml.attribute(each, "id")] = each
        return notes


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
