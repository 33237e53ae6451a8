"""Following a document without holding up anybody else: watchers wait in threads of their own."""

from collections.abc import AsyncIterator
from functools import partial

import anyio.to_thread
from anyio import CapacityLimiter

from api.resources import Progress
from models.errors import MayflyError
from sessions.client import SessionClient
from sessions.messages import DocumentState

MAX_WATCHERS = 256
_FINAL = frozenset({"ready", "failed"})
# Short, so that a stream notices soon that its client is gone or the front is to stop.
_WAIT_SECONDS = 2.0


class Watchers:
    """Follows documents for the streams of one front, at most ``MAX_WATCHERS`` at once; others wait for a place."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._places = CapacityLimiter(MAX_WATCHERS)

    async def follow(self, client: SessionClient, first: DocumentState) -> AsyncIterator[DocumentState]:
        """Yield a document's state now and at every change, until it is final, is gone, or the front stops."""
        state: DocumentState | None = first
        while state is not None:
            yield state
            state = None if state.status in _FINAL else await self._next(client, state)

    async def _next(self, client: SessionClient, state: DocumentState) -> DocumentState | None:
        watch = partial(client.watch, state.document_id, after_version=state.version, timeout_seconds=_WAIT_SECONDS)
        while not self._progress.is_stopping:
            try:
                latest = await anyio.to_thread.run_sync(watch, limiter=self._places)
            except MayflyError:
                return None
            if latest.version != state.version:
                return latest
        return None
