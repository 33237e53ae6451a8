"""Sums over conversations: time by language and week, topics. The database adds; one index holds all it reads."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.columns import week_of
from models.conversations.tables import Conversation


@dataclass(frozen=True, slots=True)
class WeekOfLanguage:
    """One language in one week (from Monday, the learner's own days)."""

    week: date
    language: str
    conversations: int
    seconds: int


@dataclass(frozen=True, slots=True)
class TopicTime:
    """One topic: how many conversations, for how many seconds."""

    topic: str
    conversations: int
    seconds: int


_SECONDS = func.sum(func.coalesce(Conversation.duration_seconds, 0))


def by_week(db: Session, user_id: str, first: date, last: date) -> list[WeekOfLanguage]:
    """Return the time by language and week between two days, the earliest week first."""
    week = week_of(Conversation.started_on).label("week")
    mine = (Conversation.user_id == user_id, Conversation.started_on.between(first, last))
    wanted = select(week, Conversation.target_language, func.count(), _SECONDS).where(*mine)
    grouped = wanted.group_by(week, Conversation.target_language).order_by(week, Conversation.target_language)
    return [
        WeekOfLanguage(when, language, count, int(total or 0)) for when, language, count, total in db.execute(grouped)
    ]


def by_topic(db: Session, user_id: str, first: date, last: date) -> list[TopicTime]:
    """Return the topics talked about between two days, by name; conversations without a topic are left out."""
    mine = (Conversation.user_id == user_id, Conversation.started_on.between(first, last))
    wanted = select(Conversation.topic, func.count(), _SECONDS).where(*mine, Conversation.topic.is_not(None))
    grouped = wanted.group_by(Conversation.topic).order_by(Conversation.topic)
    return [TopicTime(str(topic), count, int(total or 0)) for topic, count, total in db.execute(grouped)]
