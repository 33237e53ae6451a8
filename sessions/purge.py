"""Ending a session, whatever ended it: one function, its steps in order.

Owns the order. The durable mark comes before anything that can fail, the record's last word and the receipt come last,
and in between a step that fails keeps no other step from deleting. A purge that could not do or verify everything
raises and leaves the session ``ending``; the next one starts again. No receipt says more than what was looked at.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from msgspec import UNSET

from ingestion import quarantine
from ingestion.jail import JailClient
from models.conversations import service as conversations
from models.database import Database, now
from models.documents import service as documents
from models.documents.service import Totals
from models.errors import NoSuchThing, PartUnavailable, SessionExpired
from models.ids import is_id, new_id
from models.receipts import entries, log
from models.receipts import service as receipts
from models.receipts.signing import Receipt, Signer
from models.receipts.statement import Statement, Step, StepResult, TracedPlace
from models.sessions import service as sessions
from models.sessions.service import SessionInfo
from models.vocabulary import EndReason
from processes import ipc
from sessions.client import HostClient, SessionClient
from sessions.facts import facts_of
from sessions.messages import EndedBy
from sessions.residue import Residue, ResidueSearch
from vectorstore.client import EmbedderClient

_LOOK_SECONDS = 1.0
_LANES = 64
TRACED = "tracer_went_all_the_way"
CLEAN = "no_tracer_found"
VERIFIED = ("session_process_gone", "quarantine_gone", "jails_gone", "queued_texts_gone", "token_dead")
Alarm = Callable[[TracedPlace, int, str], None]


class Layout(Protocol):
    """Where the processes of this machine listen; ``api.settings.Sockets`` is one, a test's folder is another."""

    @property
    def host(self) -> Path:
        """The host's socket."""
        ...

    @property
    def jailer(self) -> Path:
        """The jailer's socket."""
        ...

    @property
    def embedder(self) -> Path:
        """The embedder's socket."""
        ...

    @property
    def sessions(self) -> Path:
        """The folder of the sessions' sockets."""
        ...

    @property
    def quarantine(self) -> Path:
        """The folder of sealed uploads, one folder a session."""
        ...


class NotPurged(PartUnavailable):
    """Something of the session was still there when the purge looked; it will be tried again."""


class PurgeTurns:
    """Lets one purge of a session run at a time, and remembers why until the record says it."""

    def __init__(self) -> None:
        self._lanes = tuple(threading.Lock() for _ in range(_LANES))
        self.unmarked: dict[str, EndReason] = {}
        self.strays: dict[str, float] = {}

    @contextlib.contextmanager
    def turn(self, session_id: str) -> Generator[None]:
        """Wait until no other thread of this process purges the session."""
        with self._lanes[hash(session_id) % _LANES]:
            yield


@dataclass(frozen=True, slots=True)
class PurgeParts:
    """What a purge has to reach. ``node_id`` names this machine in the record.

    Without a ``search`` nobody looks for tracers, and receipts say nothing of any. The ``alarm`` is told place, count
    and session of what the receipt says was found, once.
    """

    database: Database
    host: HostClient
    jail: JailClient
    embedder: EmbedderClient
    signer: Signer
    sockets: Layout
    node_id: str
    search: ResidueSearch | None = None
    alarm: Alarm | None = None
    turns: PurgeTurns = field(default_factory=PurgeTurns)


def purge(session_id: str, reason: EndReason, parts: PurgeParts) -> Receipt:
    """End a session, delete all it held, and return the signed receipt; the same one, however often it is called.

    Works while the host, the jailer or the embedder is down, since their memory went with them. While the database is
    down everything is deleted all the same. The first reason that was recorded stands.
    Raises ``NoSuchThing`` for an id that never was a session, and ``PartUnavailable`` (after deleting what could be
    deleted) when a step failed; the sweep then finishes it.
    """
    if not is_id(session_id):
        raise NoSuchThing  # Names of folders are made of it.
    with parts.turns.turn(session_id):
        work = _Work(session_id, reason, parts)
        finished = work.look_up()
        if finished is not None:
            return finished
        work.do("refuse_new_work", work.refuse_new_work)
        work.do("count", work.count)
        work.do("stop_jails", work.stop_jails)
        work.do("drop_queued_texts", work.drop_queued_texts)
        work.do("kill_session", work.kill_session)
        work.do("remove_quarantine", work.remove_quarantine)
        work.do("shrink_rows", work.shrink_rows)
        work.do("verify", work.verify)
        if parts.search is not None:
            work.do("search_tracer", work.search_tracer)
        return work.sign()


