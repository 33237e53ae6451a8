"""Resumable uploads, as tus 1.0 speaks: start, ask how far, go on, give up."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response

from api import resumable
from api.dependencies import CurrentSession, Res, SeenSession
from api.middleware import RESUMABLE_PATH
from api.problems import TUS_VERSION, TooSlow, UnsupportedContentType, UnsupportedEncoding, UnsupportedTusVersion
from api.routers import refuses
from models.errors import (
    FileTooLarge,
    InvalidRequest,
    MayflyError,
    NoSpace,
    NoSuchThing,
    NotAllowed,
    OffsetConflict,
    QueueFull,
    QuotaExceeded,
    SessionExpired,
    UploadLocked,
)

router = APIRouter(prefix=RESUMABLE_PATH, tags=["resumable uploads"])

# Bytes; the session's limits are far below, but a number must be one that every process can tell another.
_MAX_COUNT = 2**53
_OFFSET = {"Upload-Offset": ("Bytes that are sealed.", "integer", True)}
_EXPIRES = {"Upload-Expires": ("When an upload that is not complete is destroyed.", "string", False)}
_DOCUMENT = {resumable.DOCUMENT_HEADER: ("The document that a complete upload became.", "string", False)}
_STATE = _OFFSET | _EXPIRES | _DOCUMENT
_DESCRIBED = {
    "Upload-Length": ("Bytes of the whole.", "integer", True),
    "Upload-Metadata": ("What the client said of the file when it started.", "string", False),
}
_FEATURES = {
    "Tus-Version": ("The versions of tus that are spoken.", "string", True),
    "Tus-Extension": ("What is offered beyond the core protocol.", "string", True),
    "Tus-Max-Size": ("Largest file, in bytes.", "integer", True),
}
_LOCATION = {"Location": ("Where the upload goes on.", "string", True)}

_BYTES = {resumable.OFFSET_STREAM: {"schema": {"type": "string", "format": "binary"}}}
_VERSION_SPOKEN: dict[str, Any] = {
    "parameters": [
        {
            "name": "Tus-Resumable",
            "in": "header",
            "required": True,
            "schema": {"type": "string", "enum": [TUS_VERSION]},
        }
    ]
}
_SOME_BYTES = _VERSION_SPOKEN | {"requestBody": {"required": False, "content": _BYTES}}
_ALL_BYTES = _VERSION_SPOKEN | {"requestBody": {"required": True, "content": _BYTES}}

_ANY = (SessionExpired, NotAllowed, UnsupportedTusVersion)
_TAKES_BYTES = (
    *_ANY,
    InvalidRequest,
    TooSlow,
    FileTooLarge,
    QuotaExceeded,
    UnsupportedContentType,
    UnsupportedEncoding,
    QueueFull,
    NoSpace,
)


def _answers(status: int, headers: dict[str, tuple[str, str, bool]], *kinds: type[MayflyError]) -> dict[Any, Any]:
    """Return the ``responses=`` of a route that says all it has to say in headers, and of its refusals."""
    said = {
        name: {"description": meaning, "required": required, "schema": {"type": kind}}
        for name, (meaning, kind, required) in headers.items()
    }
    return refuses(*kinds) | {status: {"description": "Done; see the headers", "headers": said}}


def speaks_tus(tus_resumable: Annotated[str | None, Header(include_in_schema=False)] = None) -> None:
    """Let a request pass that speaks our version. Raises ``UnsupportedTusVersion``."""
    resumable.check_version(tus_resumable)


Length = Annotated[int, Header(ge=0, le=_MAX_COUNT, description="Bytes of the whole file.")]
Offset = Annotated[int, Header(ge=0, le=_MAX_COUNT, description="Where these bytes begin; where the upload stands.")]
Metadata = Annotated[
    str | None,
    Header(
        pattern=resumable.METADATA_PATTERN,
        description="Pairs of key and base64 of a value, joined by commas; `filename` and `filetype` are read.",
    ),
]


@router.options("", status_code=204, response_class=Response, responses=_answers(204, _FEATURES))
def offer(resources: Res) -> Response:
    """Tell a tus client what it can do here. Needs no token."""
    return Response(status_code=204, headers=resumable.features(resources))


@router.post(
    "",
    status_code=201,
    response_class=Response,
    responses=_answers(201, _LOCATION | _STATE, *_TAKES_BYTES),
    openapi_extra=_SOME_BYTES,
    dependencies=[Depends(speaks_tus)],
)
async def start_upload(
    request: Request,
    resources: Res,
    session: CurrentSession,
    upload_length: Length,
    upload_metadata: Metadata = None,
) -> Response:
    """Start a file that may come in parts; the body may bring the first. Sealed as it arrives, read when complete."""
    state = await resumable.start(
        request, resources, session, length=upload_length, untrusted_metadata=upload_metadata or ""
    )
    headers = resumable.location_of(state) | resumable.headers_of(resources, session, state)
    return Response(status_code=201, headers=headers)


@router.head(
    "/{upload_id}",
    status_code=204,
    response_class=Response,
    responses=_answers(204, _STATE | _DESCRIBED, *_ANY, NoSuchThing),
    openapi_extra=_VERSION_SPOKEN,
    dependencies=[Depends(speaks_tus)],
)
def look_at_upload(upload_id: str, resources: Res, session: SeenSession) -> Response:
    """Tell how much of a file is here. Looking does not keep the session alive."""
    state = resumable.look(resources, session, upload_id)
    headers = resumable.headers_of(resources, session, state) | resumable.description_of(state)
    return Response(status_code=204, headers=headers)


@router.patch(
    "/{upload_id}",
    status_code=204,
    response_class=Response,
    responses=_answers(204, _STATE, *_TAKES_BYTES, NoSuchThing, OffsetConflict, UploadLocked),
    openapi_extra=_ALL_BYTES,
    dependencies=[Depends(speaks_tus)],
)
async def continue_upload(
    upload_id: str, request: Request, resources: Res, session: CurrentSession, upload_offset: Offset
) -> Response:
    """Take the next bytes of a file. With its last one the file is a document, and its id is in the reply."""
    state = await resumable.receive(request, resources, session, upload_id, offset=upload_offset)
    return Response(status_code=204, headers=resumable.headers_of(resources, session, state))


@router.delete(
    "/{upload_id}",
    status_code=204,
    response_class=Response,
    responses=_answers(204, {}, *_ANY, NoSuchThing),
    openapi_extra=_VERSION_SPOKEN,
    dependencies=[Depends(speaks_tus)],
)
def drop_upload(upload_id: str, resources: Res, session: CurrentSession) -> Response:
    """Destroy what is here of a file, and the document it may have become."""
    resumable.drop(resources, session, upload_id)
    return Response(status_code=204)
