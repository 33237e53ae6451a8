"""What a receipt says, and the one way it is written down.

A statement is made of ids, counts, closed words and whole milliseconds. It has one canonical form, JSON with sorted
keys, no blanks and no floats, and the signature is over exactly these bytes.
"""

from typing import Literal

import msgspec

from models.vocabulary import EndReason, ReceiptKind

StepResult = Literal["done", "nothing_to_do", "part_is_down", "unknown"]
# Where a purge looks for its session's tracer, and why it did not look there.
TracedPlace = Literal["quarantine", "runtime", "temporary", "record", "log", "log_tail", "embedder_memory"]
NotSearched = Literal["tracer_unknown", "later", "no_file", "on_a_server", "too_large", "unreadable"]


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step of a deletion, what came of it, and its duration in milliseconds.

    ``part_is_down``: the process that would have held something was not running, so its memory was gone already.
    ``unknown``: the part did not answer in time, which only ``count`` may shrug at: its figures are then the record's.
    """

    name: str
    result: StepResult
    duration_ms: int


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was deleted, why, in which steps. Times are UTC to the minute.

    ``rows_by_table`` is on erasures only, and on none that an older version signed: what is unset is not written down.
    ``session_id`` is empty on an erasure: nothing in it leads back to the account. ``commitments``, on purges only, is
    the root (RFC 6962) over the salted hashes of the documents, in the order of bytes.

    ``searched``, on purges only, is how often the session's tracer was found in each place that was searched for it,
    ``not_searched`` why another place was not, and ``residue_found`` the sum; it is unset when no place was searched.
    """

    version: Literal[1] = 1
    receipt_id: str
    kind: ReceiptKind
    session_id: str
    reason: EndReason
    documents_purged: int
    pages_purged: int
    chunks_purged: int
    bytes_purged: int
    rows_erased: int
    rows_by_table: dict[str, int] | msgspec.UnsetType = msgspec.UNSET
    commitments: str | msgspec.UnsetType = msgspec.UNSET
    residue_found: int | msgspec.UnsetType = msgspec.UNSET
    searched: dict[TracedPlace, int] | msgspec.UnsetType = msgspec.UNSET
    not_searched: dict[TracedPlace, NotSearched] | msgspec.UnsetType = msgspec.UNSET
    verified: tuple[str, ...]
    steps: tuple[Step, ...]
    opened_at: str
    ended_at: str
    software: str


def residue(statement: Statement) -> int:
    """Return how often a session's tracer was found after its end; 0 also when nobody looked."""
    found = statement.residue_found
    return 0 if isinstance(found, msgspec.UnsetType) else found


def canonical(statement: Statement) -> bytes:
    """Return the bytes that are signed."""
    return msgspec.json.encode(statement, order="sorted")


def parse(data: bytes) -> Statement:
    """Read a statement back. Raises ``msgspec.DecodeError`` when it is none."""
    return msgspec.json.decode(data, type=Statement)
