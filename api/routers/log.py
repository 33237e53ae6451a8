"""The log of sessions, for anyone: no sign-in, nothing in it that a learner wrote or that leads back to him."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api import public_log
from api.dependencies import Db, Res
from api.routers import refuses
from api.schemas import log as wire
from models.errors import InvalidRequest, NoSuchThing
from models.receipts import log

router = APIRouter(prefix="/v1/log", tags=["log"])

Number = Annotated[int, Path(ge=0, lt=2**53)]


@router.get("/checkpoint", response_class=Response, responses=refuses())
def get_checkpoint(resources: Res, db: Db) -> Response:
    """Return origin, size and root of the log as a signed note (C2SP tlog-checkpoint)."""
    return Response(resources.signer.sign_checkpoint(log.head(db)), media_type="text/plain; charset=utf-8")


@router.get("/entries/{first}", responses=refuses(InvalidRequest))
def get_entries(first: Number, db: Db) -> wire.Entries:
    """Return up to 256 entries from one on; none when the log is shorter."""
    return wire.Entries(first=first, entries=log.entries(db, first), size=log.head(db).size)


@router.get("/consistency/{old_size}/{new_size}", responses=refuses(InvalidRequest, NoSuchThing))
def get_consistency(old_size: Number, new_size: Number, db: Db) -> wire.Consistency:
    """Prove that the log only grew between two sizes."""
    return wire.Consistency(old_size=old_size, new_size=new_size, hashes=list(log.consistency(db, old_size, new_size)))


@router.get("/proofs/{receipt_id}", responses=refuses(NoSuchThing))
def get_proofs(receipt_id: str, resources: Res, db: Db) -> wire.Proofs:
    """Prove that start and end of a receipt's session are in the newest log."""
    return public_log.proofs(db, receipt_id, resources.signer.sign_checkpoint)


@router.get("/open", responses=refuses())
def get_open(db: Db) -> wire.OpenSessions:
    """Count the sessions that started and have not ended, by the log alone."""
    return public_log.open_sessions(db)
