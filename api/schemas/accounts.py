"""Accounts: sign-up, recovery, export, erasure."""

from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.schemas import Incoming, Outgoing, Secret
from api.schemas.receipts import Receipt
from models.vocabulary import LANGUAGES


def _known_language(code: str) -> str:
    if code not in LANGUAGES:
        raise PydanticCustomError("unknown_language", "unknown language")
    return code


# C0, DEL and C1: no name needs them, and they can turn a terminal or a log line around.
_CONTROLS = r"\x00-\x1f\x7f-\x9f"

Language = Annotated[
    str,
    AfterValidator(_known_language),
    WithJsonSchema({"type": "string", "description": "ISO 639-1", "enum": sorted(LANGUAGES)}),
]
Email = Annotated[
    str, Field(min_length=3, max_length=254, pattern=rf"^[^@\s{_CONTROLS}]+@[^@\s{_CONTROLS}]+$", repr=False)
]
Password = Annotated[Secret, Field(min_length=8, max_length=1024)]


class NewAccount(Incoming):
    """A learner who signs up."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "username": "Ada",
                    "email": "ada@example.org",
                    "password": "correct horse battery",
                    "primary_language": "en",
                    "target_languages": ["fr", "ja"],
                }
            ]
        }
    )

    username: Annotated[
        str,
        Field(min_length=1, max_length=64, pattern=rf"^[^{_CONTROLS}]*[^\s{_CONTROLS}][^{_CONTROLS}]*$", repr=False),
    ]
    email: Email
    password: Password
    primary_language: Language
    target_languages: Annotated[list[Language], Field(default_factory=list, max_length=16)]


class Account(Outgoing):
    """A new account. The recovery code is shown once: with it, a forgotten password costs nothing."""

    user_id: str
    primary_language: str
    target_languages: list[str]
    recovery_code: Annotated[str, Field(repr=False)]


class Recovery(Incoming):
    """A forgotten password is replaced with the recovery code."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "email": "ada@example.org",
                    "recovery_code": "the code that was shown at sign-up",
                    "new_password": "another horse battery",
                }
            ]
        }
    )

    email: Email
    recovery_code: Annotated[Secret, Field(min_length=1, max_length=128)]
    new_password: Password


class Recovered(Outgoing):
    """The account has its new password; every open session of it was ended."""

    user_id: str
    sessions_ended: int


class ExportedSession(Outgoing):
    """That a session happened."""

    session_id: str
    state: str
    end_reason: str | None
    opened_at: datetime
    ended_at: datetime | None


class ExportedDocument(Outgoing):
    """That a document was there."""

    document_id: str
    session_id: str
    file_type: str | None
    bytes: int
    pages: int
    ocr_pages: int
    chunks: int
    attachments: int
    language: str | None
    status: str
    error: str | None
    uploaded_at: datetime
    filename: Annotated[str | None, Field(repr=False)]
    source_link: Annotated[str | None, Field(repr=False)]


class Export(Outgoing):
    """Everything durable about an account; a name whose seal the learner's key does not fit is null."""

    user_id: str
    username: Annotated[str | None, Field(repr=False)]
    email: Annotated[str | None, Field(repr=False)]
    primary_language: str
    target_languages: list[str]
    created_on: date
    sessions: list[ExportedSession]
    documents: list[ExportedDocument]
    receipts: list[Receipt]
