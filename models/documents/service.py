"""The facts of documents in the record.

Owns the rows of ``uploaded_content_metadata``. Refuses words: file types, languages and errors are cut down to closed
sets, names come sealed. Refuses a write to a session that is no longer open.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Delete, Update, case, column, delete, func, select, table, update
from sqlalchemy.orm import Session

from models import vocabulary
from models.database import now
from models.documents.tables import UploadedContent
from models.errors import SessionExpired
from models.vocabulary import UNFINISHED, ProcessedStatus

# Only named, to hold the session's row while its documents are written; its meaning is the sessions' own business.
_sessions = table("sessions", column("session_id"), column("state"))


@dataclass(frozen=True, slots=True)
class Facts:
    """What the record keeps of one document. ``error`` is a slug of ``models.errors``."""

    content_id: str
    media_type: str | None
    size_bytes: int
    status: ProcessedStatus
    pages: int = 0
    ocr_pages: int = 0
    chunks: int = 0
    language: str | None = None
    error: str | None = None
    sealed_filename: bytes | None = field(default=None, repr=False)
    sealed_source_link: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """One row, readable without a transaction."""

    facts: Facts
    session_id: str
    upload_time: datetime


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the documents of one session."""

    documents: int
    pages: int
    chunks: int
    bytes: int


def insert(db: Session, facts: Sequence[Facts], *, user_id: str, session_id: str) -> None:
    """Write new documents of an open session. Raises ``SessionExpired`` when it is ending or ended."""
    _hold_open(db, session_id)
    for fact in facts:
        row = _new_row(fact, user_id=user_id, session_id=session_id)
        _apply(row, fact)
        db.add(row)
    db.flush()


def refresh(db: Session, facts: Sequence[Facts], *, session_id: str, adding_for: str | None = None) -> None:
    """Bring the rows of one session up to date. For sweep and purge.

    Documents without a row are left out, unless ``adding_for`` names the account to add them for: only a purge does,
    whose session accepts no ``insert`` any more.
    """
    rows = {row.content_id: row for row in db.scalars(_of_session(session_id))}
    for fact in facts:
        row = rows.get(fact.content_id)
        if row is None and adding_for is not None:
            row = _new_row(fact, user_id=adding_for, session_id=session_id)
            db.add(row)
        if row is not None and row.processed_status != "purged":
            _apply(row, fact)
    db.flush()


def remove(db: Session, content_id: str, *, session_id: str) -> bool:
    """Forget one document of a session. Says whether there was such a row."""
    mine = UploadedContent.session_id == session_id
    return _hits(db, delete(UploadedContent).where(UploadedContent.content_id == content_id, mine)) == 1


def close(db: Session, session_id: str) -> Totals:
    """Shrink the rows of a session whose content is gone, and return what they add up to. Repeatable.

    What was searchable is ``purged``; what was not finished has ``failed`` with ``session_expired``.
    """
    mine = UploadedContent.session_id == session_id
    unfinished = UploadedContent.processed_status.in_(UNFINISHED)
    failed = {"processed_status": "failed", "error_code": SessionExpired.slug}
    _hits(db, update(UploadedContent).where(mine, unfinished).values(failed))
    ready = UploadedContent.processed_status == "ready"
    _hits(db, update(UploadedContent).where(mine, ready).values(processed_status="purged"))
    return totals(db, session_id)


def totals(db: Session, session_id: str) -> Totals:
    """Add up the documents of one session. Pages and chunks count only where they became searchable."""
    searchable = UploadedContent.processed_status.in_(("ready", "purged"))
    wanted = select(
        func.count(),
        func.coalesce(func.sum(case((searchable, UploadedContent.pages), else_=0)), 0),
        func.coalesce(func.sum(case((searchable, UploadedContent.chunks), else_=0)), 0),
        func.coalesce(func.sum(UploadedContent.size), 0),
    ).where(UploadedContent.session_id == session_id)
    documents, pages, chunks, size = db.execute(wanted).one()
    return Totals(documents=int(documents), pages=int(pages), chunks=int(chunks), bytes=int(size))


def of_session(db: Session, session_id: str) -> list[DocumentInfo]:
    """Return the documents of one session in the order of upload."""
    return [_info(row) for row in db.scalars(_of_session(session_id))]


def of_user(db: Session, user_id: str) -> list[DocumentInfo]:
    """Return all documents of one account in the order of upload, for its export."""
    wanted = select(UploadedContent).where(UploadedContent.user_id == user_id).order_by(UploadedContent.upload_time)
    return [_info(row) for row in db.scalars(wanted)]


def unfinished_sessions(db: Session, session_ids: Sequence[str]) -> set[str]:
    """Return those of the given sessions that have documents whose processing the record does not know the end of."""
    if not session_ids:
        return set()
    wanted = select(UploadedContent.session_id).distinct().where(UploadedContent.session_id.in_(session_ids))
    return set(db.scalars(wanted.where(UploadedContent.processed_status.in_(UNFINISHED))))


def _of_session(session_id: str) -> Any:
    return select(UploadedContent).where(UploadedContent.session_id == session_id).order_by(UploadedContent.upload_time)


def _hold_open(db: Session, session_id: str) -> None:
    # Locks the session's row until this transaction ends, so that a purge starts before it or sees all it wrote.
    mine = update(_sessions).where(_sessions.c.session_id == session_id, _sessions.c.state == "open")
    if _hits(db, mine.values(session_id=session_id)) != 1:
        raise SessionExpired


def _hits(db: Session, statement: Update | Delete) -> int:
    result = cast("CursorResult[Any]", db.execute(statement.execution_options(synchronize_session="auto")))
    return result.rowcount


def _new_row(fact: Facts, *, user_id: str, session_id: str) -> UploadedContent:
    return UploadedContent(content_id=fact.content_id, user_id=user_id, session_id=session_id, upload_time=now())


def _apply(row: UploadedContent, fact: Facts) -> None:
    row.file_type = vocabulary.file_type(fact.media_type)
    row.size, row.pages, row.ocr_pages, row.chunks = fact.size_bytes, fact.pages, fact.ocr_pages, fact.chunks
    row.language = vocabulary.language(fact.language)
    row.processed_status = fact.status
    row.error_code = vocabulary.error_code(fact.error)
    row.sealed_filename = fact.sealed_filename
    row.sealed_source_link = fact.sealed_source_link


def _info(row: UploadedContent) -> DocumentInfo:
    facts = Facts(
        content_id=row.content_id,
        media_type=row.file_type,
        size_bytes=row.size,
        status=cast("ProcessedStatus", row.processed_status),
        pages=row.pages,
        ocr_pages=row.ocr_pages,
        chunks=row.chunks,
        language=row.language,
        error=row.error_code,
        sealed_filename=row.sealed_filename,
        sealed_source_link=row.sealed_source_link,
    )
    return DocumentInfo(facts=facts, session_id=row.session_id, upload_time=row.upload_time)
