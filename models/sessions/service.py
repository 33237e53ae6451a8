"""Opening, finding and ending sessions in the record.

Owns the durable mark: ``open`` → ``ending`` → ``ended``, each step a compare-and-set that exactly one caller wins.
Refuses more open sessions than an account may have, also when the requests race.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Update, column, func, select, table, update
from sqlalchemy.orm import Session

from models.database import now
from models.errors import InvalidCredentials, NoSuchThing, TooManySessions
from models.sessions.tables import SessionRow
from models.vocabulary import EndReason, SessionState

# Only named, to hold the account's row while its sessions are counted; what it holds is the accounts' own business.
_users = table("users", column("user_id"), column("password_hash"))


@dataclass(frozen=True, slots=True)
class Opening:
    """What is written when a session opens. ``token_hash`` comes from ``models.ids.hash_token``.

    ``password_hash`` is the one the learner was let in with; ``None`` when no password was asked for. ``receipt_id``
    is what its receipt will be called; ``None`` leaves that to the purge.
    """

    session_id: str
    user_id: str
    node_id: str
    host_instance: str
    token_hash: str
    idle_seconds: int
    absolute_seconds: int
    password_hash: str | None = field(repr=False, default=None)
    receipt_id: str | None = None


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One session as the record knows it, readable without a transaction. Times are UTC."""

    session_id: str
    user_id: str
    node_id: str
    host_instance: str
    state: SessionState
    end_reason: EndReason | None
    idle_seconds: int
    absolute_seconds: int
    opened_at: datetime
    ending_at: datetime | None
    ended_at: datetime | None
    receipt_id: str | None = None


def open_session(db: Session, opening: Opening, *, max_open: int) -> SessionInfo:
    """Write an open session. Raises ``TooManySessions`` when the account has ``max_open`` already.

    Raises ``NoSuchThing`` when the account is gone, and ``InvalidCredentials`` when its password is no longer the one
    that was verified: a recovery that came in between ends the sessions it finds, and none may open after it.
    """
    held = update(_users).where(_users.c.user_id == opening.user_id).values(user_id=opening.user_id)
    if not _hit(db, held):
        raise NoSuchThing
    if opening.password_hash is not None and not _has_password(db, opening.user_id, opening.password_hash):
        raise InvalidCredentials
    if count_open(db, opening.user_id) >= max_open:
        raise TooManySessions
    row = SessionRow(
        session_id=opening.session_id,
        user_id=opening.user_id,
        node_id=opening.node_id,
        host_instance=opening.host_instance,
        token_hash=opening.token_hash,
        receipt_id=opening.receipt_id,
        state="open",
        idle_seconds=opening.idle_seconds,
        absolute_seconds=opening.absolute_seconds,
        opened_at=now(),
    )
    db.add(row)
    db.flush()
    return _info(row)


def find_open(db: Session, token_hash: str) -> SessionInfo | None:
    """Return the open session that this token belongs to, or ``None``."""
    wanted = select(SessionRow).where(SessionRow.token_hash == token_hash, SessionRow.state == "open")
    row = db.scalar(wanted)
    return None if row is None else _info(row)


def get(db: Session, session_id: str) -> SessionInfo | None:
    """Return a session in whatever state, or ``None``."""
    row = db.get(SessionRow, session_id, populate_existing=True)
    return None if row is None else _info(row)


def count_open(db: Session, user_id: str) -> int:
    """Return how many sessions of an account are open."""
    wanted = select(func.count()).select_from(SessionRow)
    return db.scalar(wanted.where(SessionRow.user_id == user_id, SessionRow.state == "open")) or 0


def unended(db: Session, node_id: str) -> list[SessionInfo]:
    """Return the sessions of one node that are open or ending, oldest first."""
    wanted = select(SessionRow).where(SessionRow.node_id == node_id, SessionRow.state.in_(("open", "ending")))
    return [_info(row) for row in db.scalars(wanted.order_by(SessionRow.opened_at))]


def unended_of_user(db: Session, user_id: str) -> list[SessionInfo]:
    """Return the sessions of one account that are open or ending, oldest first."""
    wanted = select(SessionRow).where(SessionRow.user_id == user_id, SessionRow.state.in_(("open", "ending")))
    return [_info(row) for row in db.scalars(wanted.order_by(SessionRow.opened_at))]


def of_user(db: Session, user_id: str) -> list[SessionInfo]:
    """Return all sessions of an account, oldest first, for its export."""
    wanted = select(SessionRow).where(SessionRow.user_id == user_id).order_by(SessionRow.opened_at)
    return [_info(row) for row in db.scalars(wanted)]


def begin_ending(db: Session, session_id: str, reason: EndReason) -> bool:
    """Move a session from open to ending and forget its token. True for the one caller that did it.

    From its commit on the token is dead and no late write of a document's facts is accepted.
    """
    mark = update(SessionRow).where(SessionRow.session_id == session_id, SessionRow.state == "open")
    return _hit(db, mark.values(state="ending", end_reason=reason, token_hash=None, ending_at=now()))


def finish(db: Session, session_id: str) -> bool:
    """Move a session from ending to ended. True for the one caller that did it."""
    mark = update(SessionRow).where(SessionRow.session_id == session_id, SessionRow.state == "ending")
    return _hit(db, mark.values(state="ended", ended_at=now()))


def _has_password(db: Session, user_id: str, password_hash: str) -> bool:
    wanted = select(_users.c.user_id).where(_users.c.user_id == user_id, _users.c.password_hash == password_hash)
    return db.scalar(wanted) is not None


def _hit(db: Session, statement: Update) -> bool:
    result = cast("CursorResult[Any]", db.execute(statement.execution_options(synchronize_session=False)))
    return result.rowcount == 1


def _info(row: SessionRow) -> SessionInfo:
    return SessionInfo(
        session_id=row.session_id,
        user_id=row.user_id,
        node_id=row.node_id,
        host_instance=row.host_instance,
        state=cast("SessionState", row.state),
        end_reason=cast("EndReason | None", row.end_reason),
        idle_seconds=row.idle_seconds,
        absolute_seconds=row.absolute_seconds,
        opened_at=row.opened_at,
        ending_at=row.ending_at,
        ended_at=row.ended_at,
        receipt_id=row.receipt_id,
    )
