"""The data map: what every column of the record is for, what kind of thing it holds, and when it goes.

A test compares it with the tables, so a column cannot be added without being explained here. No kind of column holds a
learner's own words in the clear; ``ours`` are words of the program.
"""

from typing import Literal, NamedTuple

Kind = Literal["id", "enum", "count", "time", "hash", "sealed", "key", "signature", "statement", "money", "ours"]
Retention = Literal[
    "until the account is erased", "until the session ends", "kept: it leads back to nobody", "kept: it is about nobody"
]

_ACCOUNT: Retention = "until the account is erased"
_SESSION: Retention = "until the session ends"
_KEPT: Retention = "kept: it leads back to nobody"
_NOBODY: Retention = "kept: it is about nobody"


class Column(NamedTuple):
    """What one column is for. ``kind`` says what could be learnt from it by somebody who has the database alone."""

    purpose: str
    kind: Kind
    retention: Retention = _ACCOUNT


DATA_MAP: dict[str, dict[str, Column]] = {
    "users": {
        "user_id": Column("names the account in other rows", "id"),
        "email_hash": Column("finds the account at sign-in; HMAC under a key outside the database", "hash"),
        "username_hash": Column("keeps user names unique; HMAC under a key outside the database", "hash"),
        "sealed_username": Column("shows the learner his name; opens with the learner key", "sealed"),
        "sealed_email": Column("lets the learner export his address; opens with the learner key", "sealed"),
        "password_hash": Column("checks the password; argon2id", "hash"),
        "password_wrap": Column("the learner key, opened by the password", "key"),
        "recovery_wrap": Column("the learner key, opened by the recovery code", "key"),
        "primary_language": Column("the language to expect in documents; ISO 639-1", "enum"),
        "target_languages": Column("further languages to expect; ISO 639-1 codes", "enum"),
        "created_on": Column("the day of sign-up", "time"),
    },
    "sessions": {
        "session_id": Column("names the session in other rows and in its receipt", "id"),
        "user_id": Column("whose session it is", "id"),
        "node_id": Column("which machine holds it; random", "id"),
        "host_instance": Column("which run of that machine's host holds it; random", "id"),
        "token_hash": Column("finds the session of a bearer token; SHA-256 of 256 random bits", "hash", _SESSION),
        "state": Column("open, ending or ended", "enum"),
        "end_reason": Column("why it ended", "enum"),
        "idle_seconds": Column("its idle limit", "count"),
        "absolute_seconds": Column("its absolute limit", "count"),
        "opened_at": Column("when it began", "time"),
        "ending_at": Column("when it stopped to accept work", "time"),
        "ended_at": Column("when its purge was verified", "time"),
    },
    "uploaded_content_metadata": {
        "content_id": Column("names the document", "id"),
        "user_id": Column("whose document it was", "id"),
        "session_id": Column("in which session", "id"),
        "file_type": Column("its media type, one of those Mayfly reads, or other", "enum"),
        "bytes": Column("the size of the upload", "count"),
        "pages": Column("how many pages were read", "count"),
        "ocr_pages": Column("how many of them from pixels", "count"),
        "chunks": Column("how many chunks became searchable", "count"),
        "attachments": Column("how many attachments it came with, none of them opened", "count"),
        "language": Column("its language; ISO 639-1", "enum"),
        "processed_status": Column("how far it got", "enum"),
        "error_code": Column("why it failed; a slug of models.errors", "enum"),
        "upload_time": Column("when it was uploaded", "time"),
        "sealed_filename": Column("its name; opens with the learner key", "sealed"),
        "sealed_source_link": Column("where it came from; opens with the learner key", "sealed"),
    },
    "learning_scenarios": {
        "scenario_id": Column("names the scenario", "id", _NOBODY),
        "language": Column("the language it practises; ISO 639-1", "enum", _NOBODY),
        "level": Column("how hard it is; CEFR", "enum", _NOBODY),
        "topic": Column("what it is about", "enum", _NOBODY),
        "title": Column("what it is called, in its language", "ours", _NOBODY),
        "situation": Column("what is going on, in English", "ours", _NOBODY),
        "goals": Column("what to practise, in English, by line", "ours", _NOBODY),
    },
    "receipts": {
        "receipt_id": Column("finds the receipt", "id", _KEPT),
        "session_id": Column("keeps a session to one receipt", "id", _KEPT),
        "kind": Column("purge or erasure", "enum", _KEPT),
        "statement": Column("ids, counts, closed words and times to the minute, as signed", "statement", _KEPT),
        "key_id": Column("which key signed it", "hash", _KEPT),
        "signature": Column("Ed25519", "signature", _KEPT),
        "signed_at": Column("when it was signed", "time", _KEPT),
    },
}
