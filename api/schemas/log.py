"""The public log of sessions: what anyone may read of it."""

from api.schemas import Outgoing
from api.schemas.receipts import LogProof


class Entries(Outgoing):
    """Entries from ``first`` on, each to the byte as the log hashes it; the log has ``size`` of them."""

    first: int
    size: int
    entries: list[str]


class Consistency(Outgoing):
    """The proof (RFC 9162, 2.1.4), in hex, that the log of ``new_size`` entries begins with that of ``old_size``."""

    old_size: int
    new_size: int
    hashes: list[str]


class Proofs(Outgoing):
    """Where start and end of a receipt's session are in the newest log, or that they are not."""

    start: LogProof | None
    end: LogProof | None


class OpenSessions(Outgoing):
    """What the log says by itself: starts without an end, and how many of them should have ended by now."""

    size: int
    open: int
    oldest_opened_at: str | None
    overdue: int
