"""The table of what was uploaded."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from models.database import Base, Moment
from models.vocabulary import PROCESSED_STATUSES


class UploadedContent(Base):
    """One document. ``content_id`` is the ``document_id`` of the HTTP contract."""

    __tablename__ = "uploaded_content_metadata"
    __table_args__ = (CheckConstraint(f"processed_status IN {PROCESSED_STATUSES}", name="processed_status"),)

    content_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), index=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.session_id", ondelete="CASCADE"), index=True)
    file_type: Mapped[str] = mapped_column(String(80))
    size: Mapped[int] = mapped_column("bytes", BigInteger)
    pages: Mapped[int] = mapped_column(Integer)
    ocr_pages: Mapped[int] = mapped_column(Integer)
    chunks: Mapped[int] = mapped_column(Integer)
    attachments: Mapped[int] = mapped_column(Integer, server_default="0")
    language: Mapped[str | None] = mapped_column(String(2))
    processed_status: Mapped[str] = mapped_column(String(10))
    error_code: Mapped[str | None] = mapped_column(String(40))
    upload_time: Mapped[datetime] = mapped_column(Moment)
    sealed_filename: Mapped[bytes | None] = mapped_column(LargeBinary)
    sealed_source_link: Mapped[bytes | None] = mapped_column(LargeBinary)
    commitment: Mapped[str | None] = mapped_column(String(64))
