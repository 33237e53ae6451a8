"""What runs inside a jail: read one document from the connection, answer with its text or the name of a failure.

Owns the order identify, extract, normalise, chunk, language. Lets no other word out: an exception here may hold
content, so only names of ``models.errors`` leave.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from ingestion.check import MAX_LABEL_CHARACTERS, text_bytes
from ingestion.chunk import Chunker
from ingestion.extract.reading import Work
from ingestion.extract.registry import EXTRACTORS
from ingestion.identify import Family, identify
from ingestion.jail import SLUGS, DocumentData, ExtractRequest, Failed, Finished, Progress
from ingestion.language import language_of
from ingestion.limits import JailLimits
from ingestion.normalise import normalise
from models.content import Extraction, Page
from models.errors import EmptyDocument, MayflyError, ParserFailed, QuotaExceeded
from processes import ipc

# The share of the work that is done when the text is out and only chunking is left.
_EXTRACTED = 0.8
_SMALLEST_STEP = 0.01


@dataclass(frozen=True, slots=True)
class Inmate:
    """The reader of one document.

    ``recognising`` is called before each page that is recognised from pixels, ``answering`` before the answer is sent.
    """

    connection: ipc.Connection
    limits: JailLimits
    chunker: Chunker
    recognising: Callable[[], None]
    answering: Callable[[], None] = lambda: None

    def serve(self) -> None:
        """Take the document in, answer, return. Raises ``PeerGone`` when nobody waits for the answer any more."""
        try:
            request, untrusted = self._receive()
            answer = self._sized(Finished(extraction=self._extract(request, untrusted)))
        except ipc.PeerGone:
            raise
        except MayflyError as error:
            answer = Failed(slug=error.slug if error.slug in SLUGS else ParserFailed.slug)
        except Exception:  # noqa: BLE001 - parsers raise anything, and what they raise may quote the document.
            answer = Failed(slug=ParserFailed.slug)
        self.answering()
        self.connection.send(answer)

    def _sized(self, answer: Finished) -> Finished:
        if len(msgspec.msgpack.encode(answer)) > self.limits.output_bytes:
            raise QuotaExceeded
        return answer

    def _receive(self) -> tuple[ExtractRequest, bytes]:
        request = self.connection.receive()
        if not isinstance(request, ExtractRequest):
            raise ipc.PeerGone
        untrusted = bytearray()
        while len(untrusted) < request.size:
            part = self.connection.receive()
            if not isinstance(part, DocumentData):
                raise ipc.PeerGone
            untrusted += part.data
        return request, bytes(untrusted)

    def _extract(self, request: ExtractRequest, untrusted: bytes) -> Extraction:
        identified = identify(untrusted, request.untrusted_filename, request.untrusted_media_type)
        progress = _Reporter(self.connection)
        work = Work(self.limits, request.languages, progress.between(0, _EXTRACTED), self.recognising)
        reading = EXTRACTORS[identified.family](untrusted, work)
        pages = tuple(_normal(page) for page in reading.pages)
        chunks = self.chunker.chunks(
            pages,
            markdown=reading.markdown,
            max_chunks=self.limits.chunks,
            report=progress.between(_EXTRACTED, 1),
        )
        # A picture without a word in it is a fine picture; any other document without text is a disappointment to
        # tell.
        if not chunks and identified.family is not Family.IMAGE:
            raise EmptyDocument
        extraction = Extraction(identified.media_type, pages, chunks, language_of(pages))
        if text_bytes(extraction) > self.limits.text_bytes:  # Normalising makes some characters longer.
            raise QuotaExceeded
        return extraction


class _Reporter:
    """Sends progress, not more often than it changes visibly."""

    def __init__(self, connection: ipc.Connection) -> None:
        self._connection = connection
        self._sent = 0.0

    def between(self, low: float, high: float) -> Callable[[float], None]:
        """Return what a stage reports its own 0 to 1 with, as its part of the whole."""

        def report(fraction: float) -> None:
            whole = low + (high - low) * fraction
            whole = min(1.0, whole)
            if whole >= self._sent + _SMALLEST_STEP or whole == 1 > self._sent:
                self._sent = whole
                self._connection.send(Progress(fraction=whole))

        return report


def _normal(page: Page) -> Page:
    # Cut after normalising, which makes some characters longer.
    label = normalise(page.label).strip()[:MAX_LABEL_CHARACTERS].strip() if page.label else None
    return Page(page.number, normalise(page.text), label or None, page.ocr_confidence)
