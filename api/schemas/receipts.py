"""Receipts and the key that checks them."""

from collections.abc import Sequence
from typing import Literal, Self

import msgspec
from pydantic import SerializerFunctionWrapHandler, model_serializer

from api.schemas import Outgoing
from models.receipts import signing, statement
from models.receipts.log import Logged
from models.vocabulary import EndReason, ReceiptKind


class Step(Outgoing):
    """One step of a deletion and what came of it."""

    name: str
    result: statement.StepResult
    duration_ms: int


class Statement(Outgoing):
    """What was deleted, why, and in which steps; times are UTC to the minute."""

    version: Literal[1]
    receipt_id: str
    kind: ReceiptKind
    session_id: str
    reason: EndReason
    documents_purged: int
    pages_purged: int
    chunks_purged: int
    bytes_purged: int
    rows_erased: int
    rows_by_table: dict[str, int] | None = None
    commitments: str | None = None
    residue_found: int | None = None
    searched: dict[statement.TracedPlace, int] | None = None
    not_searched: dict[statement.TracedPlace, statement.NotSearched] | None = None
    verified: list[str]
    steps: list[Step]
    opened_at: str
    ended_at: str
    software: str

    @model_serializer(mode="wrap")
    def _only_what_was_signed(self, write: SerializerFunctionWrapHandler):
        written = write(self)
        return {name: value for name, value in written.items() if value is not None}


class Receipt(Outgoing):
    """A signed statement.

    The Ed25519 signature, in hex, covers ``mayfly receipt 1``, a newline, and the statement as JSON with sorted keys
    and no blanks.
    """

    statement: Statement
    key_id: str
    signature: str

    @classmethod
    def of(cls, receipt: signing.Receipt) -> Self:
        """Return the wire form of a receipt; nothing is added or left out, so that the signature still holds."""
        return cls.model_validate(msgspec.to_builtins(receipt))


class LogProof(Outgoing):
    """All that shows, without asking anybody, that an entry is in the log.

    Entry ``index`` is ``entry`` to the byte. ``hashes`` is its proof of inclusion (RFC 9162, 2.1.3), in hex, lowest
    first, in the log whose origin, size and root ``checkpoint`` has: a signed note (C2SP tlog-checkpoint).
    """

    index: int
    entry: str
    hashes: list[str]
    checkpoint: str

    @classmethod
    def of(cls, logged: Logged) -> Self:
        """Return the wire form of a proof."""
        return cls.model_validate(msgspec.to_builtins(logged))


class LoggedReceipt(Receipt):
    """A receipt with the proof that the public log has the end of its session; erasures are not in the log.

    ``commitments`` are those of the documents, in hex; the statement has their root. There are none when a receipt is
    asked for after its account was erased.
    """

    log: LogProof | None = None
    commitments: list[str]

    @classmethod
    def with_proof(cls, receipt: signing.Receipt, end: Logged | None, commitments: Sequence[bytes]) -> Self:
        """Return the wire form of a receipt, its proof, and what its documents were committed to."""
        proof = None if end is None else msgspec.to_builtins(end)
        more = {"log": proof, "commitments": [one.hex() for one in commitments]}
        return cls.model_validate(msgspec.to_builtins(receipt) | more)


class KeySuccession(Outgoing):
    """That key ``new`` took over from ``old``: both signed ``mayfly receipt key 1``, old and new, on a line each."""

    old: str
    new: str
    signed_by_old: str
    signed_by_new: str


class ReceiptKey(Outgoing):
    """The public key of this deployment's receipts, 32 bytes as hex, and how keys took over from one another."""

    key_id: str
    algorithm: Literal["Ed25519"] = "Ed25519"
    public_key: str
    successions: list[KeySuccession]
