"""PDF: text page by page, pages without a text layer through recognition.

Two readers, because neither is right alone (docs/adr/0004-reading-pdf.md): PDFium reads first, being ten times
faster; pypdf opens what PDFium refuses, says whether a password is missing, and reads the pages PDFium gets wrong.
All pages are read before the first is recognised, so that it is known how many there are to recognise. Scripts are
never run and attachments never opened.
"""

import contextlib
import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pypdfium2 as pdfium
from PIL import Image

from ingestion.extract import ocr, vertical
from ingestion.extract.bookmarks import Bookmarks
from ingestion.extract.pdf_text import Worth, is_arabic, repaired, worth_of
from ingestion.extract.pypdf_reader import SecondReader
from ingestion.extract.reading import Pages, Reading, Work
from models.errors import ParserFailed, TooManyPages, TooMuchText

_SCAN_SHARE_OF_PAGE = 0.5
# A scan has few objects; a page that is drawn with very many is none.
_MAX_OBJECTS_LOOKED_AT = 10_000
_MAX_RENDER_PIXELS = 20_000_000
_POINTS_PER_INCH = 72
_MAX_LABEL_CHARACTERS = 32


def read(untrusted: bytes, work: Work) -> Reading:
    """Return the text of every page, with its printed label and the chapter it stands in.

    Raises ``EncryptedDocument`` when a password is needed, ``TooManyPages``, ``TooMuchText``, ``ParserFailed`` when no
    reader opens it.
    """
    second = SecondReader(untrusted)
    try:
        first = pdfium.PdfDocument(untrusted)
    except pdfium.PdfiumError:
        return _read_by_second(second, work)
    with closing(first):
        with contextlib.suppress(pdfium.PdfiumError):
            first.init_forms()  # Before the first page is opened: what is filled in belongs to the page.
        drafts = _text_layers(first, second, work)
        _recognise(first, drafts, work)
        bookmarks = Bookmarks(first, len(drafts))
        pages = Pages(work.limits)
        for index, draft in enumerate(drafts):
            chapter = bookmarks.chapter(index, draft.text)
            pages.add_blocks(
                chapter.blocks, label=_label(first, index), ocr_confidence=draft.confidence, above=chapter.above
            )
        return Reading(pages.all(), attachments=_attachments(first, work))


# Programs that scan stamp their name on every page; what is no longer than that may be all the text layer says of one.
_STAMP_CHARACTERS = 200


@dataclass(slots=True)
class _Draft:
    """A page's text so far; ``confidence`` once it was recognised."""

    text: str = field(repr=False)
    worth: Worth
    is_scan: bool = False
    confidence: float | None = None

    @property
    def is_final(self) -> bool:
        """Say whether the text layer will do."""
        return not self.is_scan and self.worth in {Worth.GOOD, Worth.SHORT}

    def replace(self, recognised: ocr.Recognised) -> None:
        """Take what was recognised instead, where that is better than what stands here."""
        if self.worth is Worth.GOOD and len(recognised.text) <= len(self.text):
            return
        if recognised.is_sure or (recognised.text and self.worth in {Worth.SHORT, Worth.BROKEN}):
            self.text, self.confidence = recognised.text, recognised.confidence
        elif not self.text.strip():
            self.confidence = recognised.confidence


def _text_layers(first: pdfium.PdfDocument, second: SecondReader, work: Work) -> list[_Draft]:
    count = _within(len(first), work)
    drafts, bytes_left, final = list[_Draft](), work.limits.text_bytes, 0
    for index in range(count):
        draft = _text_layer(first, second, index, bytes_left)
        bytes_left -= len(draft.text.encode("utf-8", "replace"))
        if bytes_left < 0:
            raise TooMuchText
        drafts.append(draft)
        final += draft.is_final
        work.report(final, count)
    return drafts


def _text_layer(first: pdfium.PdfDocument, second: SecondReader, index: int, max_characters: int) -> _Draft:
    try:
        page = _open(first, index)
    except pdfium.PdfiumError:
        return _Draft(second.text(index), Worth.GOOD)
    with closing(page):
        text = repaired(_text(page, max_characters))
        worth = worth_of(text)
        if is_arabic(text) or worth in {Worth.DOUBTFUL, Worth.BROKEN}:
            other = second.text(index)
            found = worth_of(other)
            # A few words of Arabic are worth more the right way round than many the wrong one.
            if found is Worth.GOOD or (found is Worth.SHORT and is_arabic(other)):
                text, worth = other, Worth.GOOD
        return _Draft(text, worth, is_scan=len(text.strip()) < _STAMP_CHARACTERS and _is_scan(page))


