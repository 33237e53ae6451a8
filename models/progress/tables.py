"""The tables of progress. A day is the learner's own, as it was where he was."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from models.columns import Day
from models.database import Base, Moment
from models.vocabulary import ACTIVITY_KINDS, TOPICS


class ActivityEvent(Base):
    """One thing a learner did. His client names it, so that it can send it again without counting twice."""

    __tablename__ = "activity_events"
    __table_args__ = (
        CheckConstraint(f"kind IN {ACTIVITY_KINDS}", name="kind"),
        CheckConstraint(f"topic IS NULL OR topic IN {TOPICS}", name="topic"),
        Index("ix_activity_events_by_day", "user_id", "day", "kind", "language", "topic"),
    )

    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    language: Mapped[str] = mapped_column(String(2))
    topic: Mapped[str | None] = mapped_column(String(16))
    day: Mapped[date] = mapped_column(Day)
    occurred_at: Mapped[datetime] = mapped_column(Moment)


class ActivityDay(Base):
    """One day on which a learner practised, and when it began and ended where he was (Unix seconds)."""

    __tablename__ = "activity_days"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(Day, primary_key=True)
    starts_at: Mapped[int] = mapped_column(BigInteger)
    ends_at: Mapped[int] = mapped_column(BigInteger)


class LearnerClock(Base):
    """The time zone of a learner's latest event, which says what today is for him. Earlier ones are not kept."""

    __tablename__ = "learner_clocks"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True)
    time_zone: Mapped[str] = mapped_column(String(40))
    set_at: Mapped[datetime] = mapped_column(Moment)
