"""Documents and their progress."""

from typing import Annotated, Self

from pydantic import BeforeValidator, Field

from api.schemas import Outgoing
from models.content import DocumentStatus
from sessions.messages import Deleted, DocumentState


def _in_hex(value: bytes | str | None) -> str | None:
    return value.hex() if isinstance(value, bytes) else value


class Timing(Outgoing):
    """One stage: seconds so far, and how many of the pages known are through it."""

    seconds: float
    pages_done: int
    pages_known: int


class Document(Outgoing):
    """One document of the session, as its learner may see it.

    ``progress`` runs from 0 to 1; ``error`` is a code of docs/problems.md; ``timings`` tells of each stage so far;
    ``attachments`` were counted and not opened. ``commitment`` is the SHA-256 of ``commitment_nonce`` and the uploaded
    bytes, once they are all in: whoever keeps the nonce can show later that a receipt is about this very file.
    """

    document_id: str
    filename: Annotated[str, Field(repr=False)]
    media_type: str | None
    bytes: int
    pages: int
    chunks: int
    language: str | None
    status: DocumentStatus
    progress: Annotated[float, Field(ge=0, le=1)]
    error: str | None = None
    ocr_pages: int = 0
    ocr_confidence: float | None = None
    attachments: int = 0
    timings: Annotated[dict[str, Timing], Field(default_factory=dict)]
    commitment: Annotated[str | None, BeforeValidator(_in_hex)] = None
    commitment_nonce: Annotated[str, BeforeValidator(_in_hex), Field(validation_alias="nonce", repr=False)] = ""

    @classmethod
    def of(cls, state: DocumentState) -> Self:
        """Return the wire form of a session's document."""
        return cls.model_validate(state, from_attributes=True)


class Documents(Outgoing):
    """Documents in the order of upload."""

    documents: list[Document]


class DocumentProgress(Outgoing):
    """The data of one event."""

    document_id: str
    status: DocumentStatus
    progress: Annotated[float, Field(ge=0, le=1)]
    error: str | None = None
    timings: Annotated[dict[str, Timing], Field(default_factory=dict)]

    @classmethod
    def of(cls, state: DocumentState) -> Self:
        """Return what an event tells of a document: ids and numbers, no name."""
        return cls.model_validate(state, from_attributes=True)


class Removed(Outgoing):
    """What was removed with a document."""

    document_id: str
    pages: int
    chunks: int
    bytes: int

    @classmethod
    def of(cls, deleted: Deleted) -> Self:
        """Return the wire form of what a session removed."""
        return cls.model_validate(deleted, from_attributes=True)
