"""Sign-in, the current session, grants."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from api.schemas import Incoming, Outgoing, Secret
from api.schemas.receipts import LogProof

MIN_GRANT_TTL_SECONDS = 10
MAX_GRANT_TTL_SECONDS = 900


class SignIn(Incoming):
    """Who wants to learn."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "ada@example.org", "password": "correct horse battery"}]}
    )

    email: Annotated[str, Field(min_length=3, max_length=254, repr=False)]
    password: Annotated[Secret, Field(min_length=1, max_length=1024)]


class Session(Outgoing):
    """A session that has just begun. The token is shown once.

    Its receipt will be called ``receipt_id``; ``log`` shows that its start is in the public log, where its end will be
    missed if it does not come.
    """

    session_id: str
    token: Annotated[str, Field(repr=False)]
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # A word of the protocol, not a secret.
    expires_at: datetime
    idle_timeout_seconds: int
    absolute_timeout_seconds: int
    receipt_id: str
    log: LogProof


class SessionHoldings(Outgoing):
    """What is held on the learner right now, and until when unless the session is used before."""

    session_id: str
    documents: int
    pages: int
    chunks: int
    bytes: int
    quarantined_files: int
    turns: int
    opened_at: datetime
    expires_at: datetime
    idle_timeout_seconds: int


class GrantRequest(Incoming):
    """How long the tutor may ask, in seconds; without a value, the default of ``GET /v1/limits``."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ttl_seconds": 300}, {}]})

    ttl_seconds: Annotated[int | None, Field(ge=MIN_GRANT_TTL_SECONDS, le=MAX_GRANT_TTL_SECONDS)] = None


class Grant(Outgoing):
    """The tutor's right to ask questions of this one session. The token is shown once."""

    token: Annotated[str, Field(repr=False)]
    scope: Literal["retrieve"] = "retrieve"
    expires_at: datetime


def in_seconds(seconds: float) -> datetime:
    """Return the moment that many seconds from now (UTC)."""
    return datetime.now(UTC) + timedelta(seconds=seconds)
