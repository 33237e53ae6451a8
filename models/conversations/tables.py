"""The table of conversations. It has no column that a sentence could land in."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from models.columns import Day, Fixed
from models.database import Base, Moment
from models.vocabulary import TOPICS

COST_PLACES = 4


class Conversation(Base):
    """One conversation. ``started_on`` is the learner's own day; ``duration_seconds`` is there once it has ended."""

    __tablename__ = "conversations"
    __table_args__ = (
        CheckConstraint(f"topic IS NULL OR topic IN {TOPICS}", name="topic"),
        CheckConstraint("total_ai_tokens_used >= 0", name="total_ai_tokens_used"),
        CheckConstraint("estimated_cost >= 0", name="estimated_cost"),
        CheckConstraint("(end_time IS NULL) = (duration_seconds IS NULL)", name="ended_has_duration"),
        Index("ix_conversations_user_id_start_time", "user_id", "start_time"),
        Index("ix_conversations_by_day", "user_id", "started_on", "target_language", "duration_seconds", "topic"),
    )

    conversation_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"))
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.session_id", ondelete="CASCADE"), index=True)
    scenario_id: Mapped[str | None] = mapped_column(
        ForeignKey("learning_scenarios.scenario_id", ondelete="SET NULL"), index=True
    )
    topic: Mapped[str | None] = mapped_column(String(16))
    target_language: Mapped[str] = mapped_column(String(2))
    started_on: Mapped[date] = mapped_column(Day)
    start_time: Mapped[datetime] = mapped_column(Moment)
    end_time: Mapped[datetime | None] = mapped_column(Moment)
    duration_seconds: Mapped[int | None] = mapped_column(Integer)
    total_ai_tokens_used: Mapped[int] = mapped_column(BigInteger)
    estimated_cost: Mapped[Decimal] = mapped_column(Fixed(COST_PLACES))
