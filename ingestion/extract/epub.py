"""Electronic books: a page for each chapter file, in the order in which they are read.

Owns what of a book is its text: the files on its spine that are there, without tables of contents (unless there is
nothing else). Every name is resolved inside the archive; one that leads out of it leads nowhere. Refuses books under
digital rights management. Of characters with a reading above them the characters stay and the reading goes.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from html.entities import html5
from urllib.parse import unquote, urlsplit

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - it ships no types

from ingestion import xml
from ingestion.archive import Archive
from ingestion.encoding import decode
from ingestion.extract import grid
from ingestion.extract.reading import Block, Pages, Reading, Work
from ingestion.limits import JailLimits
from ingestion.xml import Element
from models.errors import EncryptedDocument, ParserFailed, TooComplex

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
# Fonts may be obfuscated in any book; whatever else is enciphered is the text.
_FONT_OBFUSCATION = frozenset({"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"})
_CHAPTER_TYPES = frozenset(
    {"application/xhtml+xml", "text/html", "application/xml", "text/xml", "text/x-oeb1-document"}
)
_DECLARED = re.compile(rb"""<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w.-]{2,40})["']""")
_DECLARATION = re.compile(r"\A\ufeff?\s*<\?xml[^>]*\?>")
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31};)")
_XML_ENTITIES = frozenset({"amp;", "lt;", "gt;", "quot;", "apos;"})
_OPEN_TAG = re.compile(r"<[A-Za-z]")
_MAX_ATTRIBUTES = 1_000
_WHOLE_TAG = re.compile(r"<[A-Za-z][^<>]*")
_BLANKS = re.compile(r"[ \t\r\n\f]+")
_UNSEEN = frozenset({
    "head", "script", "style", "template", "noscript", "svg", "rt", "rp", "rtc", "annotation", "annotation-xml",
    "object", "iframe", "audio", "video",
})  # fmt: skip
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "html", "li", "main", "nav", "ol", "p", "pre",
    "section", "summary", "table", "ul", "h1", "h2", "h3", "h4", "h5", "h6",
})  # fmt: skip
_LEVELS = {f"h{level}": level for level in range(1, 7)}
_TIGHT = frozenset({"li", "dd"})
_HIDING = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)


def read(untrusted: bytes, work: Work) -> Reading:
    """Return the chapters as pages.

    Raises what ``Archive``, ``xml.parse`` and ``Pages`` raise, ``EncryptedDocument``, ``TooComplex`` for a chapter with
    too many tags, and ``ParserFailed`` also when no chapter is there.
    """
    archive = Archive(untrusted, work.limits)
    _refuse_encrypted(archive, work.limits)
    chapters = _chapters(archive, work.limits)
    if not chapters:
        raise ParserFailed
    pages = Pages(work.limits)
    for done, chapter in enumerate(chapters, start=1):
        pages.add_blocks(blocks(_parse(archive.read(chapter), work.limits)))
        work.report(done, len(chapters))
    return Reading(pages.all())


def _refuse_encrypted(archive: Archive, limits: JailLimits) -> None:
    if _ENCRYPTION in archive:
        root = xml.parse(archive.read(_ENCRYPTION), limits)
        for each in root.iter("{*}EncryptedData"):
            method = xml.child(each, "EncryptionMethod")
            if method is None or method.get("Algorithm") not in _FONT_OBFUSCATION:
                raise EncryptedDocument


def _chapters(archive: Archive, limits: JailLimits) -> list[str]:
    """Return the names of the chapter files in reading order; tables of contents only when there is nothing else."""
    container = xml.parse(archive.read(_CONTAINER), limits)
    package_name = next((_inside("", each.get("full-path", "")) for each in container.iter("{*}rootfile")), "")
    package = xml.parse(archive.read(package_name), limits)
    folder = posixpath.dirname(package_name)
    items = {each.get("id", ""): each for each in package.iter("{*}item")}
    guides = [each for each in package.iter("{*}reference") if each.get("type") == "toc"]
    # One that points into a file does not say that the whole file is a table of contents.
    contents = {_inside(folder, each.get("href", "")) for each in guides if "#" not in each.get("href", "")}
    found, passed = list[str](), list[str]()
    for reference in package.iter("{*}itemref"):
        item = items.get(reference.get("idref", ""))
        if item is None or item.get("media-type", "").lower() not in _CHAPTER_TYPES:
            continue
        name = _inside(folder, item.get("href", ""))
        is_contents = name in contents or "nav" in item.get("properties", "").split()
        if name in archive and name not in found:
            (passed if is_contents else found).append(name)
    return found or passed


def _inside(folder: str, reference: str) -> str:
    """Return the name of the entry that a reference in this folder leads to; one that leads outside is nobody's."""
    try:
        path = unquote(urlsplit(reference).path)
    except ValueError:
        return ""
    name = posixpath.normpath(posixpath.join(folder, path))
    return "" if name.startswith(("..", "/")) else name


