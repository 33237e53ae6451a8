"""What Word, PowerPoint and Excel files have in common: parts that refer to one another, drawings, formulas.

Owns how a part finds another one. Follows a relation only to a part of the same file: what a document links to
elsewhere (templates, pictures, objects) is never asked for, and embedded files are never opened.
"""

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from ingestion import xml
from ingestion.archive import Archive
from ingestion.extract import grid
from ingestion.extract.reading import Block
from ingestion.limits import JailLimits
from ingestion.xml import Element
from models.errors import ParserFailed

# Written before the part of a formula, so that a fraction does not read as a product.
_FORMULA_MARKS = {"num": "", "den": "/", "sup": "^", "sub": "_", "rad": "√"}
_NO_TEXT = frozenset({"rPr", "pPr", "endParaRPr", "bodyPr", "lstStyle", "ctrlPr", "rt"})


@dataclass(frozen=True, slots=True)
class Relation:
    """What a part refers to: the last word of the relation's type, and the name of the part."""

    kind: str
    part: str


class Package:
    """The parts of one file. Raises what ``Archive`` raises."""

    def __init__(self, untrusted: bytes, limits: JailLimits) -> None:
        self._archive = Archive(untrusted, limits)
        self._limits = limits
        # Names are compared without regard to case, as the standard says and some writers need.
        self._names = {name.lower(): name for name in self._archive.names()}

    def main_part(self) -> str:
        """Return the name of the part that the document begins with. Raises ``ParserFailed`` when there is none."""
        for relation in self.relations("").values():
            if relation.kind == "officeDocument":
                return relation.part
        raise ParserFailed

    def __contains__(self, part: str) -> bool:
        return part.lower() in self._names

    def read(self, part: str) -> bytes:
        """Return a part's bytes. Raises ``ParserFailed`` when there is no such part, and as ``Archive.read`` does."""
        return self._archive.read(self._names.get(part.lower(), part))

    def parse(self, part: str) -> Element:
        """Return a part's root element. Raises as ``read`` and ``xml.parse`` do."""
        return xml.parse(self.read(part), self._limits)

    def relations(self, part: str) -> dict[str, Relation]:
        """Return a part's relations to parts of this file that are there, by their ids; of the file itself for ""."""
        folder, name = posixpath.split(part)
        file = posixpath.join(folder, "_rels", f"{name}.rels")
        if file not in self:
            return {}
        found = dict[str, Relation]()
        for each in xml.children(self.parse(file), "Relationship"):
            target = posixpath.normpath(posixpath.join("/", folder, unquote(each.get("Target", "")))).lstrip("/")
            if each.get("TargetMode") != "External" and target in self:
                found[each.get("Id", "")] = Relation(each.get("Type", "").rpartition("/")[2], target)
        return found

    def related(self, part: str, kind: str) -> list[str]:
        """Return the names of the parts that a part refers to with this kind of relation, in their order."""
        return [relation.part for relation in self.relations(part).values() if relation.kind == kind]


def relation_id(element: Element) -> str:
    """Return the id of the relation that an element refers to: an element's own id has no namespace, that one has."""
    return next((value for key, value in element.attrib.items() if key.endswith("}id")), "")


def is_on(element: Element | None) -> bool:
    """Say whether a switch is there and not turned off."""
    return element is not None and xml.attribute(element, "val") not in {"0", "false", "off", "none"}


def chosen(alternatives: Element) -> Iterable[Element]:
    """Return what to read of alternative contents: the newer one, or where there is none, the one for old programs."""
    for name in ("Choice", "Fallback"):
        branch = xml.child(alternatives, name)
        if branch is not None:
            return branch
    return ()


def formula_marks(element: Element) -> tuple[str, str]:
    """Return what to write before and after a part of a formula; nothing for what is part of none."""
    match xml.local_name(element):
        case "nary":
            return _formula_character(element, "chr", "∫"), " "
        case "d":
            return _formula_character(element, "begChr", "("), _formula_character(element, "endChr", ")")
        case name if name in _FORMULA_MARKS:
            # What is longer than a letter needs brackets: (a+b)/c is not a+b/c.
            is_long = sum(len(part) for part in element.itertext()) > 1
            return _FORMULA_MARKS[name] + "(" * is_long, ")" * is_long
        case _:
            return "", ""


