"""Feedback: give, look, list.

Owns the rows of ``feedback``. Refuses words: suggestions come sealed. Refuses a session that is no longer open, and
another account's conversation.
"""

from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from models.database import now
from models.errors import NoSuchThing
from models.feedback.tables import Feedback
from models.holding import hold_open_session, require_own_conversation
from models.ids import new_id
from models.vocabulary import FeedbackType


@dataclass(frozen=True, slots=True)
class NewFeedback:
    """One judgement. ``score`` is 0 to 1 with at most three places."""

    session_id: str
    user_id: str
    feedback_type: FeedbackType
    score: Decimal
    conversation_id: str | None = None
    sealed_suggestions: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class FeedbackInfo:
    """One row, readable without a transaction; suggestions as they were sealed."""

    feedback_id: str
    session_id: str
    conversation_id: str | None
    feedback_type: FeedbackType
    score: Decimal
    created_at: datetime
    sealed_suggestions: bytes | None = field(default=None, repr=False)


def give(db: Session, new: NewFeedback) -> FeedbackInfo:
    """Write one judgement. Raises ``NoSuchThing`` for a conversation that is not the account's, ``SessionExpired``."""
    hold_open_session(db, new.session_id)
    if new.conversation_id is not None:
        require_own_conversation(db, new.conversation_id, new.user_id)
    moment = now()
    own = {name: getattr(new, name) for name in NewFeedback.__slots__}
    row = Feedback(feedback_id=new_id(), given_on=moment.date(), created_at=moment, **own)
    db.add(row)
    db.flush()
    return get(db, row.feedback_id, user_id=new.user_id)


def get(db: Session, feedback_id: str, *, user_id: str) -> FeedbackInfo:
    """Return one judgement of an account. Raises ``NoSuchThing``."""
    wanted = select(Feedback).where(Feedback.feedback_id == feedback_id, Feedback.user_id == user_id)
    row = db.scalar(wanted.execution_options(populate_existing=True))
    if row is None:
        raise NoSuchThing
    return _info(row)


def page(
    db: Session, user_id: str, *, limit: int, after: str | None = None, conversation_id: str | None = None
) -> list[FeedbackInfo]:
    """Return judgements of an account, the latest first, of one conversation or all, from what follows ``after`` on.

    Raises ``NoSuchThing`` when ``after`` or the conversation is none of the account's.
    """
    wanted = select(Feedback).where(Feedback.user_id == user_id)
    if conversation_id is not None:
        require_own_conversation(db, conversation_id, user_id)
        wanted = wanted.where(Feedback.conversation_id == conversation_id)
    if after is not None:
        wanted = wanted.where(_follows(get(db, after, user_id=user_id)))
    wanted = wanted.order_by(Feedback.created_at.desc(), Feedback.feedback_id.desc()).limit(limit)
    return [_info(row) for row in db.scalars(wanted)]


def of_user(db: Session, user_id: str) -> list[FeedbackInfo]:
    """Return all judgements of an account in the order of time, for its export."""
    wanted = select(Feedback).where(Feedback.user_id == user_id)
    return [_info(row) for row in db.scalars(wanted.order_by(Feedback.created_at, Feedback.feedback_id))]


def _follows(last: FeedbackInfo) -> ColumnElement[bool]:
    at_the_same_time = and_(Feedback.created_at == last.created_at, Feedback.feedback_id < last.feedback_id)
    return or_(Feedback.created_at < last.created_at, at_the_same_time)


def _info(row: Feedback) -> FeedbackInfo:
    return FeedbackInfo(**{each.name: getattr(row, each.name) for each in fields(FeedbackInfo)})
