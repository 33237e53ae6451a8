"""Accounts: sign up, recover, export, erase."""

from fastapi import APIRouter, Response

from api import archive, erasure, export, lifecycle
from api.dependencies import Address, CurrentSession, Db, Res, SeenSession
from api.problems import TAKES_JSON
from api.routers import refuses
from api.schemas import accounts as wire
from api.schemas.receipts import Receipt
from models.accounts.service import NewAccount
from models.errors import AccountExists, InvalidCredentials, InvalidRequest, NotAllowed, RateLimited, SessionExpired

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])


@router.post("", status_code=201, responses=refuses(*TAKES_JSON, InvalidRequest, AccountExists, RateLimited))
def sign_up(new: wire.NewAccount, resources: Res, db: Db, address: Address) -> wire.Account:
    """Make an account. The recovery code is shown once and kept nowhere."""
    resources.throttle.sign_up(address)
    account = NewAccount(
        username=new.username,
        email=new.email,
        password=new.password.get_secret_value(),
        primary_language=new.primary_language,
        target_languages=new.target_languages,
    )
    signed_up = resources.accounts.sign_up(db, account)
    return wire.Account(
        user_id=signed_up.user_id,
        recovery_code=signed_up.recovery_code,
        primary_language=new.primary_language,
        target_languages=new.target_languages,
    )


@router.post("/recovery", responses=refuses(*TAKES_JSON, InvalidRequest, InvalidCredentials, RateLimited))
def recover(recovery: wire.Recovery, resources: Res, address: Address) -> wire.Recovered:
    """Set a new password with the recovery code; every open session of the account is purged."""
    resources.throttle.sign_in(address, recovery.email)
    user_id, receipts = lifecycle.recover(
        resources, recovery.email, recovery.recovery_code.get_secret_value(), recovery.new_password.get_secret_value()
    )
    return wire.Recovered(user_id=user_id, sessions_ended=len(receipts))


@router.get("/me/export", responses=refuses(SessionExpired, NotAllowed))
def export_account(resources: Res, session: SeenSession) -> wire.Export:
    """Return everything durable about the account; names in the clear as far as the live session knows them."""
    return export.export(resources, session)


@router.get(
    "/me/archive",
    response_class=Response,
    responses=refuses(SessionExpired, NotAllowed)
    | {200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
def archive_account(resources: Res, session: SeenSession) -> Response:
    """Return everything durable about the account as one ZIP of JSON and CSV that describes itself."""
    return Response(archive.archive(resources, session), media_type="application/zip")


@router.delete("/me", responses=refuses(SessionExpired, NotAllowed))
def erase_account(resources: Res, session: CurrentSession) -> Receipt:
    """Purge every session of the account, erase its record, and return the signed receipt of the erasure."""
    return Receipt.of(erasure.erase_account(resources, session.user_id))