class _Work:
    """One run through the steps. A method returns what came of its step, or raises."""

    def __init__(self, session_id: str, reason: EndReason, parts: PurgeParts) -> None:
        self._id = session_id
        self._reason: EndReason = reason
        self._parts = parts
        self._steps: list[Step] = []
        self._failure: Exception | None = None
        self._session: SessionInfo | None = None
        self._totals: Totals | None = None
        self._commitments = list[bytes]()
        self._tracer_went = False
        self._residue: Residue | None = None
        self._record_answers = True

    def do(self, name: str, step: Callable[[], StepResult]) -> None:
        """Run one step and note how it went. A failure is kept for the end: the steps after it still delete."""
        started = time.monotonic()
        try:
            result = step()
        except NoSuchThing:
            raise  # There is no such session, so there is nothing to delete.
        except Exception as failure:  # noqa: BLE001  # Whatever broke, deleting goes on.
            self._failure = self._failure or failure
            return
        self._steps.append(Step(name=name, result=result, duration_ms=round((time.monotonic() - started) * 1000)))

    def look_up(self) -> Receipt | None:
        """Return the receipt of a purge that is done, ``None`` also when the record does not answer."""
        try:
            with self._parts.database.transaction() as db:
                return receipts.of_session(db, self._id)
        except PartUnavailable:
            self._record_answers = False
            return None

    def refuse_new_work(self) -> StepResult:
        self._reason = already_ended(self._id, self._parts) or self._reason
        try:
            self._require_record()
            with self._parts.database.transaction() as db:
                marked = sessions.begin_ending(db, self._id, self._reason)
                self._session = sessions.get(db, self._id)
        except PartUnavailable:
            self._parts.turns.unmarked[self._id] = self._reason
            raise
        if self._session is None:
            raise NoSuchThing
        if self._session.node_id != self._parts.node_id:
            raise PartUnavailable(retry_after_seconds=2)  # The mark stands; the machine that holds it purges it.
        return "done" if marked else "nothing_to_do"

    def count(self) -> StepResult:
        """Bring the record's figures up to date while the session process can still be asked."""
        if not self._record_answers:
            return "unknown"
        try:
            client = SessionClient(self._socket, timeout_seconds=_LOOK_SECONDS)
            facts = [facts_of(state) for state in client.documents()]
        except SessionExpired:
            return "nothing_to_do"
        except PartUnavailable:
            return "unknown"
        with contextlib.suppress(SessionExpired, PartUnavailable):
            self._tracer_went = self._parts.search is not None and client.tracer_went()
        owner = self._session.user_id if self._session else None
        with self._parts.database.transaction() as db:
            documents.refresh(db, facts, session_id=self._id, adding_for=owner)
        return "done"

    def stop_jails(self) -> StepResult:
        return _unless_down(self._parts.sockets.jailer, lambda: self._parts.jail.drop(self._id) > 0)

    def drop_queued_texts(self) -> StepResult:
        return _unless_down(self._parts.sockets.embedder, lambda: self._parts.embedder.drop(self._id) > 0)

    def kill_session(self) -> StepResult:
        self._parts.turns.unmarked.setdefault(self._id, self._reason)
        # A dead host takes its sessions with it: the kernel kills them when their parent dies.
        return _unless_down(self._parts.sockets.host, lambda: self._parts.host.kill(self._id).existed)

    def remove_quarantine(self) -> StepResult:
        if not os.path.lexists(self._quarantine):
            return "nothing_to_do"  # The host removes it with the process; this is for a host that is down.
        quarantine.remove(self._quarantine)
        return "done"

    def shrink_rows(self) -> StepResult:
        self._require_record()
        with self._parts.database.transaction() as db:
            self._totals = documents.close(db, self._id)
            self._commitments = documents.commitments(db, self._id)
            ended = conversations.close(db, self._id)
        return "done" if self._totals.documents or ended else "nothing_to_do"

    def verify(self) -> StepResult:
        """Look at every place again. The session is dead now, so nothing can come back to where it was missed."""
        self.stop_jails()
        self.drop_queued_texts()
        if _is_listening(self._socket) or os.path.lexists(self._quarantine) or self._id in _live(self._parts):
            raise NotPurged
        self._require_record()
        with self._parts.database.transaction() as db:
            session = sessions.get(db, self._id)
        if session is None or session.state == "open":
            raise NotPurged
        return "done"

    def search_tracer(self) -> StepResult:
        """Look for the session's tracer in files. What is found is said, and stops nothing: it cannot be unwritten."""
        if self._parts.search is None or self._session is None:
            return "unknown"
        self._residue = self._parts.search.search(self._id, self._session.host_instance)
        return "done" if self._residue.searched else "unknown"

    def sign(self) -> Receipt:
        """Write the record's last word and the receipt in one transaction; of racing purges one wins, all return it."""
        if self._failure is not None or self._session is None or self._totals is None:
            raise PartUnavailable(retry_after_seconds=1) from self._failure
        receipt = self._parts.signer.sign_or_queue(self._statement(self._session, self._totals))
        with self._parts.database.transaction() as db:
            won = sessions.finish(db, self._id)
            if won:
                receipts.add(db, receipt)
                log.append(db, entries.end(receipt.statement))
        self._parts.turns.unmarked.pop(self._id, None)
        if won:
            self._raise_alarm()
        return receipt if won else _existing(self._id, self._parts)

    def _raise_alarm(self) -> None:
        found = self._residue.searched if self._residue else {}
        for place, count in found.items():
            if count and self._parts.alarm is not None:
                self._parts.alarm(place, count, self._id)

    def _require_record(self) -> None:
        """Raise ``PartUnavailable`` when the record did not answer before: it may hang, and each wait takes seconds."""
        if not self._record_answers:
            raise PartUnavailable(retry_after_seconds=1)

    def _verified(self) -> tuple[str, ...]:
        """Return what was looked at. That no tracer was found says something only of one that was everywhere before."""
        if not self._tracer_went or self._residue is None or not self._residue.searched:
            return VERIFIED
        return (*VERIFIED, TRACED) if self._residue.found else (*VERIFIED, TRACED, CLEAN)

    def _statement(self, session: SessionInfo, totals: Totals) -> Statement:
        residue = self._residue
        return Statement(
            receipt_id=session.receipt_id or new_id(),
            kind="purge",
            session_id=self._id,
            reason=session.end_reason or self._reason,
            documents_purged=totals.documents,
            pages_purged=totals.pages,
            chunks_purged=totals.chunks,
            bytes_purged=totals.bytes,
            rows_erased=0,
            commitments=entries.root_of(self._commitments),
            residue_found=residue.found if residue and residue.searched else UNSET,
            searched=residue.searched if residue else UNSET,
            not_searched=residue.not_searched if residue else UNSET,
            verified=self._verified(),
            steps=tuple(self._steps),
            opened_at=minute(session.opened_at),
            ended_at=minute(now()),
            software=software(),
        )

    @property
    def _socket(self) -> Path:
        return self._parts.sockets.sessions / f"{self._id}.sock"

    @property
    def _quarantine(self) -> Path:
        return self._parts.sockets.quarantine / self._id


