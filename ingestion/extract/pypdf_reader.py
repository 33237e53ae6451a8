"""The second reader of PDF: opened only when it is needed, with a budget, and leaving empty what it cannot do.

Owns what pypdf may cost. It is Python all through, so a timer stops it anywhere.
"""

import contextlib
import io
import signal
import time
from collections.abc import Callable, Generator
from functools import cached_property
from typing import Any, TypeVar

import pypdf

from ingestion.limits import MIB
from models.errors import EncryptedDocument, ParserFailed

_OPEN_SECONDS = 15.0
_PAGE_SECONDS = 5.0
# For all pages of a document: the first reader's text stands for the rest.
_DOCUMENT_SECONDS = 25.0
# A page of a book is some kilobytes; the library's own limits are made for desktops.
_CONFIGURATION = pypdf.Configuration(
    maximum_declared_stream_length=32 * MIB,
    array_based_stream_maximum_output_length=32 * MIB,
    jbig2_maximum_output_length=32 * MIB,
    lzw_maximum_output_length=32 * MIB,
    run_length_maximum_output_length=32 * MIB,
    zlib_maximum_output_length=32 * MIB,
    brotli_maximum_output_length=32 * MIB,
    image_maximum_buffer_size=32 * MIB,
    stream_decoding_work_maximum_length=64 * MIB,
    stream_parsing_work_maximum_count=500_000,
    xform_maximum_invocations_per_extraction=500,
    jbig2dec_binary=None,
)

Result = TypeVar("Result")


class SecondReader:
    """One document, as pypdf sees it."""

    def __init__(self, untrusted: bytes) -> None:
        self._untrusted = untrusted
        self._seconds_left = _DOCUMENT_SECONDS

    def count(self) -> int:
        """Return the number of pages. Raises ``EncryptedDocument`` and ``ParserFailed``."""
        count = self._tried(self._count, _OPEN_SECONDS, -1)
        if count == -1:
            raise ParserFailed
        if count is None:
            raise EncryptedDocument
        return count

    def text(self, index: int) -> str:
        """Return a page's text, empty when it cannot be read, or not in time."""
        if (reader := self._reader) is None:
            return ""
        began = time.process_time()
        try:
            seconds = min(_PAGE_SECONDS, self._seconds_left)
            return self._tried(lambda: str(reader.pages[index].extract_text()), seconds, "")
        finally:
            self._seconds_left -= time.process_time() - began

    def label(self, index: int) -> str:
        """Return what is printed on the page as its number, empty when the document does not say so."""
        return self._labels[index] if index < len(self._labels) else ""

    def _count(self) -> int | None:
        reader = self._opened()
        return len(reader.pages) if reader else None

    def _opened(self) -> pypdf.PdfReader | None:
        reader = pypdf.PdfReader(io.BytesIO(self._untrusted))
        return None if reader.is_encrypted and not reader.decrypt("") else reader

    @cached_property
    def _reader(self) -> pypdf.PdfReader | None:
        return self._tried(self._opened, _OPEN_SECONDS, None)

    @cached_property
    def _labels(self) -> list[str]:
        if (reader := self._reader) is None:
            return []
        return self._tried(lambda: reader.page_labels, _PAGE_SECONDS, [])

    def _tried(self, work: Callable[[], Result], cpu_seconds: float, otherwise: Result) -> Result:
        """Return what the work returns; ``otherwise`` where it fails, in whatever way, or takes too long.

        Never one inside another: there is one timer.
        """
        if cpu_seconds <= 0:
            return otherwise
        try:
            with pypdf.apply_configuration(_CONFIGURATION), _at_most(cpu_seconds):
                return work()
        except Exception:  # noqa: BLE001 - the library raises anything, and what it raises may quote the document.
            return otherwise
        except _OutOfTime:
            return otherwise


class _OutOfTime(BaseException):
    """Not an ``Exception``: the library catches those and goes on."""


@contextlib.contextmanager
def _at_most(cpu_seconds: float) -> Generator[None]:
    """Raise ``_OutOfTime`` in what is done here once it has used so much processor time. Main thread only."""
    is_running = True

    def stop(*_: Any) -> None:
        if is_running:
            raise _OutOfTime

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, cpu_seconds)
    try:
        yield
    finally:
        is_running = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
