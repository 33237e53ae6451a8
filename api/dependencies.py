"""How a route reaches what it needs: the resources, a transaction, and who is asking.

Which requests keep a session alive: every one that uses it (questions, uploads, deletes, grants). Looking at its state
(a GET) does not, so that a forgotten page that polls cannot hold a learner's material.
"""

import base64
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session as DbSession

from api.problems import InvalidHookSecret
from api.resources import Resources
from models.errors import NotAllowed, SessionExpired
from models.ids import hash_token
from models.sessions import service as session_record
from models.sessions.service import SessionInfo
from sessions.client import SessionClient

_MAX_TOKEN_CHARACTERS = 200
_GRANT = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")

_session_bearer = HTTPBearer(auto_error=False, scheme_name="session", description="The token of `POST /v1/sessions`.")
_asker_bearer = HTTPBearer(
    auto_error=False, scheme_name="grant", description="The token of `POST /v1/sessions/current/grants`."
)
_hook_bearer = HTTPBearer(auto_error=False, scheme_name="hook", description="The hook secret of this deployment.")

_Credentials = HTTPAuthorizationCredentials | None


@dataclass(frozen=True, slots=True)
class LearnersSession:
    """The session whose token came with the request."""

    info: SessionInfo
    client: SessionClient = field(repr=False)

    @property
    def session_id(self) -> str:
        """The session's id."""
        return self.info.session_id

    @property
    def user_id(self) -> str:
        """The account's id."""
        return self.info.user_id


@dataclass(frozen=True, slots=True)
class WhoAsks:
    """Somebody who may ask one session: its learner, or a tutor with a grant (then with the grant's secret)."""

    session_id: str
    client: SessionClient = field(repr=False)
    address: str = field(repr=False)
    grant: bytes | None = field(repr=False, default=None)


async def get_resources(request: Request) -> Resources:
    """Return what the lifespan built. A coroutine, as it does not block: it needs no turn of a thread."""
    return request.app.state.resources


Res = Annotated[Resources, Depends(get_resources)]


def get_db(resources: Res) -> Iterator[DbSession]:
    """Yield a transaction that is committed before the reply is sent."""
    with resources.database.transaction() as db:
        yield db


async def get_address(request: Request) -> str:
    """Return the address of whoever connected. Used to count attempts, never logged or kept; see ``get_resources``."""
    return request.client.host if request.client else ""


def get_token(credentials: Annotated[_Credentials, Depends(_session_bearer)]) -> str:
    """Return the bearer token. Raises ``SessionExpired`` without one, or with something that cannot be one."""
    if credentials is None or not 0 < len(credentials.credentials) <= _MAX_TOKEN_CHARACTERS:
        raise SessionExpired
    return credentials.credentials


def find_session(resources: Resources, token: str) -> SessionInfo:
    """Return the open session of a token. Raises ``SessionExpired``, and ``NotAllowed`` for a grant."""
    if _GRANT.fullmatch(token):
        raise NotAllowed
    with resources.database.transaction() as db:
        info = session_record.find_open(db, hash_token(token))
    if info is None:
        raise SessionExpired
    resources.leases.know(hash_token(token), info.session_id)
    return info


def seen_session(resources: Res, token: Annotated[str, Depends(get_token)]) -> LearnersSession:
    """Return the current session without keeping it alive. Raises ``SessionExpired``, ``NotAllowed``."""
    info = find_session(resources, token)
    _refuse_overdue(resources, info.session_id)
    return LearnersSession(info, resources.session(info.session_id))


def used_session(resources: Res, session: Annotated[LearnersSession, Depends(seen_session)]) -> LearnersSession:
    """Return the current session and start its idle time anew. Raises ``SessionExpired``, ``NotAllowed``."""
    renew(resources, session.session_id)
    return session


def renew(resources: Resources, session_id: str) -> datetime:
    """Start a session's idle time anew and return when it now ends. Raises ``SessionExpired`` when it is over."""
    return resources.leases.note(session_id, resources.host.renew(session_id))


def _refuse_overdue(resources: Resources, session_id: str) -> None:
    """Ask the host about a session whose lease seems over. Raises ``SessionExpired`` when it is.

    A machine that slept past the end of a session serves nobody from it, not even before the host has killed it.
    """
    if resources.leases.is_over(session_id):
        renew(resources, session_id)


def end_of_lease(resources: Resources, session_id: str) -> datetime:
    """Return when the session ends unless it is used. Renews it only when this front has never seen its lease."""
    return resources.leases.end_of(session_id) or renew(resources, session_id)


def get_asker(
    resources: Res,
    address: Annotated[str, Depends(get_address)],
    session_credentials: Annotated[_Credentials, Depends(_session_bearer)],
    _same_header: Annotated[_Credentials, Depends(_asker_bearer)],
) -> WhoAsks:
    """Return who asks, by session token or by grant; the grant's secret is checked by the session process alone.

    Raises ``SessionExpired``, and ``RateLimited`` for too many grants that do not hold from one address.
    """
    token = get_token(session_credentials)
    grant = _GRANT.fullmatch(token)
    if grant is None:
        session = used_session(resources, seen_session(resources, token))
        return WhoAsks(session.session_id, session.client, address)
    session_id, secret = grant.groups()
    with resources.database.transaction() as db:
        info = session_record.get(db, session_id)
    if info is None or info.state != "open":
        resources.throttle.failed_grant(address)
        raise SessionExpired
    _refuse_overdue(resources, session_id)
    return WhoAsks(session_id, resources.session(session_id), address, base64.urlsafe_b64decode(secret + "="))


def grant_token(session_id: str, secret: bytes) -> str:
    """Return a grant as text: the session's id, so that a front finds its process, and the secret."""
    return f"{session_id}.{base64.urlsafe_b64encode(secret).decode().rstrip('=')}"


def check_hook_secret(
    resources: Res,
    address: Annotated[str, Depends(get_address)],
    credentials: Annotated[_Credentials, Depends(_hook_bearer)],
) -> None:
    """Let only the tutor application's backend pass. Raises ``InvalidHookSecret``, ``RateLimited`` when it guesses."""
    # Nothing is never compared: it must not pass even if the deployment's secret were nothing.
    given = credentials.credentials.encode() if credentials else b""
    if not given or not hmac.compare_digest(given, resources.hook_secret):
        resources.throttle.hook(address)
        raise InvalidHookSecret


Db = Annotated[DbSession, Depends(get_db, scope="function")]
Address = Annotated[str, Depends(get_address)]
Token = Annotated[str, Depends(get_token)]
SeenSession = Annotated[LearnersSession, Depends(seen_session)]
CurrentSession = Annotated[LearnersSession, Depends(used_session)]
Asker = Annotated[WhoAsks, Depends(get_asker)]