def _formula_character(element: Element, name: str, otherwise: str) -> str:
    properties = xml.child(element, f"{xml.local_name(element)}Pr", name)
    return otherwise if properties is None else xml.attribute(properties, "val")


def paragraph(element: Element) -> str:
    """Return the text of a paragraph of a drawing, without fields that number slides."""
    return "".join(_inline(element))


def _inline(element: Element) -> Iterator[str]:
    for each in element:
        match xml.local_name(each):
            case "t":
                yield each.text or ""
            case "br":
                yield "\n"
            case "tab":
                yield "\t"
            case "AlternateContent":
                yield from _inline(chosen(each))
            case "fld" if each.get("type") == "slidenum":
                pass
            case name if name not in _NO_TEXT:
                before, after = formula_marks(each)
                yield before
                yield from _inline(each)
                yield after
            case _:
                pass


def shape_blocks(body: Element, *, level: int = 0) -> Iterator[Block]:
    """Yield the paragraphs of a shape's text; a title's are one block with that level."""
    texts = [text for each in xml.children(body, "p") if (text := paragraph(each).strip())]
    if level and texts:
        yield Block(" ".join(texts), level)
    elif not level:
        for index, text in enumerate(texts):
            yield Block(text, tight=index > 0)


def table_blocks(table: Element) -> Iterator[Block]:
    """Yield the rows of a drawing's table."""
    rows = [
        [_cell(each) for each in xml.children(row, "tc")] for row in xml.children(table, "tr")
    ]  # fmt: skip
    properties = xml.child(table, "tblPr")
    has_header = properties is not None and properties.get("firstRow") in {"1", "true"}
    yield from grid.blocks(rows, has_header=has_header)


def _cell(cell: Element) -> str:
    body = xml.child(cell, "txBody")
    return "" if body is None else " ".join(block.text for block in shape_blocks(body))


def diagram_blocks(package: Package, relations: Mapping[str, Relation], reference: Element) -> Iterator[Block]:
    """Yield the texts of a SmartArt diagram, which stand in a part of their own."""
    relation = relations.get(xml.attribute(reference, "dm"))
    if relation is None:
        return
    points = xml.child(package.parse(relation.part), "ptLst")
    for point in [] if points is None else xml.children(points, "pt"):
        body = xml.child(point, "t")
        text = "" if body is None else " ".join(block.text for block in shape_blocks(body))
        if text and point.get("type", "node") in {"node", "asst"}:
            yield Block(text, tight=True)


def chart_blocks(package: Package, relations: Mapping[str, Relation], reference: Element) -> Iterator[Block]:
    """Yield a chart's titles, and a line for each series: its name, then its categories and values."""
    relation = relations.get(xml.attribute(reference, "id"))
    if relation is None or relation.kind != "chart":
        return
    chart = package.parse(relation.part)
    for title in chart.iter("{*}title"):
        for rich in title.iter("{*}rich"):
            yield from shape_blocks(rich)
    for series in chart.iter("{*}ser"):
        name = " ".join(_points(xml.child(series, "tx")).values())
        categories, values = _points(xml.child(series, "cat")), _points(xml.child(series, "val"))
        pairs = [f"{categories.get(index, '')} {value}".strip() for index, value in values.items()]
        text = ": ".join(part for part in (name, ", ".join(pairs)) if part)
        if text:
            yield Block(text, tight=True)


def _points(data: Element | None) -> dict[str, str]:
    """Return the cached values of a chart's data by their index."""
    if data is None:
        return {}
    points = {point.get("idx", ""): value for point in data.iter("{*}pt") if (value := _value(point))}
    return points or {"0": _value(data)}


def _value(point: Element) -> str:
    value = xml.child(point, "v")
    return "" if value is None else (value.text or "").strip()
