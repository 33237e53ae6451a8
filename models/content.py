"""What a learner's material becomes: pages, chunks, passages.

These types live in the memory of a session process and on the sockets beside it. Nothing that writes SQL imports them
(an import contract enforces it), and none of them shows content in its ``repr``.
"""

from typing import Annotated, Literal

import msgspec

# Bounds that hold while an answer is decoded, before anything is checked: of what a hostile reader claims, no more than
# this is ever made. Far above every setting.
_MAX_PAGES = 10_000
_MAX_CHUNKS = 200_000
MAX_HEADINGS = 8

Headings = Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_HEADINGS)]
DocumentStatus = Literal["queued", "extracting", "embedding", "ready", "failed"]
Relevance = Literal["high", "medium", "low"]
Rerank = Literal["none", "cross-encoder"]
SecondStage = Literal["off", "done", "skipped"]


class _Quiet(msgspec.Struct, frozen=True):
    """A struct whose ``repr`` names its type and nothing else, so that no log line can show content."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Page(_Quiet, frozen=True):
    """One page of normalised text; ``number`` counts from 1, ``label`` is what is printed on the page, if known.

    A document without pages (text, Markdown, HTML) is one page. ``ocr_confidence`` is 0 to 100 where the text was
    recognised from pixels.
    """

    number: int
    text: str
    label: str | None = None
    ocr_confidence: float | None = None


class Chunk(_Quiet, frozen=True):
    """A cut of one page: ``page.text[start:end]``, offsets in characters.

    ``heading`` is the path of headings above it, outermost first; for a table its last entry is the row of column
    names. ``seconds`` is when it is spoken, from and to, where the document says so (subtitles). ``language`` (ISO
    639-1) is set where it differs from the document's.
    """

    page: int
    start: int
    end: int
    heading: Headings = ()
    seconds: tuple[float, float] | None = None
    language: str | None = None


class Extraction(_Quiet, frozen=True):
    """All that the jail says of one document. Chunks refer to ``pages`` by page number and are in reading order.

    ``attachments`` counts what came with it and was not opened.
    """

    media_type: str
    pages: Annotated[tuple[Page, ...], msgspec.Meta(max_length=_MAX_PAGES)]
    chunks: Annotated[tuple[Chunk, ...], msgspec.Meta(max_length=_MAX_CHUNKS)]
    language: str | None
    attachments: int = 0


class Span(_Quiet, frozen=True):
    """A part of a page's text: ``[start:end]``, in characters."""

    start: int
    end: int


class Passage(_Quiet, frozen=True):
    """A quotation for the tutor: ``text`` is exactly ``[start:end]`` of the named page's normalised text.

    ``page_label`` is what is printed on the page as its number, ``heading`` the path of headings above, ``seconds``
    when it is spoken, ``ocr_confidence`` (0 to 100) how surely it was recognised, ``language`` its ISO 639-1 code; each
    only where it is known. ``highlight`` is the sentence of it that answers best, also within the page.
    """

    document_id: str
    filename: str
    page: int
    start: int
    end: int
    text: str
    rank: int
    relevance: Relevance
    flags: tuple[str, ...] = ()
    page_label: str | None = None
    heading: tuple[str, ...] = ()
    seconds: tuple[float, float] | None = None
    ocr_confidence: float | None = None
    language: str | None = None
    highlight: Span | None = None


class Answer(_Quiet, frozen=True):
    """The passages for one question, best first; none and ``nothing_relevant`` when nothing fits.

    ``second_stage`` says whether they were put in order again; skipped, when that failed or took too long.
    """

    passages: tuple[Passage, ...]
    nothing_relevant: bool
    took_ms: float
    second_stage: SecondStage = "off"
