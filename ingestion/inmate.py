"""What runs inside a jail: read one document from the connection, answer with its text or the name of a failure.

Owns the order identify, extract, normalise, chunk, language. Lets no other word out: an exception here may hold
content, so only names of ``models.errors`` leave.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import msgspec

from ingestion.check import text_bytes
from ingestion.chunk import Chunker
from ingestion.extract.reading import Work
from ingestion.extract.registry import EXTRACTORS
from ingestion.families import Family
from ingestion.identify import identify
from ingestion.jail import SLUGS, DocumentData, ExtractRequest, Failed, Finished, JailStage, Progress
from ingestion.language import language_of, tagged
from ingestion.limits import JailLimits
from ingestion.outline import compose
from models.content import Extraction
from models.errors import EmptyDocument, MayflyError, ParserFailed, TooMuchText
from processes import ipc

# Of a long document not every page is told.
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
        self.chunker.remember_words()
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
            raise TooMuchText
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
        identified = identify(untrusted, request.untrusted_filename, request.untrusted_media_type, self.limits)
        report = partial(_Reporter, self.connection)
        extracting = report("extracting")
        work = Work(self.limits, request.languages, extracting, report("recognising"), self.recognising)
        reading = EXTRACTORS[identified.family](untrusted, work)
        extracting(len(reading.pages), len(reading.pages))
        composed = [compose(number, raw, markdown=reading.markdown) for number, raw in enumerate(reading.pages, 1)]
        pages = tuple(page for page, _ in composed)
        chunks = self.chunker.chunks(composed, max_chunks=self.limits.chunks, report=report("chunking"))
        # A picture without a word in it is a fine picture; any other document without text is a disappointment to
        # tell.
        if not chunks and identified.family is not Family.IMAGE:
            raise EmptyDocument
        language = language_of(pages)
        chunks = tagged(chunks, pages, language)
        extraction = Extraction(identified.media_type, pages, chunks, language, reading.attachments)
        if text_bytes(extraction) > self.limits.text_bytes:  # Normalising makes some characters longer.
            raise TooMuchText
        return extraction


class _Reporter:
    """Sends the progress of one stage, not more often than it changes visibly."""

    def __init__(self, connection: ipc.Connection, stage: JailStage) -> None:
        self._connection = connection
        self._stage: JailStage = stage
        self._sent = -1  # How many pages there are is told before the first of them is done.

    def __call__(self, done: int, known: int) -> None:
        """Say how many pages are done, of how many."""
        if done >= self._sent + max(1, int(known * _SMALLEST_STEP)) or done == known > self._sent:
            self._sent = done
            self._connection.send(Progress(stage=self._stage, pages_done=done, pages_known=known))