def _open(first: pdfium.PdfDocument, index: int) -> pdfium.PdfPage:
    """Return a page with what was filled into its form. Raises ``PdfiumError``."""
    page = first[index]
    if first.formenv is None:
        return page
    with closing(page), contextlib.suppress(pdfium.PdfiumError):
        page.flatten()
    return first[index]


def _text(page: pdfium.PdfPage, max_characters: int) -> str:
    try:
        with closing(page.get_textpage()) as textpage:
            if textpage.count_chars() > max_characters:
                raise TooMuchText
            return vertical.in_reading_order(textpage, textpage.get_text_range())
    except (pdfium.PdfiumError, UnicodeError):
        return ""


def _is_scan(page: pdfium.PdfPage) -> bool:
    """Say whether pictures cover most of the page: one, or the strips that some scanners cut a page into."""
    width, height = page.get_size()
    covered = 0.0
    with contextlib.suppress(pdfium.PdfiumError):
        for thing in islice(page.get_objects(), _MAX_OBJECTS_LOOKED_AT):
            if isinstance(thing, pdfium.PdfImage):
                left, bottom, right, top = thing.get_bounds()
                covered += (right - left) * (top - bottom)
            if covered > _SCAN_SHARE_OF_PAGE * width * height:
                return True
    return False


def _recognise(first: pdfium.PdfDocument, drafts: Sequence[_Draft], work: Work) -> None:
    """Recognise the pages whose text layer will not do; all pages of a document that has no text at all.

    Text that was drawn as outlines is only looked for in the latter: in another document, a page without text is one.
    """
    wanted = [index for index, draft in enumerate(drafts) if not draft.is_final]
    if not any(draft.text.strip() for draft in drafts):
        wanted = list(range(len(drafts)))
    final = len(drafts) - len(wanted)
    drawn = (_draw(first, index, work) for index in wanted)
    for done, (place, recognised) in enumerate(ocr.recognise_all(drawn, work), start=1):
        drafts[wanted[place]].replace(recognised)
        work.recognised(done, len(wanted))
        work.report(final + done, len(drafts))


def _draw(first: pdfium.PdfDocument, index: int, work: Work) -> Image.Image:
    """Return a page as a grey picture at the set resolution, a lower one where it is huge; blank if it cannot be."""
    try:
        with closing(first[index]) as page:
            return _render(page, work)
    except pdfium.PdfiumError:
        return Image.new("L", (1, 1), "white")


def _render(page: pdfium.PdfPage, work: Work) -> Image.Image:
    width, height = page.get_size()
    bound = math.sqrt(min(_MAX_RENDER_PIXELS, work.limits.pixels) / max(1.0, width * height))
    scale = min(work.limits.ocr_dpi / _POINTS_PER_INCH, bound)
    options: Any = {"scale": scale, "grayscale": True}  # The library's annotation of scale is wrong.
    return page.render(**options).to_pil().convert("L")


def _label(first: pdfium.PdfDocument, index: int) -> str | None:
    """Return what is printed on the page as its number, when the document says so."""
    try:
        label = first.get_page_label(index).strip()
    except (pdfium.PdfiumError, UnicodeError):
        return None
    return label if 0 < len(label) <= _MAX_LABEL_CHARACTERS else None


def _attachments(first: pdfium.PdfDocument, work: Work) -> int:
    return max(0, min(first.count_attachments(), work.limits.archive_entries))


def _within(count: int, work: Work) -> int:
    if count > work.limits.pages:
        raise TooManyPages
    if count == 0:
        raise ParserFailed
    return count


def _read_by_second(document: SecondReader, work: Work) -> Reading:
    count = _within(document.count(), work)
    pages = Pages(work.limits)
    for index in range(count):
        label = document.label(index).strip()
        pages.add(document.text(index), label=label if len(label) <= _MAX_LABEL_CHARACTERS else None)
        work.report(index + 1, count)
    return Reading(pages.all())
