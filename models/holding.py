"""Holding a row until the transaction ends, so that writers of one account, or of one session, take turns.

Names the rows of other domains and nothing of what they mean. A statement that writes comes first in a transaction: on
SQLite it takes the only write lock, on MariaDB the lock of the row, and what is read after it is what is committed.
"""

from typing import Any, cast

from sqlalchemy import CursorResult, column, table, update
from sqlalchemy.orm import Session

from models.errors import SessionExpired

_users = table("users", column("user_id"))
_sessions = table("sessions", column("session_id"), column("state"))


def hold_account(db: Session, user_id: str) -> None:
    """Lock an account's row. Raises ``SessionExpired`` when the account is gone."""
    _require(db, update(_users).where(_users.c.user_id == user_id).values(user_id=user_id))


def hold_open_session(db: Session, session_id: str) -> None:
    """Lock a session's row, so that its purge starts before or sees all that is written. Raises ``SessionExpired``."""
    mine = update(_sessions).where(_sessions.c.session_id == session_id, _sessions.c.state == "open")
    _require(db, mine.values(session_id=session_id))


def _require(db: Session, statement: Any) -> None:
    if cast("CursorResult[Any]", db.execute(statement)).rowcount != 1:
        raise SessionExpired
