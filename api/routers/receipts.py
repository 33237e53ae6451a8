"""Receipts: anyone who knows a receipt's id may read it; the key to check it is public."""

from fastapi import APIRouter

from api import lifecycle
from api.dependencies import Db, Res
from api.routers import refuses
from api.schemas.receipts import KeySuccession, LoggedReceipt, ReceiptKey
from models.errors import NoSuchThing
from models.receipts import keys
from models.receipts import service as receipt_record

router = APIRouter(prefix="/v1/receipts", tags=["receipts"])


@router.get("/key", responses=refuses())
def get_key(resources: Res, db: Db) -> ReceiptKey:
    """Return the public key that checks this deployment's receipts, and how it came after others."""
    successions = [KeySuccession.model_validate(one, from_attributes=True) for one in keys.successions(db)]
    signer = resources.signer
    return ReceiptKey(key_id=signer.key_id, public_key=signer.public_key.hex(), successions=successions)


@router.get("/{receipt_id}", responses=refuses(NoSuchThing))
def get_receipt(receipt_id: str, resources: Res, db: Db) -> LoggedReceipt:
    """Return one receipt, with the proof that the log has the end of its session."""
    ended = lifecycle.with_proof(resources, receipt_record.get(db, receipt_id))
    return LoggedReceipt.with_proof(ended.receipt, ended.end, ended.commitments)
