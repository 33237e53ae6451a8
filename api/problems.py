"""Errors as ``application/problem+json`` (RFC 9457): one table of statuses, one form of body, no echo of input.

Owns the refusals that only HTTP knows (methods, headers, hosts) and turns every exception that reaches the edge into a
problem. A problem holds ``type``, ``title``, ``status`` and ``code``; a validation problem also ``errors``, each a JSON
pointer to a declared field and a code, never the value that was sent.
"""

import math
import traceback
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, Final, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from models import errors
from models.errors import MayflyError

MEDIA_TYPE = "application/problem+json"
TUS_VERSION = "1.0.0"
_RETRY_AFTER_SECONDS = 2
# The code under which a schema finds that a body carries dialogue.
DIALOGUE_REFUSED: Final = "dialogue_refused"


class BadRequest(MayflyError):
    """The bytes of the request are not what HTTP or its content type promises."""


class MalformedBody(BadRequest):
    """The request body does not follow its content type."""

    slug = "malformed_body"
    title = "The request body does not follow its content type"


class MalformedRequest(BadRequest):
    """The request is not valid HTTP."""

    slug = "malformed_request"
    title = "The request is not valid HTTP"


class UnknownHost(BadRequest):
    """The Host header names no host of this service."""

    slug = "unknown_host"
    title = "The Host header names no host of this service"


class QueryNotAllowed(BadRequest):
    """Nothing is taken from the query string: it ends up in logs and histories."""

    slug = "query_not_allowed"
    title = "Nothing is taken from the query string; send it in the body or a header"


class MethodNotAllowed(MayflyError):
    """This address does not know this method."""

    slug = "method_not_allowed"
    title = "This address does not know this method"


class TooSlow(MayflyError):
    """The request body took longer to arrive than allowed."""

    slug = "too_slow"
    title = "The request body took longer to arrive than allowed"


class HeadersTooLarge(MayflyError):
    """The request line and headers are larger than allowed."""

    slug = "headers_too_large"
    title = "The request line and headers are larger than allowed"


class UnsupportedContentType(errors.Unsupported):
    """This address does not take a body of this content type."""

    slug = "unsupported_content_type"
    title = "This address does not take a body of this content type"


class UnsupportedEncoding(errors.Unsupported):
    """Compressed request bodies are not taken."""

    slug = "unsupported_encoding"
    title = "Compressed request bodies are not taken"


# What every route with a JSON body may answer.
TAKES_JSON: tuple[type[MayflyError], ...] = (
    MalformedBody,
    TooSlow,
    errors.FileTooLarge,
    UnsupportedContentType,
    UnsupportedEncoding,
)


class UnsupportedTusVersion(MayflyError):
    """The request does not speak the version of tus that this address speaks."""

    slug = "unsupported_tus_version"
    title = "This address speaks tus 1.0.0"


class InvalidHookSecret(errors.Unauthenticated):
    """The hook secret is missing or wrong."""

    slug = "invalid_hook_secret"
    title = "The hook secret is missing or wrong"


class Starting(errors.Unavailable):
    """The service has not finished starting."""

    slug = "starting"
    title = "The service has not finished starting"


STATUS_OF_FAMILY: dict[type[MayflyError], int] = {
    errors.Invalid: 422,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Locked: 423,
    errors.TooLarge: 413,
    errors.Unsupported: 415,
    errors.Unprocessable: 422,
    errors.TooMany: 429,
    errors.Unavailable: 503,
    errors.OutOfSpace: 507,
    BadRequest: 400,
    MethodNotAllowed: 405,
    TooSlow: 408,
    UnsupportedTusVersion: 412,
    HeadersTooLarge: 431,
    MayflyError: 500,
}

_ERROR_OF_STATUS: dict[int, type[MayflyError]] = {
    400: MalformedBody,
    401: errors.SessionExpired,
    403: errors.NotAllowed,
    404: errors.NoSuchThing,
    405: MethodNotAllowed,
    408: TooSlow,
    413: errors.FileTooLarge,
    415: UnsupportedContentType,
    431: HeadersTooLarge,
    503: errors.PartUnavailable,
}


class FieldProblem(BaseModel):
    """Where the request breaks its documented form, and how; never with what."""

    pointer: str
    code: str


class Problem(BaseModel):
    """The body of every refusal."""

    media_type: ClassVar[str] = MEDIA_TYPE

    type: str
    title: str
    status: int
    code: str


class ValidationProblem(Problem):
    """The body of a refusal to read a request, with the fields at fault."""

    errors: list[FieldProblem]


class FieldsInvalid(errors.InvalidRequest):
    """``InvalidRequest`` with the fields at fault, as ``(pointer, code)``."""

    slug = errors.InvalidRequest.slug

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.fields = tuple(fields)


def status_of(error: type[MayflyError] | MayflyError) -> int:
    """Return the HTTP status of an error: that of its nearest family in the table."""
    kind = error if isinstance(error, type) else type(error)
    return next(STATUS_OF_FAMILY[base] for base in kind.__mro__ if base in STATUS_OF_FAMILY)


def type_of(slug: str) -> str:
    """Return the problem's ``type``: a name, described in docs/problems.md under the same word."""
    return f"urn:mayfly:problem:{slug}"


