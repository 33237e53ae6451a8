"""PDF: text page by page, pages without a text layer through recognition.

Two readers, because neither is right alone (docs/adr/0004-reading-pdf.md): PDFium reads first, being ten times
faster; pypdf opens what PDFium refuses, says whether a password is missing, names the pages, and reads the pages
PDFium gets wrong.
"""

import io
import math
import re
from contextlib import closing
from functools import cached_property
from typing import Any

import pypdf
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image

from ingestion.extract import ocr
from ingestion.extract.reading import Pages, Reading, Work
from models.errors import EncryptedDocument, ParserFailed, TooManyPages

_MIN_TEXT_CHARACTERS = 25
_SCAN_SHARE_OF_PAGE = 0.5
_MAX_RENDER_PIXELS = 20_000_000
_POINTS_PER_INCH = 72
_MAX_LABEL_CHARACTERS = 32
_ARABIC = re.compile("[\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc]")
_ARABIC_SHARE = 0.2
# Characters a font without a Unicode map leaves behind.
_BROKEN = re.compile("[\x00-\x08\x0e-\x1f\ue000-\uf8ff\ufffd\U000f0000-\U0010ffff]|\\(cid:\\d+\\)")
_BROKEN_SHARE = 0.1


def read(untrusted: bytes, work: Work) -> Reading:
    """Return the text of every page, with its printed label.

    Raises ``EncryptedDocument`` when a password is needed, ``TooManyPages``, ``ParserFailed`` when no reader opens
    it.
    """
    second = _Pypdf(untrusted)
    try:
        first = pdfium.PdfDocument(untrusted)
    except pdfium.PdfiumError:
        return _read_by_pypdf(second, work)
    with closing(first):
        count = _within(len(first), work)
        pages = Pages(work.limits)
        for index in range(count):
            text, confidence = _page(first, second, index, work)
            pages.add(text, label=second.label(index), ocr_confidence=confidence)
            work.report((index + 1) / count)
        return Reading(pages.all())


def _page(first: pdfium.PdfDocument, second: "_Pypdf", index: int, work: Work) -> tuple[str, float | None]:
    """Return one page's text and, where it was recognised, the confidence."""
    try:
        page = first[index]
    except pdfium.PdfiumError:
        return second.text(index), None
    with closing(page):
        text = _text(page)
        if _is_arabic(text) or _is_broken(text):
            other = second.text(index)
            text = other if len(other.strip()) >= _MIN_TEXT_CHARACTERS and not _is_broken(other) else text
        if _is_broken(text) or (_is_short(text) and _is_scan(page)):
            return _recognise(page, work)
        return text, None


def _text(page: pdfium.PdfPage) -> str:
    try:
        with closing(page.get_textpage()) as textpage:
            return textpage.get_text_range()
    except (pdfium.PdfiumError, UnicodeError):
        return ""


def _is_short(text: str) -> bool:
    return len(text.strip()) < _MIN_TEXT_CHARACTERS


def _is_arabic(text: str) -> bool:
    return len(_ARABIC.findall(text)) > _ARABIC_SHARE * len(text.strip() or " ")


def _is_broken(text: str) -> bool:
    return sum(map(len, _BROKEN.findall(text))) > _BROKEN_SHARE * len(text.strip() or " ")


def _is_scan(page: pdfium.PdfPage) -> bool:
    """Say whether one picture covers most of the page."""
    width, height = page.get_size()
    for thing in page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_IMAGE]):
        left, bottom, right, top = thing.get_bounds()
        if (right - left) * (top - bottom) > _SCAN_SHARE_OF_PAGE * width * height:
            return True
    return False


def _recognise(page: pdfium.PdfPage, work: Work) -> tuple[str, float]:
    recognised = ocr.recognise(_render(page, work), work)
    return recognised.text, recognised.confidence


def _render(page: pdfium.PdfPage, work: Work) -> Image.Image:
    """Return the page as a grey picture at the set resolution, or a lower one where the page is huge."""
    width, height = page.get_size()
    bound = math.sqrt(min(_MAX_RENDER_PIXELS, work.limits.pixels) / max(1.0, width * height))
    scale = min(work.limits.ocr_dpi / _POINTS_PER_INCH, bound)
    options: Any = {"scale": scale, "grayscale": True}  # The library's annotation of scale is wrong.
    return page.render(**options).to_pil().convert("L")


def _within(count: int, work: Work) -> int:
    if count > work.limits.pages:
        raise TooManyPages
    if count == 0:
        raise ParserFailed
    return count


def _read_by_pypdf(document: "_Pypdf", work: Work) -> Reading:
    count = _within(document.count(), work)
    pages = Pages(work.limits)
    for index in range(count):
        pages.add(document.text(index), label=document.label(index))
        work.report((index + 1) / count)
    return Reading(pages.all())


class _Pypdf:
    """The second reader, opened only when it is needed; what it cannot do, it leaves empty."""

    def __init__(self, untrusted: bytes) -> None:
        self._untrusted = untrusted

    def count(self) -> int:
        """Return the number of pages. Raises ``EncryptedDocument`` and ``ParserFailed``."""
        try:
            reader = pypdf.PdfReader(io.BytesIO(self._untrusted))
            locked = reader.is_encrypted and not reader.decrypt("")
            count = 0 if locked else len(reader.pages)
        except Exception as error:
            raise ParserFailed from error
        if locked:
            raise EncryptedDocument
        return count

    def text(self, index: int) -> str:
        """Return a page's text, empty when it cannot be read."""
        try:
            return self._reader.pages[index].extract_text() if self._reader else ""
        except Exception:  # noqa: BLE001 - as above.
            return ""

    def label(self, index: int) -> str | None:
        """Return what is printed on the page as its number, when the document says so."""
        label = self._labels[index].strip() if index < len(self._labels) else ""
        return label if 0 < len(label) <= _MAX_LABEL_CHARACTERS else None

    @cached_property
    def _reader(self) -> pypdf.PdfReader | None:
        try:
            reader = pypdf.PdfReader(io.BytesIO(self._untrusted))
            return None if reader.is_encrypted and not reader.decrypt("") else reader
        except Exception:  # noqa: BLE001 - as above.
            return None

    @cached_property
    def _labels(self) -> list[str]:
        reader = self._reader
        try:
            return reader.page_labels if reader and "/PageLabels" in reader.root_object else []
        except Exception:  # noqa: BLE001 - as above.
            return []
