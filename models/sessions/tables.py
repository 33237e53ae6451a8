"""The table of sessions."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from models.database import Base, Moment
from models.vocabulary import END_REASONS, SESSION_STATES


class SessionRow(Base):
    """One session. ``token_hash`` is gone from the moment the session starts to end."""

    __tablename__ = "sessions"
    __table_args__ = (
        CheckConstraint(f"state IN {SESSION_STATES}", name="state"),
        CheckConstraint(f"end_reason IS NULL OR end_reason IN {END_REASONS}", name="end_reason"),
        CheckConstraint("state <> 'open' OR token_hash IS NOT NULL", name="open_has_token"),
        CheckConstraint("state = 'open' OR token_hash IS NULL", name="ended_has_no_token"),
        Index("ix_sessions_node_id_state", "node_id", "state"),
    )

    session_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), index=True)
    node_id: Mapped[str] = mapped_column(String(64))
    host_instance: Mapped[str] = mapped_column(String(64))
    token_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    receipt_id: Mapped[str | None] = mapped_column(String(36))
    state: Mapped[str] = mapped_column(String(6))
    end_reason: Mapped[str | None] = mapped_column(String(16))
    idle_seconds: Mapped[int] = mapped_column(Integer)
    absolute_seconds: Mapped[int] = mapped_column(Integer)
    opened_at: Mapped[datetime] = mapped_column(Moment)
    ending_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
