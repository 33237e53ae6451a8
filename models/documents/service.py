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
from models.vocabulary import UNFINISHED, ProcessedStatus, SessionState

# Only named, to hold the session's row while its documents are written; its meaning is the sessions' own business.
_sessions = table("sessions", column("session_id"), column("state"))


@dataclass(frozen=True, slots=True)
class Facts:
    """What the record keeps of one document.

    ``error`` is a slug of ``models.errors``; ``commitment`` is a salted hash of its bytes (32 bytes).
    """

    content_id: str
    media_type: str | None
    size_bytes: int
    status: ProcessedStatus
    pages: int = 0
    ocr_pages: int = 0
    chunks: int = 0
    attachments: int = 0
    language: str | None = None
    error: str | None = None
    sealed_filename: bytes | None = field(default=None, repr=False)
    sealed_source_link: bytes | None = field(default=None, repr=False)
    commitment: bytes | None = field(default=None, repr=False)


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


def insert(db: Session, facts: Sequence[Facts], *, user_id: str, session_id: str) -> list[Facts]:
    """Write new documents of an open session and return those that had no row yet; the others stay as they are.

    Raises ``SessionExpired`` when the session is ending or ended.
    """
    if not _hold(db, session_id, "open"):
        raise SessionExpired
    return _add_missing(db, facts, user_id=user_id, session_id=session_id)


def refresh(db: Session, facts: Sequence[Facts], *, session_id: str, adding_for: str | None = None) -> None:
    """Bring the unfinished rows of one session up to date. For sweep and purge.

    Documents without a row are left out, unless ``adding_for`` names the account to add them for: only a purge does,
    whose session accepts no ``insert`` any more. Nothing happens when the session has ended meanwhile or, but for a
    purge, is ending; a row that is finished or gone stays so. What the record knows already costs no write, and so no
    wait for a disk.
    """
    if _all_finished(db, facts, session_id):
        return
    if not _hold(db, session_id, "open", *(("ending",) if adding_for is not None else ())):
        return
    if adding_for is not None:
        _add_missing(db, facts, user_id=adding_for, session_id=session_id)
    for fact in facts:
        mine = update(UploadedContent).where(
            UploadedContent.content_id == fact.content_id,
            UploadedContent.session_id == session_id,
            UploadedContent.processed_status.in_(UNFINISHED),
        )
        _hits(db, mine.values(_columns(fact)))


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


def commitments(db: Session, session_id: str) -> list[bytes]:
    """Return what the documents of one session are committed to, in the order of bytes, which tells nothing."""
    wanted = select(UploadedContent.commitment).where(UploadedContent.session_id == session_id)
    return sorted(bytes.fromhex(one) for one in db.scalars(wanted) if one is not None)


def of_session(db: Session, session_id: str) -> list[DocumentInfo]:
    """Return the documents of one session in the order of upload."""
    return [_info(row) for row in db.scalars(_of_session(session_id))]


def of_user(db: Session, user_id: str) -> list[DocumentInfo]:
    """Return all documents of one account in the order of upload, for its export."""
    wanted = select(UploadedContent).where(UploadedContent.user_id == user_id).order_by(UploadedContent.upload_time)
    return [_info(row) for row in db.scalars(wanted)]


def unfinished(db: Session, session_ids: Sequence[str]) -> dict[str, set[str]]:
    """Return the documents, by session, whose processing the record does not know the end of."""
    wanted = select(UploadedContent.session_id, UploadedContent.content_id).where(
        UploadedContent.session_id.in_(session_ids), UploadedContent.processed_status.in_(UNFINISHED)
    )
    found: dict[str, set[str]] = {}
    for session_id, content_id in db.execute(wanted) if session_ids else ():
        found.setdefault(session_id, set()).add(content_id)
    return found


def _of_session(session_id: str) -> Any:
    return select(UploadedContent).where(UploadedContent.session_id == session_id).order_by(UploadedContent.upload_time)


def _all_finished(db: Session, facts: Sequence[Facts], session_id: str) -> bool:
    # A row that is finished never changes again, so what is read here without a lock stays true.
    finished = select(UploadedContent.content_id).where(
        UploadedContent.session_id == session_id, UploadedContent.processed_status.not_in(UNFINISHED)
    )
    return {fact.content_id for fact in facts} <= set(db.scalars(finished))


def _hold(db: Session, session_id: str, *states: SessionState) -> bool:
    # Locks the session's row until this transaction ends, so that a purge starts before it or sees all it wrote.
    mine = update(_sessions).where(_sessions.c.session_id == session_id, _sessions.c.state.in_(states))
    return _hits(db, mine.values(session_id=session_id)) == 1


def _add_missing(db: Session, facts: Sequence[Facts], *, user_id: str, session_id: str) -> list[Facts]:
    named = UploadedContent.content_id.in_([fact.content_id for fact in facts])
    known = set(db.scalars(select(UploadedContent.content_id).where(named)))
    new = [fact for fact in facts if fact.content_id not in known]
    for fact in new:
        ids = {"content_id": fact.content_id, "user_id": user_id, "session_id": session_id}
        db.add(UploadedContent(**ids, upload_time=now(), **_columns(fact)))
    db.flush()
    return new


def _hits(db: Session, statement: Update | Delete) -> int:
    result = cast("CursorResult[Any]", db.execute(statement.execution_options(synchronize_session="auto")))
    return result.rowcount


def _columns(fact: Facts) -> dict[str, Any]:
    return {
        "file_type": vocabulary.file_type(fact.media_type),
        "size": fact.size_bytes,
        "pages": fact.pages,
        "ocr_pages": fact.ocr_pages,
        "chunks": fact.chunks,
        "attachments": fact.attachments,
        "language": vocabulary.language(fact.language),
        "processed_status": fact.status,
        "error_code": vocabulary.error_code(fact.error),
        "sealed_filename": fact.sealed_filename,
        "sealed_source_link": fact.sealed_source_link,
        "commitment": None if fact.commitment is None else fact.commitment.hex(),
    }


def _info(row: UploadedContent) -> DocumentInfo:
    facts = Facts(
        content_id=row.content_id,
        media_type=row.file_type,
        size_bytes=row.size,
        status=cast("ProcessedStatus", row.processed_status),
        pages=row.pages,
        ocr_pages=row.ocr_pages,
        chunks=row.chunks,
        attachments=row.attachments,
        language=row.language,
        error=row.error_code,
        sealed_filename=row.sealed_filename,
        sealed_source_link=row.sealed_source_link,
        commitment=None if row.commitment is None else bytes.fromhex(row.commitment),
    )
    return DocumentInfo(facts=facts, session_id=row.session_id, upload_time=row.upload_time)
