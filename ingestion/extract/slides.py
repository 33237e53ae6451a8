"""Presentations: a page a slide, numbered as PowerPoint numbers them, with the speaker's notes.

Owns the order: the title, then the shapes as they lie, then the notes. A hidden slide is an empty page, so that the
others keep their numbers. Refuses comments, hidden shapes, and the dates, footers and numbers that repeat on slides.
"""

from collections.abc import Iterable, Iterator

from ingestion import xml
from ingestion.extract import ooxml
from ingestion.extract.reading import Block, Pages, Reading, Work
from ingestion.xml import Element

_TITLES = frozenset({"title", "ctrTitle"})
_REPEATED = frozenset({"dt", "ftr", "sldNum", "hdr"})
_OFF = frozenset({"0", "false"})


def read(untrusted: bytes, work: Work) -> Reading:
    """Return the slides as pages. Raises what ``Archive``, ``xml.parse`` and ``Pages`` raise."""
    package = ooxml.Package(untrusted, work.limits)
    slides = _slides(package)
    pages = Pages(work.limits)
    for done, slide in enumerate(slides, start=1):
        pages.add_blocks(_slide_blocks(package, slide))
        work.report(done, len(slides))
    return Reading(pages.all())


def _slides(package: ooxml.Package) -> list[str]:
    """Return the parts of the slides in the order in which they are shown."""
    main = package.main_part()
    relations = package.relations(main)
    listed = xml.child(package.parse(main), "sldIdLst")
    ids = [] if listed is None else [ooxml.relation_id(each) for each in xml.children(listed, "sldId")]
    return [relations[each].part for each in ids if each in relations]


def _slide_blocks(package: ooxml.Package, part: str) -> Iterator[Block]:
    slide = package.parse(part)
    if slide.get("show") in _OFF:
        return
    shapes = _Shapes(package, part)
    tree = xml.child(slide, "cSld", "spTree")
    blocks = [] if tree is None else list(shapes.blocks(tree))
    yield from sorted(blocks, key=lambda block: block.level != 1)
    for notes in package.related(part, "notesSlide"):
        tree = xml.child(package.parse(notes), "cSld", "spTree")
        if tree is not None:
            yield from _Shapes(package, notes, only="body").blocks(tree)


class _Shapes:
    """The shapes of one slide, or of its notes, where ``only`` says which placeholders are text."""

    def __init__(self, package: ooxml.Package, part: str, *, only: str = "") -> None:
        self._package = package
        self._relations = package.relations(part)
        self._only = only

    def blocks(self, tree: Iterable[Element]) -> Iterator[Block]:
        """Yield the text of the shapes as they lie, those in groups included."""
        for each in tree:
            name = xml.local_name(each)
            if name == "AlternateContent":
                yield from self.blocks(ooxml.chosen(each))
            elif name in {"sp", "grpSp", "graphicFrame", "contentPart"} and not _is_hidden(each):
                if name == "grpSp":
                    yield from self.blocks(each)
                elif name == "sp":
                    yield from self._shape(each)
                elif not self._only:
                    yield from self._frame(each)

    def _shape(self, shape: Element) -> Iterator[Block]:
        place = xml.child(shape, "nvSpPr", "nvPr", "ph")
        kind = "" if place is None else place.get("type", "body")
        body = xml.child(shape, "txBody")
        if body is not None and kind not in _REPEATED and self._only in {"", kind}:
            yield from ooxml.shape_blocks(body, level=1 if kind in _TITLES else 0)

    def _frame(self, frame: Element) -> Iterator[Block]:
        data = xml.child(frame, "graphic", "graphicData")
        for each in [] if data is None else data:
            match xml.local_name(each):
                case "tbl":
                    yield from ooxml.table_blocks(each)
                case "relIds":
                    yield from ooxml.diagram_blocks(self._package, self._relations, each)
                case "chart":
                    yield from ooxml.chart_blocks(self._package, self._relations, each)
                case _:
                    pass


def _is_hidden(shape: Element) -> bool:
    # The properties that name a shape come first, under a name for each kind of shape.
    properties = next((xml.child(each, "cNvPr") for each in shape if xml.local_name(each).startswith("nv")), None)
    return properties is not None and properties.get("hidden", "0") not in _OFF
