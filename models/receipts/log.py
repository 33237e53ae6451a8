"""The log in the record: appending, and reading entries, roots and proofs.

Owns three tables. A transaction appends last: the one row of ``receipt_log_head`` is the last lock it takes, so that
numbers have no gaps, nobody waits in a circle, and nobody waits for longer than a commit. Nothing is ever changed or
removed here but a note beside a start that its end was written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec
from sqlalchemy import insert, select, tuple_, update
from sqlalchemy.orm import Session

from models.database import hits
from models.errors import NoSuchThing
from models.ids import new_id
from models.receipts import merkle
from models.receipts.checkpoint import Checkpoint
from models.receipts.entries import End, Entry, Start, name_of, written
from models.receipts.entries import start as start_entry
from models.receipts.tables import LogEntry, LogHead, LogNode
from models.vocabulary import LogEntryKind

MAX_ENTRIES = 256
_Result = TypeVar("_Result")
Sign = Callable[[Checkpoint], str]


class Logged(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that shows, without asking anybody, that an entry is in the log.

    Entry ``index`` is ``entry``, in the log of the ``checkpoint``, a signed note, which also has the size. ``hashes``
    are the proof, in hex, lowest first.
    """

    index: int
    entry: str
    hashes: tuple[str, ...]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class OpenSessions:
    """What the log of ``size`` entries says by itself: starts without an end, the oldest first."""

    size: int
    starts: tuple[Start, ...]


def append(db: Session, entry: Entry) -> int:
    """Add an entry and return its place. Everything else of the transaction comes before it."""
    hits(db, update(LogHead).values(size=LogHead.size + 1))
    index = _head(db).size - 1
    db.execute(insert(LogEntry).values(_row(index, entry)))
    siblings = _nodes(db, merkle.siblings(index))
    nodes = merkle.added(index, merkle.leaf_hash(written(entry)), lambda *place: siblings[place])
    db.execute(insert(LogNode), [{"level": level, "position": place, "hash": value} for level, place, value in nodes])
    if isinstance(entry, End):
        mine = update(LogEntry).where(LogEntry.receipt == entry.receipt, LogEntry.kind == "start")
        hits(db, mine.values(ended_by=index))
    return index


def open_session(
    db: Session, *, receipt_id: str, key_commitment: bytes, lifetime_seconds: int, opened_at: datetime
) -> int:
    """Write the start of a session, in the transaction that opens it; ``key_commitment`` comes from its process."""
    entry = start_entry(
        receipt_id=receipt_id,
        key_commitment=key_commitment,
        lifetime_seconds=lifetime_seconds,
        opened_at=opened_at,
    )
    return append(db, entry)


def head(db: Session, size: int | None = None) -> Checkpoint:
    """Return the log as it is, or as it was at ``size``, unsigned. Raises ``NoSuchThing`` for a size to come."""
    now = _head(db)
    wanted = _within(now.size if size is None else size, now)
    return Checkpoint(now.origin, wanted, _with_nodes(db, lambda node: merkle.root(wanted, node)))


def entries(db: Session, first: int, count: int = MAX_ENTRIES) -> list[str]:
    """Return entries as they were hashed, from ``first`` on, at most ``MAX_ENTRIES``; none beyond the end."""
    wanted = select(LogEntry.leaf).where(LogEntry.seq >= first, LogEntry.seq < _head(db).size)
    return list(db.scalars(wanted.order_by(LogEntry.seq).limit(min(count, MAX_ENTRIES))))


def prove(db: Session, receipt_id: str, kind: LogEntryKind, sign: Sign, *, newest: bool = False) -> Logged:
    """Prove that the start or the end of a receipt's session is in the log.

    The log is taken as it was when the entry came, so that the answer is always the same; with ``newest``, as it is.
    Raises ``NoSuchThing`` when there is no such entry.
    """
    row = db.scalar(select(LogEntry).where(LogEntry.receipt == name_of(receipt_id), LogEntry.kind == kind))
    if row is None:
        raise NoSuchThing
    checkpoint = head(db, None if newest else row.seq + 1)
    hashes = _with_nodes(db, lambda node: merkle.inclusion(row.seq, checkpoint.size, node))
    proof = tuple(one.hex() for one in hashes)
    return Logged(index=row.seq, entry=row.leaf, hashes=proof, checkpoint=sign(checkpoint))


def consistency(db: Session, old: int, new: int) -> tuple[str, ...]:
    """Prove that the log of ``new`` entries begins with that of ``old``. Raises ``NoSuchThing`` for other sizes."""
    if old > _within(new, _head(db)):
        raise NoSuchThing
    return tuple(one.hex() for one in _with_nodes(db, lambda node: merkle.consistency(old, new, node)))


def open_sessions(db: Session) -> OpenSessions:
    """Return the sessions that the log has a start of and no end."""
    size = _head(db).size
    is_open = (LogEntry.kind == "start", LogEntry.ended_by.is_(None), LogEntry.seq < size)
    found = db.scalars(select(LogEntry.leaf).where(*is_open).order_by(LogEntry.seq))
    return OpenSessions(size, tuple(msgspec.json.decode(leaf, type=Start) for leaf in found))


def become_another(db: Session) -> None:
    """Give the log another origin: after a restore it lacks what was written since the backup, so it is not the same.

    Who has a checkpoint of the old one sees another name, and not a log that went back.
    """
    hits(db, update(LogHead).values(origin=new_origin()))


def new_origin() -> str:
    """Return a name for a log: random, so that no two have one."""
    return f"mayfly-log/{new_id()}"


def _row(index: int, entry: Entry) -> dict[str, object]:
    kind = "end" if isinstance(entry, End) else "start"
    return {"seq": index, "kind": kind, "receipt": entry.receipt, "leaf": written(entry).decode(), "ended_by": None}


def _head(db: Session) -> LogHead:
    found = db.scalar(select(LogHead).execution_options(populate_existing=True))
    if found is None:
        raise RuntimeError("the log has no head: the migrations did not run")
    return found


def _within(size: int, now: LogHead) -> int:
    if not 0 <= size <= now.size:
        raise NoSuchThing
    return size


def _with_nodes(db: Session, compute: Callable[[merkle.Node], _Result]) -> _Result:
    """Calculate from stored nodes with one query: the first run only notes which ones are asked for."""
    wanted = list[tuple[int, int]]()

    def note(level: int, position: int) -> bytes:
        wanted.append((level, position))
        return b""

    compute(note)
    found = _nodes(db, wanted)
    return compute(lambda *place: found[place])


def _nodes(db: Session, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    if not places:
        return {}
    wanted = select(LogNode.level, LogNode.position, LogNode.hash)
    rows = db.execute(wanted.where(tuple_(LogNode.level, LogNode.position).in_(places)))
    return {(level, position): value for level, position, value in rows}
