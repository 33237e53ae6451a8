"""Replaying the public log from outside: is it whole, does it only grow, and did every session end in time?

Owns the verdict and trusts nothing but the key: every entry is fetched, the root is calculated from them, and it must
be the one that was signed. Refuses to take a checkpoint of another log for an older one of this.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from models.receipts import checkpoint, entries, merkle
from models.receipts.checkpoint import Checkpoint, CheckpointInvalid
from models.receipts.entries import End, Entry, EntryInvalid, Start

Fetch = Callable[[int], Sequence[str]]


class LogRefuted(Exception):
    """The log is not what was signed: what is wrong is in the message."""


@dataclass(frozen=True, slots=True)
class Audited:
    """What an auditor found. Numbers in ``overdue``, ``late`` and ``unstarted`` are places of entries.

    ``overdue``: started, should have ended by now, and did not. ``late``: ended after it should have. ``unstarted``:
    ended without a start, as sessions do that were open when the log began. ``open_starts`` may still be open.
    ``residue``: the purge found something of its session.
    """

    checkpoint: Checkpoint
    starts: int
    ends: int
    open_starts: int
    overdue: tuple[int, ...]
    late: tuple[int, ...]
    unstarted: tuple[int, ...]
    residue: tuple[int, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether every session that should have ended has one end, in time, and nothing of it was found."""
        return not self.overdue and not self.late and not self.residue


@dataclass(slots=True)
class _Books:
    """Which session started where, and what came of it."""

    starts: dict[str, tuple[int, Start]] = field(default_factory=dict[str, tuple[int, Start]])
    ended: set[str] = field(default_factory=set[str])
    late: list[int] = field(default_factory=list[int])
    unstarted: list[int] = field(default_factory=list[int])
    residue: list[int] = field(default_factory=list[int])

    def enter(self, index: int, entry: Entry) -> None:
        if isinstance(entry, Start):
            if entry.receipt in self.starts or entry.receipt in self.ended:
                raise LogRefuted(f"entry {index} starts a session a second time")
            self.starts[entry.receipt] = (index, entry)
        else:
            self._end(index, entry)

    def _end(self, index: int, entry: End) -> None:
        if entry.receipt in self.ended:
            raise LogRefuted(f"entry {index} ends a session a second time")
        self.ended.add(entry.receipt)
        if entry.residue:
            self.residue.append(index)
        _, start = self.starts.get(entry.receipt, (0, None))
        if start is None:
            self.unstarted.append(index)
        elif entries.is_overdue(start, entries.moment_of(entry.ended_at)):
            self.late.append(index)


def audit(note: str, fetch: Fetch, *, keys: Sequence[bytes], moment: datetime, earlier: str | None = None) -> Audited:
    """Replay the log of a signed checkpoint and say what it shows at a moment (UTC).

    ``fetch`` returns entries from a place on; ``earlier`` is a checkpoint that was seen before. Raises ``LogRefuted``
    when none of ``keys`` signed, entries are missing, changed or out of order, a session has two starts or two ends, or
    the log is not a continuation of the earlier one.
    """
    newest = _read(note, keys)
    leaves = list(_all(fetch, newest.size))
    node = merkle.nodes_of(leaves)
    if merkle.root(newest.size, node) != newest.root:
        raise LogRefuted("the entries are not those that were signed")
    if earlier is not None:
        _check_growth(_read(earlier, keys), newest, node)
    books = _Books()
    for index, leaf in enumerate(leaves):
        books.enter(index, _entry(index, leaf))
    return _verdict(newest, books, moment)


def _verdict(newest: Checkpoint, books: _Books, moment: datetime) -> Audited:
    missing = [(index, start) for receipt, (index, start) in books.starts.items() if receipt not in books.ended]
    overdue = tuple(index for index, start in missing if entries.is_overdue(start, moment))
    return Audited(
        checkpoint=newest,
        starts=len(books.starts),
        ends=len(books.ended),
        open_starts=len(missing) - len(overdue),
        overdue=overdue,
        late=tuple(books.late),
        unstarted=tuple(books.unstarted),
        residue=tuple(books.residue),
    )


def _check_growth(old: Checkpoint, new: Checkpoint, node: merkle.Node) -> None:
    if old.origin != new.origin:
        raise LogRefuted("this is another log than the one that was seen before")
    if old.size > new.size:
        raise LogRefuted("the log has become shorter")
    if merkle.root(old.size, node) != old.root:
        raise LogRefuted("what was in the log before is not in it any more")


def _all(fetch: Fetch, size: int) -> Iterator[bytes]:
    place = 0
    while place < size:
        got = fetch(place)[: size - place]
        if not got:
            raise LogRefuted(f"entry {place} is not there")
        yield from (leaf.encode() for leaf in got)
        place += len(got)


def _entry(index: int, leaf: bytes) -> Entry:
    try:
        return entries.read(leaf)
    except EntryInvalid:
        raise LogRefuted(f"entry {index} is none that this program knows") from None


def _read(note: str, keys: Sequence[bytes]) -> Checkpoint:
    try:
        return checkpoint.read(note, *keys)
    except CheckpointInvalid as invalid:
        raise LogRefuted(f"the checkpoint is not valid: {invalid}") from None