def body_of(error: MayflyError) -> dict[str, Any]:
    """Return the problem document of an error."""
    body: dict[str, Any] = {
        "type": type_of(error.slug),
        "title": error.title,
        "status": status_of(error),
        "code": error.slug,
    }
    if isinstance(error, FieldsInvalid):
        body["errors"] = [{"pointer": pointer, "code": code} for pointer, code in error.fields]
    elif isinstance(error, errors.InvalidRequest):
        body["errors"] = []
    return body


def headers_of(error: MayflyError) -> dict[str, str]:
    """Return the headers a refusal must carry: how to authenticate, when to come back, which version to speak."""
    status = status_of(error)
    if status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Bearer realm="mayfly"'}
    if status == HTTPStatus.PRECONDITION_FAILED:
        return {"Tus-Version": TUS_VERSION}
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_seconds or _RETRY_AFTER_SECONDS)))}
    return {}


def response_of(error: MayflyError, *, extra_headers: dict[str, str] | None = None) -> Response:
    """Return the reply that refuses a request with this error."""
    headers = headers_of(error) | (extra_headers or {})
    return JSONResponse(body_of(error), status_code=status_of(error), headers=headers, media_type=MEDIA_TYPE)


def known_problems() -> dict[str, type[MayflyError]]:
    """Map every slug that a reply or a document's ``error`` can carry to its error type."""
    return errors.by_slug()


def problems(*kinds: type[MayflyError]) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses=`` of a route that may refuse with these errors, grouped by status for OpenAPI."""
    grouped: dict[int, list[type[MayflyError]]] = {}
    for kind in kinds:
        grouped.setdefault(status_of(kind), []).append(kind)
    return {status: _declaration(status, group) for status, group in sorted(grouped.items())}


def _declaration(status: int, kinds: Iterable[type[MayflyError]]) -> dict[str, Any]:
    kinds = list(kinds)
    model = ValidationProblem if any(issubclass(kind, errors.InvalidRequest) for kind in kinds) else Problem
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    declared: dict[str, Any] = {
        "description": "; ".join(f"`{kind.slug}`: {kind.title}" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": reference}},
    }
    if status == HTTPStatus.UNAUTHORIZED:
        declared["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    if status == HTTPStatus.PRECONDITION_FAILED:
        declared["headers"] = {"Tus-Version": {"schema": {"type": "string"}}}
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        declared["headers"] = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}}
    return declared


def schemas() -> dict[str, Any]:
    """Return the OpenAPI schemas that the declarations of ``problems`` refer to."""
    template = "#/components/schemas/{model}"
    found = {model.__name__: model.model_json_schema(ref_template=template) for model in (Problem, ValidationProblem)}
    nested: dict[str, Any] = {}
    for schema in found.values():
        nested |= schema.pop("$defs", {})
    return found | nested


def install(app: FastAPI) -> None:
    """Answer every exception a route raises with a problem. ``middleware.LastResort`` catches the unforeseen ones."""
    app.add_exception_handler(MayflyError, _on_mayfly_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


def forget_frames(error: BaseException) -> None:
    """Drop what the finished frames below an error hold.

    An error that is part of a circle lives until the next garbage collection, and so would the bytes of an upload that
    it refused.
    """
    seen = set[int]()
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop()
        if found is not None and id(found) not in seen:
            seen.add(id(found))
            traceback.clear_frames(found.__traceback__)
            waiting += [found.__cause__, found.__context__]


async def _on_mayfly_error(request: Request, error: Exception) -> Response:
    mayfly_error = cast("MayflyError", error)
    forget_frames(error)
    request.scope["mayfly.problem"] = mayfly_error.slug
    return response_of(mayfly_error)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    refusal = _refusal_of(request, cast("RequestValidationError", error))
    forget_frames(error)
    return await _on_mayfly_error(request, refusal)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    found = cast("HTTPException", error)
    forget_frames(error)
    kind = _ERROR_OF_STATUS.get(found.status_code, MayflyError)
    request.scope["mayfly.problem"] = kind.slug
    allow = {"Allow": _allowed_methods(request)} if kind is MethodNotAllowed else {}
    return response_of(kind(), extra_headers=allow)


def _refusal_of(request: Request, error: RequestValidationError) -> MayflyError:
    found = error.errors()
    if error.body and not _says_json(request):
        return UnsupportedContentType()
    if any(item["type"] == DIALOGUE_REFUSED for item in found):
        return errors.DialogueRefused()
    return MalformedBody() if any(item["type"] == "json_invalid" for item in found) else _fields_invalid(found)


def _says_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def _allowed_methods(request: Request) -> str:
    """Return every method that some route of this path knows; the router's own answer knows the first route only."""
    routes: Sequence[Route] = request.app.state.routes
    known = [route.methods or set() for route in routes if route.path_regex.match(request.scope["path"])]
    return ", ".join(sorted(set().union(*known)))


def _fields_invalid(found: Sequence[Any]) -> MayflyError:
    return FieldsInvalid([(pointer_of(item["loc"], item["type"]), str(item["type"])) for item in found])


def pointer_of(location: Sequence[str | int], code: str) -> str:
    """Return the JSON pointer of a field at fault.

    The name of a field nobody declared is the sender's own words, so the pointer then stops at the object around it.
    """
    parts = list(location[1:]) if location and location[0] in {"body", "path", "header", "query"} else list(location)
    if code == "extra_forbidden":
        parts = parts[:-1]
    return "".join(f"/{part}" for part in parts)
