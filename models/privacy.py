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
        "erasure_asked_at": Column("when its erasure began, so that it is finished whatever happens", "time"),
    },
    "sessions": {
        "session_id": Column("names the session in other rows and in its receipt", "id"),
        "user_id": Column("whose session it is", "id"),
        "node_id": Column("which machine holds it; random", "id"),
        "host_instance": Column("which run of that machine's host holds it; random", "id"),
        "token_hash": Column("finds the session of a bearer token; SHA-256 of 256 random bits", "hash", _SESSION),
        "receipt_id": Column("what its receipt is called, from its first entry in the log on", "id"),
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
        "commitment": Column("lets its learner show that a receipt is about it; SHA-256 with a nonce of his", "hash"),
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
    "conversations": {
        "conversation_id": Column("names the conversation", "id"),
        "user_id": Column("whose conversation it was", "id"),
        "session_id": Column("in which session", "id"),
        "scenario_id": Column("which predefined scenario it followed", "id"),
        "topic": Column("what it was about, one of twelve words", "enum"),
        "target_language": Column("the language that was practised; ISO 639-1", "enum"),
        "started_on": Column("the learner's own day it started on", "time"),
        "start_time": Column("when it started", "time"),
        "end_time": Column("when it ended", "time"),
        "duration_seconds": Column("how long it lasted", "count"),
        "total_ai_tokens_used": Column("how many tokens the tutor's models used", "count"),
        "estimated_cost": Column("what that cost, in ten-thousandths", "money"),
    },
    "api_usage_log": {
        "user_id": Column("whose tutor asked", "id"),
        "usage_id": Column("names the request, so that it counts once; hex digits", "id"),
        "conversation_id": Column("in which conversation", "id"),
        "service_name": Column("what kind of service, one of ten words", "enum"),
        "tokens": Column("how many tokens it used", "count"),
        "duration_ms": Column("how long it took", "count"),
        "cost": Column("what it cost, in millionths", "money"),
        "used_on": Column("the day (UTC) it is counted on", "time"),
        "created_at": Column("when it was recorded", "time"),
    },
    "usage_months": {
        "user_id": Column("whose month it is", "id"),
        "month": Column("year and month (UTC)", "time"),
        "requests": Column("how many requests it had", "count"),
        "tokens": Column("their tokens", "count"),
        "cost": Column("their cost, in millionths", "money"),
    },
    "usage_budgets": {
        "user_id": Column("whose budget it is", "id"),
        "monthly_limit": Column("what he allows a month, in millionths", "money"),
        "warn_percent": Column("when it counts as nearly used up", "count"),
    },
    "erased_usage": {
        "month": Column("year and month (UTC)", "time", _KEPT),
        "cost": Column("what all accounts erased by now had spent in it, in one sum", "money", _KEPT),
    },
    "activity_events": {
        "user_id": Column("who did it", "id"),
        "event_id": Column("names the event, so that it counts once; hex digits", "id"),
        "kind": Column("what kind of activity, one of four words", "enum"),
        "language": Column("the language that was practised; ISO 639-1", "enum"),
        "topic": Column("what it was about, one of twelve words", "enum"),
        "day": Column("the learner's own day it happened on", "time"),
        "occurred_at": Column("when it happened", "time"),
    },
    "activity_days": {
        "user_id": Column("who practised", "id"),
        "day": Column("the learner's own day", "time"),
        "starts_at": Column("when that day began where he was", "time"),
        "ends_at": Column("when it ended there", "time"),
    },
    "learner_clocks": {
        "user_id": Column("whose clock it is", "id"),
        "time_zone": Column("where his latest event happened; a name of the IANA time zone database", "enum"),
        "set_at": Column("when that was", "time"),
    },
    "feedback": {
        "feedback_id": Column("names the judgement", "id"),
        "user_id": Column("who was judged", "id"),
        "session_id": Column("in which session", "id"),
        "conversation_id": Column("in which conversation", "id"),
        "feedback_type": Column("what was judged, one of six words", "enum"),
        "score": Column("how well it was, in thousandths", "count"),
        "sealed_suggestions": Column("what the tutor suggests; opens with the learner key", "sealed"),
        "given_on": Column("the day (UTC) it is counted on", "time"),
        "created_at": Column("when it was given", "time"),
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
    "receipt_key_successions": {
        "new": Column("the public key that took over", "hash", _KEPT),
        "old": Column("the public key it took over from", "hash", _KEPT),
        "signed_by_old": Column("Ed25519 over both", "signature", _KEPT),
        "signed_by_new": Column("Ed25519 over both", "signature", _KEPT),
    },
    "receipt_log_head": {
        "origin": Column("names the log; random", "id", _KEPT),
        "size": Column("how many entries it has", "count", _KEPT),
    },
    "receipt_log": {
        "seq": Column("the entry's place", "count", _KEPT),
        "kind": Column("start or end", "enum", _KEPT),
        "receipt": Column("a hash of the receipt's random id", "hash", _KEPT),
        "leaf": Column("hashes, magnitudes, closed words and times to five minutes, as published", "statement", _KEPT),
        "ended_by": Column("the place of the end that belongs to a start", "count", _KEPT),
    },
    "receipt_log_nodes": {
        "level": Column("how high in the tree", "count", _KEPT),
        "position": Column("how far to the right", "count", _KEPT),
        "hash": Column("SHA-256 over entries", "hash", _KEPT),
    },
}