def _parse(untrusted: bytes, limits: JailLimits) -> Element:
    """Return a chapter's root: as XML, or, as old books need, as the HTML that a browser would make of it."""
    text = _decoded(untrusted)
    known = _ENTITY.sub(_character, text)
    try:
        return xml.parse(known.encode(errors="replace"), limits)
    except (ParserFailed, TooComplex):
        # In HTML much is never closed, which as XML nests without end.
        if "<!ENTITY" in text:
            raise
    return parse_html(text, limits)


def parse_html(text: str, limits: JailLimits) -> Element:
    """Return the root of what a browser would make of it.

    Raises ``TooComplex`` (too many tags or attributes, too deep) and ``ParserFailed`` (nothing in it).
    """
    if _is_made_to_be_slow(text, limits.tags):
        raise TooComplex
    parser = etree.HTMLParser(no_network=True, huge_tree=False, remove_comments=True, remove_pis=True, encoding="utf-8")
    root = etree.fromstring(text.encode(errors="replace") or b" ", parser)
    if root is None:
        raise ParserFailed
    if xml.is_deeper(root, limits.depth):
        raise TooComplex
    return root


def _decoded(untrusted: bytes) -> str:
    declared = _DECLARED.match(untrusted[:200].lstrip())
    text = None
    if declared:
        try:
            text = untrusted.decode(declared[1].decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            text = None  # It is not what it says: judge it by its bytes.
    text = text if text is not None else decode(untrusted)
    if text is None:
        raise ParserFailed
    # What was declared is done, and the parser shall not do it again.
    return _DECLARATION.sub("", text)


def _character(entity: re.Match[str]) -> str:
    """Return what a name of HTML stands for: XML without its document type knows five of them."""
    return entity[0] if entity[1] in _XML_ENTITIES else html5.get(entity[1], f"&amp;{entity[1]}")


def _is_made_to_be_slow(text: str, tags: int) -> bool:
    return sum(1 for _ in _OPEN_TAG.finditer(text)) > tags or any(
        tag[0].count("=") > _MAX_ATTRIBUTES or len(tag[0].split()) > 3 * _MAX_ATTRIBUTES
        for tag in _WHOLE_TAG.finditer(text)
    )


def _is_hidden(element: Element) -> bool:
    return element.get("hidden") is not None or bool(_HIDING.search(element.get("style", "")))


class _Chapter:
    """Collects a chapter's paragraphs, headings, list entries and rows."""

    def __init__(self, left_out: AbstractSet[Element]) -> None:
        self._left_out = left_out
        self.blocks = list[Block]()
        self._text = list[str]()

    def walk(self, element: Element, kind: str = "") -> None:
        """Add an element's text. ``kind`` is the name of the block that it stands in."""
        name = xml.local_name(element).lower()
        if not name or name in _UNSEEN or element in self._left_out or _is_hidden(element):
            return
        if name == "br":
            self._text.append("\n")
        elif name == "table":
            self.end(kind)
            self._table(element)
        elif name in _BLOCKS:
            self.end(kind)
            inner = kind if kind in _TIGHT or _LEVELS.get(kind) else name
            self._content(element, name if name in _TIGHT else inner)
            self.end(inner)
        else:
            self._content(element, kind)

    def end(self, kind: str) -> None:
        """End the block that the text so far stands in."""
        text = "".join(self._text)
        self._text.clear()
        if not text.strip():
            return
        level = _LEVELS.get(kind, 0)
        if kind != "pre":
            text = "\n".join(line.strip() for line in text.split("\n"))
        self.blocks.append(Block(" ".join(text.split()) if level else text, level, tight=kind in _TIGHT))

    def _content(self, element: Element, kind: str) -> None:
        self._add(element.text, kind)
        for each in element:
            self.walk(each, kind)
            self._add(each.tail, kind)

    def _add(self, text: str | None, kind: str) -> None:
        if text:
            self._text.append(text if kind == "pre" else _BLANKS.sub(" ", text))

    def _table(self, table: Element) -> None:
        for caption in xml.children(table, "caption"):
            self.walk(caption)
        rows = [xml.children(row, "td", "th") for row in _rows(table)]
        if max(map(len, rows), default=0) < 2:
            # A column frames text and lays it out.
            for row in rows:
                for cell in row:
                    self._content(cell, "td")
                    self.end("td")
        else:
            texts = [[self._cell_text(cell) for cell in row] for row in rows]
            has_header = all(xml.local_name(cell) == "th" for cell in rows[0])
            self.blocks.extend(grid.blocks(texts, has_header=has_header))

    def _cell_text(self, cell: Element) -> str:
        return " ".join(block.text for block in blocks(cell, self._left_out))


def _rows(table: Iterable[Element]) -> Iterator[Element]:
    for each in table:
        match xml.local_name(each):
            case "tr":
                if not _is_hidden(each):
                    yield each
            case "thead" | "tbody" | "tfoot":
                yield from _rows(each)
            case _:
                pass


def blocks(element: Element, left_out: AbstractSet[Element] = frozenset()) -> list[Block]:
    """Return what a reader sees of an element, without the elements inside it that are ``left_out``."""
    chapter = _Chapter(left_out)
    chapter.walk(element)
    chapter.end("")
    return chapter.blocks
