"""The tables of receipts and of their log. They refer to no other table: a receipt outlives what it speaks of."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.database import Base, Moment
from models.vocabulary import LOG_ENTRY_KINDS, RECEIPT_KINDS


class ReceiptRow(Base):
    """One receipt. ``session_id`` is unique: a session has one receipt, whoever ends it and however often."""

    __tablename__ = "receipts"
    __table_args__ = (CheckConstraint(f"kind IN {RECEIPT_KINDS}", name="kind"),)

    receipt_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    session_id: Mapped[str | None] = mapped_column(String(36), unique=True)
    kind: Mapped[str] = mapped_column(String(8))
    statement: Mapped[str] = mapped_column(Text)
    key_id: Mapped[str] = mapped_column(String(16), index=True)
    signature: Mapped[bytes] = mapped_column(LargeBinary)
    signed_at: Mapped[datetime] = mapped_column(Moment)


class LogHead(Base):
    """The log's name and size: one row, which whoever appends holds."""

    __tablename__ = "receipt_log_head"

    origin: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)


class LogEntry(Base):
    """One entry. ``leaf`` is what is hashed; the other columns find it, and all follow from the log."""

    __tablename__ = "receipt_log"
    __table_args__ = (
        CheckConstraint(f"kind IN {LOG_ENTRY_KINDS}", name="kind"),
        UniqueConstraint("receipt", "kind"),
        Index("ix_receipt_log_open", "kind", "ended_by", "seq"),
    )

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(5))
    receipt: Mapped[str] = mapped_column(String(64))
    leaf: Mapped[str] = mapped_column(Text)
    ended_by: Mapped[int | None] = mapped_column(BigInteger)


class LogNode(Base):
    """The hash of one whole subtree of the log, leaves included."""

    __tablename__ = "receipt_log_nodes"

    level: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class KeySuccession(Base):
    """That one key of receipts took over from another, signed by both."""

    __tablename__ = "receipt_key_successions"

    new: Mapped[str] = mapped_column(String(64), primary_key=True)
    old: Mapped[str] = mapped_column(String(64))
    signed_by_old: Mapped[bytes] = mapped_column(LargeBinary)
    signed_by_new: Mapped[bytes] = mapped_column(LargeBinary)
