"""What is said in public of the log: where a receipt's entries are, and whether any session is overdue."""

from sqlalchemy.orm import Session

from api.schemas import log as wire
from api.schemas.receipts import LogProof
from models.database import now
from models.errors import NoSuchThing
from models.receipts import entries, log
from models.vocabulary import LogEntryKind


def proofs(db: Session, receipt_id: str, sign: log.Sign) -> wire.Proofs:
    """Return the proofs of a receipt's start and end. Raises ``NoSuchThing`` when the log has neither."""
    start, end = _proof(db, receipt_id, "start", sign), _proof(db, receipt_id, "end", sign)
    if start is None and end is None:
        raise NoSuchThing
    return wire.Proofs(start=start, end=end)


def open_sessions(db: Session) -> wire.OpenSessions:
    """Count open and overdue sessions."""
    found = log.open_sessions(db)
    return wire.OpenSessions(
        size=found.size,
        open=len(found.starts),
        oldest_opened_at=found.starts[0].opened_at if found.starts else None,
        overdue=sum(entries.is_overdue(start, now()) for start in found.starts),
    )


def _proof(db: Session, receipt_id: str, kind: LogEntryKind, sign: log.Sign) -> LogProof | None:
    try:
        return LogProof.of(log.prove(db, receipt_id, kind, sign, newest=True))
    except NoSuchThing:
        return None
