"""Sums over feedback, by type and week. Nothing is unsealed for them: they read type, score and day."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.columns import week_of
from models.feedback.tables import SCORE_PLACES, Feedback
from models.vocabulary import FeedbackType


@dataclass(frozen=True, slots=True)
class Trend:
    """How one kind of feedback was in one week (from Monday, UTC): how often, and the mean score, three places."""

    week: date
    feedback_type: FeedbackType
    times: int
    mean_score: Decimal


def by_week(db: Session, user_id: str, first: date, last: date) -> list[Trend]:
    """Return the trend of each type between two days, the earliest week first."""
    week = week_of(Feedback.given_on).label("week")
    mine = (Feedback.user_id == user_id, Feedback.given_on.between(first, last))
    wanted = select(week, Feedback.feedback_type, func.count(), func.sum(Feedback.score)).where(*mine)
    grouped = wanted.group_by(week, Feedback.feedback_type).order_by(week, Feedback.feedback_type)
    return [Trend(when, kind, times, mean(total, times)) for when, kind, times, total in db.execute(grouped)]  # pyright: ignore[reportArgumentType]  # A check constraint keeps the type closed.


def of_conversation(db: Session, conversation_id: str) -> list[tuple[FeedbackType, int, Decimal]]:
    """Return type, number and mean score of the feedback in one conversation."""
    wanted = select(Feedback.feedback_type, func.count(), func.sum(Feedback.score))
    wanted = wanted.where(Feedback.conversation_id == conversation_id).group_by(Feedback.feedback_type)
    found = db.execute(wanted.order_by(Feedback.feedback_type))
    return [(cast("FeedbackType", kind), times, mean(total, times)) for kind, times, total in found]


def mean(total: Decimal, times: int) -> Decimal:
    """Return the mean, rounded to thousandths."""
    return (total / times).quantize(Decimal(1).scaleb(-SCORE_PLACES))
