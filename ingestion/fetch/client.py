"""How a session process asks the fetcher for what a link points to.

Trusts nothing that comes back: a refusal is a name from a fixed list, and who reads the bytes counts them.
"""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from ingestion.fetch.messages import SLUGS, Admitted, Arrived, Arriving, Bytes, Failed, Fetch, FetcherReply
from ingestion.jail import Job
from models.errors import LinkFailed, MayflyError, PartUnavailable, from_slug
from processes import ipc

# Longer than any fetch may take: the fetcher keeps the time, this is for a fetcher that does not.
_SILENCE_SECONDS = 180.0
_MAX_FRAME_BYTES = 256 * 1024


class FetcherClient:
    """What a session process knows of the fetcher: its socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def open(self, untrusted_url: str) -> "Delivery":
        """Ask for a document and return it as it will arrive.

        Raises ``LinkRefused``, ``VideoLink``, ``QueueFull`` when too many links are being fetched, ``PartUnavailable``.
        """
        try:
            connection = ipc.connect(self._socket, FetcherReply, timeout_seconds=_SILENCE_SECONDS)
        except ipc.PeerGone as gone:
            raise PartUnavailable(retry_after_seconds=1) from gone
        delivery = Delivery(ipc.Connection(connection.sock, FetcherReply, max_frame_bytes=_MAX_FRAME_BYTES))
        try:
            delivery.request(untrusted_url)
        except BaseException:
            delivery.close()
            raise
        return delivery


class Delivery:
    """A document on its way from a site; closing it stops the fetch."""

    def __init__(self, connection: ipc.Connection) -> None:
        self._connection = connection
        self.untrusted_media_type: str | None = None

    def request(self, untrusted_url: str) -> None:
        """Send the request and return when it is admitted. Raises what ``FetcherClient.open`` raises."""
        try:
            self._connection.send(Fetch(untrusted_url=untrusted_url))
        except ipc.PeerGone as gone:
            raise PartUnavailable(retry_after_seconds=1) from gone
        if not isinstance(self._next(), Admitted):
            raise PartUnavailable

    def read(self, job: Job) -> Iterator[bytes]:
        """Yield the document as it arrives; its media type is known before the first piece.

        Raises ``Cancelled``, ``PartUnavailable`` when the fetcher went away, and the error that the fetcher named.
        """
        with job.holding(self._connection):
            try:
                yield from self._pieces()
            except (MayflyError, ipc.PeerGone):
                job.check()
                raise

    def close(self) -> None:
        """Hang up. A second call does nothing."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _pieces(self) -> Iterator[bytes]:
        first = self._next()
        if not isinstance(first, Arriving):
            raise LinkFailed
        self.untrusted_media_type = first.untrusted_media_type
        while not isinstance(reply := self._next(), Arrived):
            if not isinstance(reply, Bytes):
                raise LinkFailed
            yield reply.untrusted

    def _next(self) -> Any:
        try:
            reply = self._connection.receive()
        except ipc.PeerGone as gone:
            raise PartUnavailable(retry_after_seconds=1) from gone
        except (msgspec.MsgspecError, ipc.FrameTooLarge) as error:
            raise LinkFailed from error
        if reply is None:
            raise PartUnavailable(retry_after_seconds=1)
        if isinstance(reply, Failed):
            known = reply.slug in SLUGS
            raise from_slug(reply.slug, retry_after_seconds=reply.retry_after_seconds) if known else LinkFailed
        return reply
