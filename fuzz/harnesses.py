"""One harness for each place where bytes from outside are parsed: it parses them once and checks what must hold.

A reader of documents (``Family``) gets a harness by being registered. Whatever leaves a harness is a finding, except
the errors it may raise; a reader may raise anything, since its jail calls all that ``parser_failed``: that is noted.
"""

import re
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from unittest import mock

import msgspec
from PIL import Image

from api.multipart import FileBytes, FileEnd, FileStart, FormReader
from api.resumable import METADATA_PATTERN, _wish
from ingestion.archive import Archive
from ingestion.check import check, text_bytes
from ingestion.chunk import Chunker
from ingestion.extract import ocr
from ingestion.extract.reading import Work
from ingestion.extract.registry import EXTRACTORS
from ingestion.identify import Family, identify
from ingestion.jail import SLUGS, Finished, JailReply
from ingestion.limits import MIB, JailLimits
from ingestion.outline import compose
from models.content import Extraction
from models.errors import MayflyError, ParserFailed, TooMuchText
from processes import ipc
from tests.support.jails import token_counter

# As in production, but small enough that a limit is met.
LIMITS = JailLimits(pages=50, pixels=4_000_000, text_bytes=2 * MIB, archive_bytes=20 * MIB, cells=20_000, tags=20_000)
BOUNDARY = b"fuzz"
# What a socket takes without somebody reading at the other end.
_FRAME_BYTES = 100_000
_SUFFIXES = (
    "",
    ".pdf",
    ".docx",
    ".xlsx",
    ".epub",
    ".zip",
    ".png",
    ".html",
    ".md",
    ".csv",
    ".json",
    ".srt",
    ".eml",
    ".rtf",
)
_METADATA = re.compile(METADATA_PATTERN)


class Broken(AssertionError):
    """Something that must hold after parsing does not."""


@dataclass(frozen=True, slots=True)
class Harness:
    """Parses bytes once. ``may_raise`` is the errors it declares; ``is_jailed`` says that any other is only noted."""

    name: str
    parse: Callable[[bytes], None]
    may_raise: tuple[type[Exception], ...] = (MayflyError,)
    is_jailed: bool = False


def harnesses() -> dict[str, Harness]:
    """Return all of them by name. Recognising pixels is left out: pictures are decoded, and then have no text."""
    readers = [Harness(family.value, partial(_read, family, _chunker()), is_jailed=True) for family in EXTRACTORS]
    fronts = [
        Harness("identify", _identify),
        Harness("archive", _unpack),
        Harness("answer", _believe, (MayflyError, msgspec.MsgspecError)),
        Harness("multipart", _receive),
        Harness("metadata", _wish_for),
    ]
    return {harness.name: harness for harness in (*fronts, *readers)}


def _chunker() -> Chunker:
    return Chunker(token_counter(), max_tokens=LIMITS.chunk_tokens)


def _unread(pictures: Iterable[Image.Image], _work: Work) -> Iterator[tuple[int, ocr.Recognised]]:
    for place, picture in enumerate(pictures):
        picture.load()
        yield place, ocr.Recognised("", 0.0)


def _read(family: Family, chunker: Chunker, untrusted: bytes) -> None:
    """Do all that a jail does with a document of this family, and check the answer as its session would."""
    with mock.patch.object(ocr, "recognise_all", _unread):
        reading = EXTRACTORS[family](untrusted, Work(LIMITS))
    composed = [compose(number, raw, markdown=reading.markdown) for number, raw in enumerate(reading.pages, 1)]
    chunks = chunker.chunks(composed, max_chunks=LIMITS.chunks)
    pages = tuple(page for page, _ in composed)
    extraction = Extraction("text/plain", pages, chunks, None, reading.attachments)
    if text_bytes(extraction) > LIMITS.text_bytes:
        raise TooMuchText
    _check(extraction)
    if sum(len(page.text) for page in pages) > 4 * LIMITS.text_bytes:
        raise Broken("more text than allowed")


def _check(extraction: Extraction) -> None:
    try:
        check(extraction, LIMITS)
    except ParserFailed as error:
        raise Broken("our own answer does not pass our own check") from error


def _identify(untrusted: bytes) -> None:
    which, document = untrusted[:1], untrusted[1:]
    suffix = _SUFFIXES[which[0] % len(_SUFFIXES)] if which else ""
    try:
        found = identify(document, "name" + suffix, None)
    except MayflyError as error:
        if error.slug not in SLUGS:
            raise Broken("refused with a word that no jail may say") from error
        raise
    if found.family not in EXTRACTORS:
        raise Broken("identified, and nobody reads it")


def _unpack(untrusted: bytes) -> None:
    archive = Archive(untrusted, LIMITS)
    if len(archive.names()) > LIMITS.archive_entries:
        raise Broken("more entries than allowed")
    total = 0
    for name in archive.names():
        total += len(archive.read(name))
        if total > LIMITS.archive_bytes:
            raise Broken("unpacked more than allowed")


def _believe(untrusted: bytes) -> None:
    """Receive one frame from a jail as its session does."""
    ours, theirs = socket.socketpair()
    with theirs, ipc.Connection(ours, JailReply, max_frame_bytes=LIMITS.output_bytes) as connection:
        body = untrusted[:_FRAME_BYTES]
        theirs.sendall(struct.pack(">I", len(body)) + body)
        reply = connection.receive()
    if isinstance(reply, Finished):
        extraction = check(reply.extraction, LIMITS)
        for chunk in extraction.chunks:
            if not extraction.pages[chunk.page - 1].text[chunk.start : chunk.end]:
                raise Broken("a chunk of nothing is believed")


def _receive(untrusted: bytes) -> None:
    """Feed a form in steps of the size that its first byte tells."""
    step, body = (untrusted[0] or 256) if untrusted else 1, untrusted[1:]
    reader, is_open, taken = FormReader(BOUNDARY), False, 0
    for start in range(0, len(body), step):
        for part in reader.feed(body[start : start + step]):
            if isinstance(part, FileBytes):
                taken += len(part.untrusted)
            if isinstance(part, FileStart) == is_open:
                raise Broken("bytes or an end outside a file, or a file within a file")
            is_open = not isinstance(part, FileEnd)
    reader.finish()
    if taken > len(body) or is_open:
        raise Broken("more bytes than came, or a file without an end")


def _wish_for(untrusted: bytes) -> None:
    metadata = untrusted.decode("latin-1")
    if _METADATA.fullmatch(metadata):
        _wish(len(untrusted), metadata)
