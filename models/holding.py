"""Holding a row until the transaction ends, so that writers of one account, or of one session, take turns.

Also tells whose a conversation is, for the domains that refer to one. Names the rows of other domains and nothing of
what they mean. A statement that writes comes first in a transaction: on SQLite it takes the only write lock, on MariaDB
the lock of the row, and what is read after it is what is committed.
"""

from typing import Any

from sqlalchemy import column, select, table, update
from sqlalchemy.orm import Session

from models.database import hits
from models.errors import NoSuchThing, SessionExpired

_users = table("users", column("user_id"))
_conversations = table("conversations", column("conversation_id"), column("user_id"))
_sessions = table("sessions", column("session_id"), column("state"))


def hold_account(db: Session, user_id: str) -> None:
    """Lock an account's row. Raises ``SessionExpired`` when the account is gone."""
    _require(db, update(_users).where(_users.c.user_id == user_id).values(user_id=user_id))


def hold_open_session(db: Session, session_id: str) -> None:
    """Lock a session's row, so that its purge starts before or sees all that is written. Raises ``SessionExpired``."""
    mine = update(_sessions).where(_sessions.c.session_id == session_id, _sessions.c.state == "open")
    _require(db, mine.values(session_id=session_id))


def require_own_conversation(db: Session, conversation_id: str, user_id: str) -> None:
    """Raise ``NoSuchThing`` unless the conversation is the account's."""
    whose = select(_conversations.c.user_id).where(_conversations.c.conversation_id == conversation_id)
    if db.scalar(whose) != user_id:
        raise NoSuchThing


def _require(db: Session, statement: Any) -> None:
    if hits(db, statement) != 1:
        raise SessionExpired
