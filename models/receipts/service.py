"""Keeping receipts. A receipt is added once and never changed."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.database import now
from models.errors import NoSuchThing
from models.receipts.signing import Receipt
from models.receipts.statement import canonical, parse
from models.receipts.tables import ReceiptRow


def add(db: Session, receipt: Receipt) -> None:
    """Store a receipt, in the transaction that won ``models.sessions.service.finish``: so a session has only one."""
    statement = receipt.statement
    row = ReceiptRow(
        receipt_id=statement.receipt_id,
        session_id=statement.session_id or None,
        kind=statement.kind,
        statement=canonical(statement).decode(),
        key_id=receipt.key_id,
        signature=bytes.fromhex(receipt.signature),
        signed_at=now(),
    )
    db.add(row)
    db.flush()


def get(db: Session, receipt_id: str) -> Receipt:
    """Return a receipt. Raises ``NoSuchThing``."""
    row = db.get(ReceiptRow, receipt_id)
    if row is None:
        raise NoSuchThing
    return _receipt(row)


def of_session(db: Session, session_id: str) -> Receipt | None:
    """Return the receipt of a session, or ``None`` while it has none."""
    row = db.scalar(select(ReceiptRow).where(ReceiptRow.session_id == session_id))
    return None if row is None else _receipt(row)


def _receipt(row: ReceiptRow) -> Receipt:
    return Receipt(statement=parse(row.statement.encode()), key_id=row.key_id, signature=row.signature.hex())
