"""A statement of a purge, for tests that care for some of its words only."""

import msgspec

from models.receipts.statement import Statement, Step

_PURGE = Statement(
    receipt_id="r",
    kind="purge",
    session_id="s",
    reason="sign_out",
    documents_purged=1,
    pages_purged=2,
    chunks_purged=3,
    bytes_purged=4,
    rows_erased=0,
    verified=("token_dead",),
    steps=(Step("kill_session", "done", 7),),
    opened_at="2026-11-21T12:00Z",
    ended_at="2026-11-21T12:00Z",
    software="mayfly",
)


def purge_statement(**changes: str) -> Statement:
    """Return one whose words are changed as given."""
    return msgspec.structs.replace(_PURGE, **changes)
