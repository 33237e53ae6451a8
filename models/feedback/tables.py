"""The table of feedback. Suggestions are sealed under the learner key; type and score are enough for every sum."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from models.columns import Day, Fixed
from models.database import Base, Moment
from models.vocabulary import FEEDBACK_TYPES

SCORE_PLACES = 3


class Feedback(Base):
    """One judgement of the tutor. ``score`` is 0 to 1 in thousandths, ``given_on`` the day in UTC."""

    __tablename__ = "feedback"
    __table_args__ = (
        CheckConstraint(f"feedback_type IN {FEEDBACK_TYPES}", name="feedback_type"),
        CheckConstraint("score BETWEEN 0 AND 1000", name="score"),
        Index("ix_feedback_by_day", "user_id", "given_on", "feedback_type", "score"),
        Index("ix_feedback_user_id_created_at", "user_id", "created_at"),
    )

    feedback_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"))
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.session_id", ondelete="CASCADE"), index=True)
    conversation_id: Mapped[str | None] = mapped_column(
        ForeignKey("conversations.conversation_id", ondelete="CASCADE"), index=True
    )
    feedback_type: Mapped[str] = mapped_column(String(16))
    score: Mapped[Decimal] = mapped_column(Fixed(SCORE_PLACES))
    sealed_suggestions: Mapped[bytes | None] = mapped_column(LargeBinary)
    given_on: Mapped[date] = mapped_column(Day)
    created_at: Mapped[datetime] = mapped_column(Moment)
