"""Documents: upload, watch, list, remove."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api import uploads
from api.dependencies import CurrentSession, Res, SeenSession
from api.problems import MalformedBody, TooSlow, UnsupportedContentType, UnsupportedEncoding
from api.routers import refuses
from api.schemas import documents as wire
from api.watching import Watchers
from models.errors import (
    FileTooLarge,
    IdempotencyConflict,
    InvalidRequest,
    NoSpace,
    NoSuchThing,
    NotAllowed,
    QueueFull,
    QuotaExceeded,
    SessionExpired,
)
from sessions.messages import DocumentState

router = APIRouter(prefix="/v1/sessions/current/documents", tags=["documents"])

IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[A-Za-z0-9_.:-]{1,128}$",
        description="Any name of this upload; sent again with the same files, it answers with the same documents.",
    ),
]

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "additionalProperties": False,
                    "properties": {
                        "file": {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "format": "binary"},
                        }
                    },
                }
            }
        },
    }
}

_UPLOAD_REFUSALS = (
    MalformedBody,
    InvalidRequest,
    SessionExpired,
    NotAllowed,
    TooSlow,
    IdempotencyConflict,
    FileTooLarge,
    QuotaExceeded,
    UnsupportedContentType,
    UnsupportedEncoding,
    QueueFull,
    NoSpace,
)


@router.post("", status_code=202, responses=refuses(*_UPLOAD_REFUSALS), openapi_extra=_FORM)
async def upload(
    request: Request, resources: Res, session: CurrentSession, idempotency_key: IdempotencyKey = None
) -> wire.Documents:
    """Take one or more files, all or none. They are sealed as they arrive and read later; watch their status."""
    return await uploads.receive(request, resources, session, idempotency_key)


@router.get("", responses=refuses(SessionExpired, NotAllowed))
def list_documents(session: SeenSession) -> wire.Documents:
    """List the session's documents in the order of upload."""
    return wire.Documents(documents=[wire.Document.of(state) for state in session.client.documents()])


@router.get("/{document_id}", responses=refuses(SessionExpired, NotAllowed, NoSuchThing))
def get_document(document_id: str, session: SeenSession) -> wire.Document:
    """Tell how one document is."""
    return wire.Document.of(session.client.document(document_id))


def _watched(document_id: str, session: SeenSession) -> DocumentState:
    """Look the document up before the stream begins, so that an unknown one is a plain 404."""
    return session.client.document(document_id)


@router.get(
    "/{document_id}/events",
    response_class=EventSourceResponse,
    responses=refuses(SessionExpired, NotAllowed, NoSuchThing),
)
async def watch(
    request: Request, first: Annotated[DocumentState, Depends(_watched)], session: SeenSession
) -> AsyncIterator[ServerSentEvent]:
    """Stream the document's status and progress until it is ready or has failed."""
    watchers: Watchers = request.app.state.watchers
    async for state in watchers.follow(session.client, first):
        yield ServerSentEvent(
            event="status", id=str(state.version), data=wire.DocumentProgress.of(state).model_dump(mode="json")
        )


@router.delete("/{document_id}", responses=refuses(SessionExpired, NotAllowed, NoSuchThing))
def remove(document_id: str, resources: Res, session: CurrentSession) -> wire.Removed:
    """Remove one document, or stop reading it; when this answers, no question finds it any more."""
    return uploads.remove(resources, session, document_id)
