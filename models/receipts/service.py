"""Keeping receipts. A receipt is added once and never changed, but for a signature that could not be had then."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.database import now
from models.errors import NoSuchThing
from models.receipts.signing import Receipt, Signer
from models.receipts.statement import canonical, parse
from models.receipts.tables import ReceiptRow

_SIGNED_AT_ONCE = 500


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


def sign_waiting(db: Session, signer: Signer) -> int:
    """Sign the receipts that were written while there was no key; return how many.

    Raises ``models.receipts.signing.KeyUnavailable`` while there is none.
    """
    waiting = list(db.scalars(select(ReceiptRow).where(ReceiptRow.key_id == "").limit(_SIGNED_AT_ONCE)))
    for row in waiting:
        receipt = signer.sign(parse(row.statement.encode()))
        row.key_id, row.signature, row.signed_at = receipt.key_id, bytes.fromhex(receipt.signature), now()
    db.flush()
    return len(waiting)


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
