"""The last turns of the current conversation, so that any front can serve a follow-up.

Content: it lives in the session process, bounded by count and bytes, and dies with it. The oldest turns go first.
"""

import threading
from collections import deque

from models.errors import InvalidRequest
from sessions.messages import Turn, Turns

MAX_TURNS = 40
MAX_BYTES = 64 * 1024
MAX_TURN_BYTES = 16 * 1024


class RecentTurns:
    """The turns of one session, the oldest first. Safe to use from several threads."""

    def __init__(self, *, max_turns: int = MAX_TURNS, max_bytes: int = MAX_BYTES) -> None:
        self._max_turns = max_turns
        self._max_bytes = max_bytes
        self._changing = threading.Lock()
        self._turns = deque[tuple[Turn, int]]()
        self._bytes = 0

    def append(self, turn: Turn) -> Turns:
        """Add a turn and drop the oldest that no longer fit. Raises ``InvalidRequest`` for one that is too long."""
        size = len(turn.text.encode())
        if size > min(MAX_TURN_BYTES, self._max_bytes):
            raise InvalidRequest
        with self._changing:
            self._turns.append((turn, size))
            self._bytes += size
            while len(self._turns) > self._max_turns or self._bytes > self._max_bytes:
                self._bytes -= self._turns.popleft()[1]
            return self._read()

    def read(self) -> Turns:
        """Return the turns, the oldest first."""
        with self._changing:
            return self._read()

    def clear(self) -> Turns:
        """Forget all turns; return what is left: none."""
        with self._changing:
            self._turns.clear()
            self._bytes = 0
            return self._read()

    def _read(self) -> Turns:
        return Turns(turns=tuple(turn for turn, _ in self._turns), bytes=self._bytes)
