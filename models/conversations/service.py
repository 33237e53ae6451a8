"""Conversations: start, count, end, list.

Owns the rows of ``conversations``. Every call names the account: another's conversation does not exist. Refuses to
start one in a session that is no longer open.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from models.conversations.tables import Conversation
from models.database import hits, now
from models.errors import NoSuchThing
from models.holding import hold_open_session
from models.ids import new_id
from models.vocabulary import Topic

MAX_TOKENS = 10**9
MAX_COST = Decimal(10**6)


@dataclass(frozen=True, slots=True)
class Start:
    """What a conversation starts with. ``time_zone`` decides on which day of the learner's it is."""

    session_id: str
    user_id: str
    target_language: str
    scenario_id: str | None = None
    topic: Topic | None = None
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class ConversationInfo:
    """One conversation, readable without a transaction. Times are UTC, money has four places."""

    conversation_id: str
    user_id: str
    session_id: str
    scenario_id: str | None
    topic: Topic | None
    target_language: str
    started_on: date
    start_time: datetime
    end_time: datetime | None
    duration_seconds: int | None
    total_ai_tokens_used: int
    estimated_cost: Decimal


def start(db: Session, wish: Start) -> ConversationInfo:
    """Write a new conversation. Raises ``SessionExpired`` when its session is no longer open."""
    hold_open_session(db, wish.session_id)
    moment = now()
    row = Conversation(
        conversation_id=new_id(),
        user_id=wish.user_id,
        session_id=wish.session_id,
        scenario_id=wish.scenario_id,
        topic=wish.topic,
        target_language=wish.target_language,
        started_on=moment.astimezone(ZoneInfo(wish.time_zone)).date(),
        start_time=moment,
        total_ai_tokens_used=0,
        estimated_cost=Decimal(0),
    )
    db.add(row)
    db.flush()
    return get(db, row.conversation_id, user_id=wish.user_id)


def get(db: Session, conversation_id: str, *, user_id: str) -> ConversationInfo:
    """Return one conversation of an account. Raises ``NoSuchThing``."""
    wanted = select(Conversation).where(_is(conversation_id, user_id)).execution_options(populate_existing=True)
    row = db.scalar(wanted)
    if row is None:
        raise NoSuchThing
    return _info(row)


def add_usage(db: Session, conversation_id: str, *, user_id: str, tokens: int, cost: Decimal) -> ConversationInfo:
    """Add tokens and money (at most four places) to a conversation, ended or not. Raises ``NoSuchThing``.

    The database adds: of many callers at once none loses a cent.
    """
    added = update(Conversation).where(_is(conversation_id, user_id))
    values = {
        "total_ai_tokens_used": Conversation.total_ai_tokens_used + tokens,
        "estimated_cost": Conversation.estimated_cost + cost,
    }
    if hits(db, added.values(values)) != 1:
        raise NoSuchThing
    return get(db, conversation_id, user_id=user_id)


def end(db: Session, conversation_id: str, *, user_id: str) -> ConversationInfo:
    """End a conversation; one that has ended stays as it is. Raises ``NoSuchThing``."""
    mine = update(Conversation).where(_is(conversation_id, user_id))
    if hits(db, mine.values(user_id=user_id)) != 1:  # Holds the row, so that of two ends the first stands.
        raise NoSuchThing
    info = get(db, conversation_id, user_id=user_id)
    if info.end_time is None:
        _end(db, info, now())
    return get(db, conversation_id, user_id=user_id)


def close(db: Session, session_id: str) -> int:
    """End what is left open of a session that is over; return how many there were. Repeatable."""
    wanted = select(Conversation).where(Conversation.session_id == session_id, Conversation.end_time.is_(None))
    left = [_info(row) for row in db.scalars(wanted)]
    moment = now()
    for info in left:
        _end(db, info, moment)
    return len(left)


def page(db: Session, user_id: str, *, limit: int, after: str | None = None) -> list[ConversationInfo]:
    """Return conversations of an account, the latest first, from the one that follows ``after`` on.

    Raises ``NoSuchThing`` when ``after`` is none of the account's.
    """
    wanted = select(Conversation).where(Conversation.user_id == user_id)
    if after is not None:
        last = get(db, after, user_id=user_id)
        wanted = wanted.where(_follows(last))
    wanted = wanted.order_by(Conversation.start_time.desc(), Conversation.conversation_id.desc()).limit(limit)
    return [_info(row) for row in db.scalars(wanted)]


def of_user(db: Session, user_id: str) -> list[ConversationInfo]:
    """Return all conversations of an account in the order of their start, for its export."""
    wanted = select(Conversation).where(Conversation.user_id == user_id).order_by(Conversation.start_time)
    return [_info(row) for row in db.scalars(wanted)]


def minutes(info: ConversationInfo) -> int:
    """Return how many minutes a conversation has lasted, rounded to the nearest."""
    seconds = info.duration_seconds
    if seconds is None:
        seconds = (now() - info.start_time).total_seconds()
    return round(seconds / 60)


def _end(db: Session, info: ConversationInfo, moment: datetime) -> None:
    seconds = max(0, int((moment - info.start_time).total_seconds()))
    mine = update(Conversation).where(
        Conversation.conversation_id == info.conversation_id, Conversation.end_time.is_(None)
    )
    hits(db, mine.values(end_time=moment, duration_seconds=seconds))


def _is(conversation_id: str, user_id: str) -> ColumnElement[bool]:
    return and_(Conversation.conversation_id == conversation_id, Conversation.user_id == user_id)


def _follows(last: ConversationInfo) -> ColumnElement[bool]:
    at_the_same_time = and_(
        Conversation.start_time == last.start_time, Conversation.conversation_id < last.conversation_id
    )
    return or_(Conversation.start_time < last.start_time, at_the_same_time)


_FIELDS: Sequence[str] = [field.name for field in fields(ConversationInfo)]


def _info(row: Conversation) -> ConversationInfo:
    return ConversationInfo(**{name: getattr(row, name) for name in _FIELDS})
