"""Sessions: sign in, look, grant, sign out, and the end hook."""

from fastapi import APIRouter, Depends, Response

from api import lifecycle
from api.dependencies import (
    Address,
    CurrentSession,
    Res,
    SeenSession,
    Token,
    check_hook_secret,
    end_of_lease,
    grant_token,
)
from api.problems import TAKES_JSON, InvalidHookSecret
from api.routers import refuses
from api.schemas import sessions as wire
from api.schemas.receipts import LoggedReceipt, LogProof
from models.errors import (
    HostFull,
    InvalidCredentials,
    InvalidRequest,
    NoSuchThing,
    NotAllowed,
    RateLimited,
    SessionExpired,
    TooManySessions,
)

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])


@router.post(
    "",
    status_code=201,
    responses=refuses(*TAKES_JSON, InvalidRequest, InvalidCredentials, TooManySessions, RateLimited, HostFull),
)
def sign_in(who: wire.SignIn, resources: Res, address: Address) -> wire.Session:
    """Start a session. The token is shown once."""
    resources.throttle.sign_in(address, who.email)
    signed_in = lifecycle.sign_in(resources, who.email, who.password.get_secret_value())
    settings = resources.settings.sessions
    return wire.Session(
        session_id=signed_in.session_id,
        token=signed_in.token,
        expires_at=signed_in.expires_at,
        idle_timeout_seconds=settings.idle_seconds,
        absolute_timeout_seconds=settings.absolute_seconds,
        receipt_id=signed_in.receipt_id,
        log=LogProof.of(signed_in.start),
    )


@router.get("/current", responses=refuses(SessionExpired, NotAllowed))
def look(resources: Res, session: SeenSession) -> wire.SessionHoldings:
    """Tell what is held on the learner right now. Looking does not keep the session alive."""
    held = session.client.summarise()
    return wire.SessionHoldings(
        session_id=session.session_id,
        documents=held.documents,
        pages=held.pages,
        chunks=held.chunks,
        bytes=held.bytes,
        quarantined_files=held.quarantined_files,
        turns=held.turns,
        opened_at=session.info.opened_at,
        expires_at=end_of_lease(resources, session.session_id),
        idle_timeout_seconds=session.info.idle_seconds,
    )


@router.delete("/current", responses=refuses(SessionExpired, NotAllowed))
def sign_out(resources: Res, token: Token, response: Response) -> LoggedReceipt:
    """Purge the session; the reply is the signed receipt with its proof, sent when everything is gone."""
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    ended = lifecycle.sign_out(resources, token)
    return LoggedReceipt.with_proof(ended.receipt, ended.end, ended.commitments)


@router.post(
    "/current/grants",
    status_code=201,
    responses=refuses(*TAKES_JSON, InvalidRequest, SessionExpired, NotAllowed, RateLimited),
)
def grant(resources: Res, session: CurrentSession, wish: wire.GrantRequest | None = None) -> wire.Grant:
    """Give the tutor the right to ask this one session for passages, and nothing else."""
    chosen = wish.ttl_seconds if wish else None
    granted = session.client.mint_grant(chosen or resources.settings.sessions.grant_ttl_seconds)
    return wire.Grant(
        token=grant_token(session.session_id, granted.secret), expires_at=wire.in_seconds(granted.ttl_seconds)
    )


@router.post(
    "/{session_id}/end",
    responses=refuses(InvalidHookSecret, NoSuchThing, RateLimited),
    dependencies=[Depends(check_hook_secret)],
)
def end(session_id: str, resources: Res) -> LoggedReceipt:
    """Purge a session for the tutor application's backend; repeated calls answer with the same receipt."""
    ended = lifecycle.end_for_hook(resources, session_id)
    return LoggedReceipt.with_proof(ended.receipt, ended.end, ended.commitments)
