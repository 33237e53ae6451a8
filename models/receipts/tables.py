"""The table of receipts. It refers to no other table: a receipt outlives what it speaks of."""

from datetime import datetime

from sqlalchemy import CheckConstraint, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.database import Base, Moment
from models.vocabulary import RECEIPT_KINDS


class ReceiptRow(Base):
    """One receipt. ``session_id`` is unique: a session has one receipt, whoever ends it and however often."""

    __tablename__ = "receipts"
    __table_args__ = (CheckConstraint(f"kind IN {RECEIPT_KINDS}", name="kind"),)

    receipt_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    session_id: Mapped[str | None] = mapped_column(String(36), unique=True)
    kind: Mapped[str] = mapped_column(String(8))
    statement: Mapped[str] = mapped_column(Text)
    key_id: Mapped[str] = mapped_column(String(16))
    signature: Mapped[bytes] = mapped_column(LargeBinary)
    signed_at: Mapped[datetime] = mapped_column(Moment)