def already_ended(session_id: str, parts: PurgeParts) -> EndReason | None:
    """Return why a session is over although the record does not say so; ``None`` while it lives or cannot be seen."""
    if session_id in parts.turns.unmarked:
        return parts.turns.unmarked[session_id]
    try:
        listed = parts.host.list()
    except PartUnavailable:
        return "crash" if part_is_down(parts.sockets.host) else None
    if session_id in listed.live:
        return None
    return reason_of(listed.ended.get(session_id, "died"))


def reason_of(ended: EndedBy) -> EndReason:
    """Return the record's word for how the host saw a session end."""
    return "expiry" if ended in {"idle", "absolute"} else "crash"


def minute(moment: datetime) -> str:
    """Return a time as receipts say it: UTC, to the minute, so that a receipt tells little of when somebody worked."""
    return moment.strftime("%Y-%m-%dT%H:%MZ")


def software() -> str:
    """Return name and version of what signs receipts."""
    return f"mayfly {version('mayfly')}"


def part_is_down(socket: Path) -> bool:
    """Say whether no process listens there. One that listens and does not answer is not down: it may hold something."""
    return not _is_listening(socket)


def _unless_down(socket: Path, act: Callable[[], bool]) -> StepResult:
    try:
        return "done" if act() else "nothing_to_do"
    except PartUnavailable:
        if part_is_down(socket):
            return "part_is_down"
        raise


def _is_listening(socket: Path) -> bool:
    try:
        ipc.connect(socket, Any, timeout_seconds=_LOOK_SECONDS).close()
    except ipc.PeerGone as gone:
        # Refused or no such file: nobody is there. Anything else (a full queue, a hanging process): somebody is.
        return not isinstance(gone.__cause__, ConnectionRefusedError | FileNotFoundError)
    return True


def _live(parts: PurgeParts) -> tuple[str, ...]:
    try:
        return parts.host.list().live
    except PartUnavailable:
        if part_is_down(parts.sockets.host):
            return ()
        raise


def _existing(session_id: str, parts: PurgeParts) -> Receipt:
    with parts.database.transaction() as db:
        receipt = receipts.of_session(db, session_id)
    if receipt is None:  # The account was erased meanwhile, by somebody who did not purge first.
        raise NoSuchThing
    return receipt
