"""The table of accounts. It knows no name and no address in the clear: see docs/adr/0003-what-the-record-keeps.md."""

from datetime import date, datetime

from sqlalchemy import Date, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from models.database import Base, Moment


class User(Base):
    """One account."""

    __tablename__ = "users"

    user_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    email_hash: Mapped[str] = mapped_column(String(64), unique=True)
    username_hash: Mapped[str] = mapped_column(String(64), unique=True)
    sealed_username: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_email: Mapped[bytes] = mapped_column(LargeBinary)
    password_hash: Mapped[str] = mapped_column(String(255))
    password_wrap: Mapped[bytes] = mapped_column(LargeBinary)
    recovery_wrap: Mapped[bytes] = mapped_column(LargeBinary)
    primary_language: Mapped[str] = mapped_column(String(2))
    target_languages: Mapped[str] = mapped_column(String(64))
    created_on: Mapped[date] = mapped_column(Date)
    erasure_asked_at: Mapped[datetime | None] = mapped_column(Moment, index=True)
