"""Links on their way to documents: each is fetched in a thread of its own, sealed as it arrives, and then queued.

Owns the time between the link and the queue; a slow site holds up no other document. Refuses more than a few fetches of
one session at once. The process it runs in has no network: the fetcher brings the bytes.
"""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from ingestion.fetch.addresses import Link, read_link
from ingestion.fetch.client import Delivery, FetcherClient
from ingestion.quarantine import SealedFile
from models.errors import LinksNotAllowed, PartUnavailable, QueueFull
from sessions import messages as m
from sessions.documents import Document, Shelf, Stopwatch
from sessions.uploads import FileMark, Idempotency, Upload, display_name

_AT_ONCE = 2
_RETRY_SECONDS = 5
# A page's address often ends like a file of another kind (…/wiki/Node.js, …/blob/main/paper.pdf), and is none.
_PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_PAGE_NAME = "page.html"

MakeDocument = Callable[[FileMark, SealedFile, Link], Document]
NoteFailure = Callable[[Document, Exception, Stopwatch], None]


class Links:
    """Fetches links for one session. Without a socket there is no fetcher and every link is refused. Thread-safe.

    ``begin`` starts an upload, ``make`` makes its document, ``give_back`` gives back one empty file's quota, and
    ``failed`` notes why a document came to nothing.
    """

    def __init__(
        self,
        fetcher_socket: str | None,
        shelf: Shelf,
        idempotency: Idempotency,
        *,
        begin: Callable[[], Upload],
        make: MakeDocument,
        give_back: Callable[[], None],
        failed: NoteFailure,
    ) -> None:
        self._fetcher = FetcherClient(Path(fetcher_socket)) if fetcher_socket else None
        self._shelf = shelf
        self._idempotency = idempotency
        self._begin = begin
        self._make = make
        self._give_back = give_back
        self._failed = failed
        self._places = threading.BoundedSemaphore(_AT_ONCE)

    def fetch(self, request: m.FetchLink) -> m.Accepted:
        """Start to fetch a link and return its document; the same key with the same link returns the same document.

        Raises ``LinksNotAllowed``, ``LinkRefused``, ``VideoLink``, ``QuotaExceeded``, ``QueueFull``, ``NoSpace``,
        ``IdempotencyConflict``, ``PartUnavailable`` when the fetcher is not there.
        """
        if self._fetcher is None:
            raise LinksNotAllowed
        link = read_link(request.untrusted_url)
        mark = FileMark(display_name(link.name), None, 0, hashlib.sha256(link.url.encode()).digest())
        key = request.idempotency_key
        if self._idempotency.begin(key):
            made = set(self._idempotency.replay(key or "", (mark,)))
            states = tuple(state for state in self._shelf.states() if state.document_id in made)
            return m.Accepted(documents=states, replayed=True)
        try:
            state = self._start(self._fetcher, link, mark)
            self._idempotency.finish(key, (mark,), (state.document_id,))
        finally:
            self._idempotency.release(key)
        return m.Accepted(documents=(state,))

    def _start(self, fetcher: FetcherClient, link: Link, mark: FileMark) -> m.DocumentState:
        if not self._places.acquire(blocking=False):
            raise QueueFull(retry_after_seconds=_RETRY_SECONDS)
        upload = self._begin()
        try:
            upload.begin_file(mark.filename, None)
            delivery = fetcher.open(link.url)
        except BaseException:
            upload.abort()
            self._places.release()
            raise
        return self._set_off(upload, delivery, mark, link)

    def _set_off(self, upload: Upload, delivery: Delivery, mark: FileMark, link: Link) -> m.DocumentState:
        """Begin to fetch and queue the document. Raises ``PartUnavailable`` when there is no room for a thread."""
        # From here on the document has what the upload took of the quota, and the pipeline waits until it is let go.
        ((_, sealed),) = upload.hand_over()
        try:
            document = self._make(mark, sealed, link)
            document.in_work = True
            state = document.state
            threading.Thread(target=self._bring, args=(document, upload, delivery), name="link", daemon=True).start()
        except Exception as error:
            delivery.close()
            sealed.destroy()
            self._give_back()
            self._places.release()
            raise PartUnavailable(retry_after_seconds=_RETRY_SECONDS) from error
        # Last, so that no document is seen that nobody brings; one that has come already is as good.
        self._shelf.place([document])
        return state

    def _bring(self, document: Document, upload: Upload, delivery: Delivery) -> None:
        watch = Stopwatch()
        try:
            self._shelf.update(document, timings=watch.enter("fetching"))
            with delivery:
                self._seal(document, upload, delivery)
        except Exception as error:  # noqa: BLE001  # One link may fail, the session may not.
            document.sealed.destroy()
            self._failed(document, error, watch)
        else:
            self._shelf.update(document, timings=watch.enter(None), commitment=document.sealed.commitment)
        finally:
            # Who deletes the document gives back what it counts for, once it is let go.
            self._shelf.update(document, bytes=document.sealed.plain_bytes)
            self._places.release()
            self._shelf.let_go(document)

    def _seal(self, document: Document, upload: Upload, delivery: Delivery) -> None:
        for untrusted in delivery.read(document.job):
            upload.data(untrusted)
        upload.end_file()
        document.untrusted_media_type = delivery.untrusted_media_type
        if delivery.untrusted_media_type in _PAGE_TYPES:
            document.untrusted_filename = _PAGE_NAME
