"""Links: have one fetched, where the operator allows it."""

from fastapi import APIRouter

from api import links
from api.dependencies import CurrentSession, Res
from api.routers import refuses
from api.routers.documents import IdempotencyKey
from api.schemas.documents import Document
from api.schemas.links import Link
from models.errors import (
    IdempotencyConflict,
    LinkRefused,
    LinksNotAllowed,
    NoSpace,
    NoSuchThing,
    NotAllowed,
    PartUnavailable,
    QueueFull,
    QuotaExceeded,
    SessionExpired,
    VideoLink,
)

router = APIRouter(prefix="/v1/sessions/current/links", tags=["links"])

_REFUSALS = (
    SessionExpired,
    NotAllowed,
    LinksNotAllowed,
    LinkRefused,
    VideoLink,
    IdempotencyConflict,
    NoSuchThing,
    QuotaExceeded,
    QueueFull,
    NoSpace,
    PartUnavailable,
)


@router.post("", status_code=202, responses=refuses(*_REFUSALS))
def fetch_link(
    wanted: Link, resources: Res, session: CurrentSession, idempotency_key: IdempotencyKey = None
) -> Document:
    """Make a document of what a link points to. It is fetched after the reply; watch its status.

    The site learns that somebody asked, from which machine, and nothing more. Off unless the operator allows it.
    """
    return links.fetch(resources, session, wanted.url, idempotency_key)
