"""Finding sessions that ended without being asked to, and purging them.

Owns the comparison of what the record says with what the host holds. It trusts the host about life and the record about
right: a row without a live session is purged, a live session without a row is killed. Run once before the first request
is served and then every few seconds, it is what finishes every purge that was interrupted.
"""

import contextlib
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from models.database import now
from models.documents import service as documents
from models.documents.service import Facts
from models.errors import MayflyError, NoSuchThing, PartUnavailable
from models.receipts import service as receipts
from models.receipts.signing import KeyUnavailable, Receipt
from models.sessions import service as sessions
from models.sessions.service import SessionInfo
from models.vocabulary import EndReason
from sessions.client import SessionClient
from sessions.facts import facts_of
from sessions.messages import EndedBy
from sessions.purge import PurgeParts, part_is_down, purge, reason_of

GRACE_SECONDS = 30.0
_PARALLEL = 8
_ASKED_AT_ONCE = 32
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did. ``unfinished`` names sessions whose purge failed; the next sweep tries again."""

    receipts: tuple[Receipt, ...]
    unfinished: tuple[str, ...]
    strays_killed: int
    sessions_refreshed: int


@dataclass(frozen=True, slots=True)
class _HostView:
    """What the host says; of a host that is down, nothing lives."""

    instance: str | None
    live: frozenset[str]
    ended: dict[str, EndedBy]


def sweep(parts: PurgeParts, *, grace_seconds: float = GRACE_SECONDS) -> Swept:
    """Purge what has ended, kill what nobody owns, and bring the figures of documents in work up to date.

    ``grace_seconds`` is how long a session may be known to the host or to the record alone, which is so for a moment
    while it opens. Raises ``PartUnavailable`` when the database is down or the host does not answer.
    """
    with parts.database.transaction() as db:
        rows = sessions.unended(db, parts.node_id)
    host = _look(parts)
    due = _due(rows, host, parts, grace_seconds)
    done, unfinished = _purge_each(due, parts)
    strays = _kill_strays(parts, host, {row.session_id for row in rows}, grace_seconds=grace_seconds)
    _sign_waiting(parts)
    refreshed = _refresh(parts, [row.session_id for row in rows if row.session_id not in due])
    return Swept(tuple(done), tuple(unfinished), strays, refreshed)


def purge_all(parts: PurgeParts, reason: EndReason) -> Swept:
    """Purge every session of this machine, for its shutdown. Raises ``PartUnavailable`` when the database is down."""
    with parts.database.transaction() as db:
        rows = sessions.unended(db, parts.node_id)
    due: dict[str, EndReason] = {row.session_id: reason for row in rows}
    done, unfinished = _purge_each(due, parts)
    return Swept(tuple(done), tuple(unfinished), 0, 0)


def _due(rows: list[SessionInfo], host: _HostView, parts: PurgeParts, grace_seconds: float) -> dict[str, EndReason]:
    due: dict[str, EndReason] = {}
    for row in rows:
        reason = _why_ended(row, host, parts, grace_seconds)
        if reason is not None:
            due[row.session_id] = reason
    return due


def _why_ended(row: SessionInfo, host: _HostView, parts: PurgeParts, grace_seconds: float) -> EndReason | None:
    """Return why a session that is not ended in the record is over, or ``None`` while it lives."""
    if row.state == "ending":
        return row.end_reason
    if row.session_id in parts.turns.unmarked:
        return parts.turns.unmarked[row.session_id]
    if row.session_id in host.ended:
        return reason_of(host.ended[row.session_id])
    if row.host_instance != host.instance:
        return "crash"
    # Either way: a wall clock that was set back must not make an old row young.
    opening = abs(now() - row.opened_at) < timedelta(seconds=grace_seconds)
    return None if row.session_id in host.live or opening else "crash"


def _look(parts: PurgeParts) -> _HostView:
    try:
        instance = parts.host.hello().instance
        listed = parts.host.list()
    except PartUnavailable:
        if part_is_down(parts.sockets.host):
            return _HostView(None, frozenset(), {})
        raise
    return _HostView(instance, frozenset(listed.live), dict(listed.ended))


def _purge_each(due: dict[str, EndReason], parts: PurgeParts) -> tuple[list[Receipt], list[str]]:
    done: list[Receipt] = []
    unfinished: list[str] = []

    def attempt(session_id: str, reason: EndReason) -> None:
        try:
            done.append(purge(session_id, reason, parts))
        except NoSuchThing:
            return  # Its account was erased since we looked.
        except MayflyError:
            unfinished.append(session_id)

    if due:
        with ThreadPoolExecutor(min(_PARALLEL, len(due)), thread_name_prefix="purge") as pool:
            list(pool.map(attempt, due.keys(), due.values()))
    return done, unfinished


def _kill_strays(parts: PurgeParts, host: _HostView, recorded: Iterable[str], *, grace_seconds: float) -> int:
    """Kill what the host holds, or remembers, without a row: its opening was never finished, or its account is gone."""
    seen, present = parts.turns.strays, time.monotonic()
    strays = (host.live | host.ended.keys()) - set(recorded)
    for session_id in seen.keys() - strays:
        del seen[session_id]
    overdue = [session_id for session_id in strays if present - seen.setdefault(session_id, present) >= grace_seconds]
    for session_id in overdue:
        parts.host.kill(session_id)
        del seen[session_id]
    return len(overdue)


def _sign_waiting(parts: PurgeParts) -> None:
    """Sign what was purged while the key was not there; without it, the next sweep tries again."""
    with contextlib.suppress(KeyUnavailable), parts.database.transaction() as db:
        receipts.sign_waiting(db, parts.signer)


def _refresh(parts: PurgeParts, session_ids: list[str]) -> int:
    """Write what became of documents since the record heard of them; returns how many sessions answered.

    Sessions are asked at the same time, so that those that hang cost little; their answers are written one by one.
    """
    with parts.database.transaction() as db:
        waiting = documents.unfinished(db, session_ids)
    if not waiting:
        return 0
    with ThreadPoolExecutor(min(_ASKED_AT_ONCE, len(waiting)), thread_name_prefix="refresh") as pool:
        answers = dict(zip(waiting, pool.map(lambda session_id: _ask(parts, session_id), waiting), strict=True))
    answered = {session_id: facts for session_id, facts in answers.items() if facts is not None}
    for session_id, facts in answered.items():
        _write(parts, session_id, facts, waiting[session_id])
    return len(answered)


def _ask(parts: PurgeParts, session_id: str) -> list[Facts] | None:
    client = SessionClient(parts.sockets.sessions / f"{session_id}.sock", timeout_seconds=_LOOK_SECONDS)
    try:
        return [facts_of(state) for state in client.documents()]
    except MayflyError:
        return None  # It is gone, busy or not yet unlocked; the next sweep sees which.


def _write(parts: PurgeParts, session_id: str, facts: list[Facts], waiting: set[str]) -> None:
    # A row is written after its document is there, so one that had a row before we asked and is not held was deleted.
    gone = waiting - {fact.content_id for fact in facts}
    with parts.database.transaction() as db:
        documents.refresh(db, facts, session_id=session_id)
        for content_id in gone:
            documents.remove(db, content_id, session_id=session_id)
