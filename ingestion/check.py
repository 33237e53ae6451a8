"""The second look at what a jail said of a document.

A jail parses hostile bytes; once taken over it may answer anything that decodes. Owns the rules an answer must keep
before the session believes it. Refuses with ``ParserFailed``: an answer that breaks them was not made by our reader.
"""

import math
import re
from typing import NoReturn

from ingestion.limits import JailLimits
from ingestion.normalise import is_compatible
from models.content import MAX_HEADINGS, Chunk, Extraction, Page
from models.errors import ParserFailed
from models.vocabulary import FILE_TYPES, OTHER_FILE_TYPE

MEDIA_TYPES = FILE_TYPES - {OTHER_FILE_TYPE}
MAX_LABEL_CHARACTERS = 32
MAX_HEADING_CHARACTERS = 300
MAX_SECONDS = 100 * 3600.0

_LANGUAGE = re.compile(r"[a-z]{2,3}\Z")
# Control characters other than tab and line feed, and surrogates: our normal form has none.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def check(extraction: Extraction, limits: JailLimits) -> Extraction:
    """Return the extraction unchanged when it keeps every limit and rule. Raises ``ParserFailed`` otherwise."""
    if extraction.media_type not in MEDIA_TYPES or not _is_language(extraction.language):
        _refuse()
    if not 0 <= extraction.attachments <= limits.archive_entries:
        _refuse()
    if len(extraction.pages) > limits.pages or len(extraction.chunks) > limits.chunks:
        _refuse()
    if text_bytes(extraction) > limits.text_bytes:
        _refuse()
    for number, page in enumerate(extraction.pages, start=1):
        _check_page(page, number)
    _check_chunks(extraction, limits)
    return extraction


def text_bytes(extraction: Extraction) -> int:
    """Return how much text there is, in UTF-8: that of the pages, and each chunk's headings."""
    pages = sum(len(page.text.encode("utf-8", "replace")) for page in extraction.pages)
    return pages + sum(len(title.encode("utf-8", "replace")) for chunk in extraction.chunks for title in chunk.heading)


def _check_page(page: Page, number: int) -> None:
    if page.number != number or not _is_clean(page.text):
        _refuse()
    if page.label is not None and not (len(page.label) <= MAX_LABEL_CHARACTERS and _is_clean(page.label)):
        _refuse()
    confidence = page.ocr_confidence
    if confidence is not None and not (math.isfinite(confidence) and 0 <= confidence <= 100):
        _refuse()


def _check_chunks(extraction: Extraction, limits: JailLimits) -> None:
    before = (0, 0)
    for chunk in extraction.chunks:
        if not 1 <= chunk.page <= len(extraction.pages) or not _is_cut(chunk, extraction.pages[chunk.page - 1]):
            _refuse()
        if (chunk.page, chunk.start) < before or chunk.end - chunk.start > limits.chunk_characters:
            _refuse()
        before = (chunk.page, chunk.end)
        if not _is_language(chunk.language):
            _refuse()
        if chunk.seconds is not None and not 0 <= chunk.seconds[0] <= chunk.seconds[1] <= MAX_SECONDS:
            _refuse()


def _is_cut(chunk: Chunk, page: Page) -> bool:
    if not 0 <= chunk.start < chunk.end <= len(page.text) or len(chunk.heading) > MAX_HEADINGS:
        return False
    return all(len(title) <= MAX_HEADING_CHARACTERS and _is_clean(title) for title in chunk.heading)


def _is_language(code: str | None) -> bool:
    return code is None or _LANGUAGE.match(code) is not None


def _is_clean(text: str) -> bool:
    return _FORBIDDEN.search(text) is None and is_compatible(text)


def _refuse() -> NoReturn:
    raise ParserFailed
