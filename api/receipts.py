"""Checking receipts from outside: with a receipt's JSON and the published key, and nothing else of the service."""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from models.receipts import checkpoint, entries, merkle
from models.receipts.keys import Succession, trusted
from models.receipts.log import Logged
from models.receipts.signing import Receipt, ReceiptInvalid, from_json, key_id, verify
from models.receipts.statement import Statement, residue


class PublishedKey(msgspec.Struct, frozen=True):
    """The answer of ``GET /v1/receipts/key``: an Ed25519 public key as 64 hex digits, and what keys it is tied to."""

    public_key: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    key_id: str = ""
    algorithm: str = "Ed25519"
    successions: tuple[Succession, ...] = ()

    @property
    def trusted(self) -> list[bytes]:
        """This key and all that it leads to."""
        return trusted(bytes.fromhex(self.public_key), self.successions)


class LoggedReceipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What sign-out answers with: a receipt, and the proof that the log has the end of its session."""

    statement: Statement
    key_id: str
    signature: str
    log: Logged | None = None
    commitments: tuple[str, ...] = ()

    @property
    def receipt(self) -> Receipt:
        """The receipt alone."""
        return Receipt(statement=self.statement, key_id=self.key_id, signature=self.signature)


class Place(msgspec.Struct, frozen=True):
    """Where in which log the end of a receipt's session is."""

    origin: str
    index: int
    size: int


def is_valid(receipt: bytes | dict[str, Any], key: PublishedKey) -> bool:
    """Say whether all of it is genuine and unchanged; what is no receipt is not valid."""
    try:
        check(receipt, key)
    except ReceiptInvalid:
        return False
    return True


def check(untrusted: bytes | dict[str, Any], key: PublishedKey) -> Place | None:
    """Check a receipt and, if it came with one, the proof that the log has its end; return where.

    Raises ``ReceiptInvalid`` when anything in it is not what the holder of ``key``, or of one it leads to, signed.
    """
    found, keys = from_json(untrusted, LoggedReceipt), key.trusted
    if not found.signature:
        raise ReceiptInvalid("it is not signed yet: ask for it again")
    verify(found.receipt, next((one for one in keys if key_id(one) == found.key_id), keys[0]))
    _check_commitments(found)
    return None if found.log is None else _check_log(found.statement, found.log, keys)


def says_of_residue(untrusted: bytes | dict[str, Any]) -> tuple[int, str]:
    """Return how often a receipt's purge found its session's tracer, and in words where it looked and where not.

    There are no words for a receipt that says nothing of a search.
    Raises ``ReceiptInvalid`` for what is no receipt.
    """
    statement = from_json(untrusted, LoggedReceipt).statement
    searched, not_searched = statement.searched, statement.not_searched
    if isinstance(searched, msgspec.UnsetType) or isinstance(not_searched, msgspec.UnsetType):
        return 0, ""
    looked = ", ".join(f"{place} {count}" for place, count in searched.items())
    passed = ", ".join(f"{place} ({reason})" for place, reason in not_searched.items())
    said = [f"The tracer was found so often: {looked}."] if looked else []
    return residue(statement), " ".join([*said, *([f"Not searched: {passed}."] if passed else [])])


def is_about(untrusted: bytes, document: bytes, nonce: str) -> bool:
    """Say whether a receipt that was checked is about a document: ``nonce`` is what its upload was answered with."""
    try:
        commitment = hashlib.sha256(bytes.fromhex(nonce) + document).hexdigest()
    except ValueError:
        return False
    return commitment in from_json(untrusted, LoggedReceipt).commitments


def _check_commitments(found: LoggedReceipt) -> None:
    if not found.commitments:
        return  # They are not there for an erased account; then nothing can be opened, and nothing is claimed.
    try:
        root = entries.root_of([_hash(one) for one in found.commitments])
    except ValueError:
        root = ""
    if root != found.statement.commitments or list(found.commitments) != sorted(found.commitments):
        raise ReceiptInvalid("the commitments are not those of its session")


def _check_log(statement: Statement, logged: Logged, keys: Sequence[bytes]) -> Place:
    """Check that this very statement ends its session in the log. Raises ``ReceiptInvalid``."""
    try:
        if entries.written(entries.end(statement)) != logged.entry.encode():
            raise ReceiptInvalid("the log's entry is about another receipt")
        log = checkpoint.read(logged.checkpoint, *keys)
        leaf = merkle.leaf_hash(logged.entry.encode())
        merkle.check_inclusion(leaf, logged.index, log.size, [_hash(one) for one in logged.hashes], log.root)
    except (merkle.ProofInvalid, checkpoint.CheckpointInvalid, ValueError):
        raise ReceiptInvalid("the log does not have the end of its session") from None
    return Place(log.origin, logged.index, log.size)


def _hash(spelled: str) -> bytes:
    value = bytes.fromhex(spelled)
    if value.hex() != spelled or len(value) != merkle.HASH_BYTES:
        raise merkle.ProofInvalid
    return value
