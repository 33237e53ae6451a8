"""Signing receipts with Ed25519 and checking them.

Owns the signing key of this deployment. Anyone can check a receipt with the public key alone and RFC 8032: the message
is the line ``mayfly receipt 1``, a newline, and the statement's canonical JSON.
"""

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from models import keyfile
from models.errors import PartUnavailable
from models.receipts.checkpoint import Checkpoint, note
from models.receipts.statement import Statement, canonical

_CONTEXT = b"mayfly receipt 1\n"
_Kind = TypeVar("_Kind", bound=msgspec.Struct)


class ReceiptInvalid(ValueError):
    """The receipt is not what this key signed."""


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A statement and its signature (128 hex digits); ``key_id`` says by which key."""

    statement: Statement
    key_id: str
    signature: str


class KeyUnavailable(PartUnavailable):
    """The file of the signing key cannot be read. What has to be signed waits."""


@dataclass(frozen=True, slots=True)
class _Key:
    """A key, and by what it is seen that its file was exchanged."""

    private: Ed25519PrivateKey
    public: bytes
    stamp: tuple[int, int]


class Signer:
    """The signing key of this deployment; read again when its file is exchanged, which is how a key is rotated."""

    def __init__(self, private_key: Ed25519PrivateKey, file: Path | None = None) -> None:
        self._file = file
        self._key = _Key(private_key, private_key.public_key().public_bytes_raw(), (0, 0))

    @classmethod
    def load(cls, path: Path) -> "Signer":
        """Read the key file (32 raw bytes), or make it (mode 0600) on the first start.

        Raises ``models.keyfile.KeyFileRefused`` when others may read it or it has another size.
        """
        raw = keyfile.load_or_create(path, lambda: Ed25519PrivateKey.generate().private_bytes_raw())
        try:
            return cls(Ed25519PrivateKey.from_private_bytes(raw), path)
        except ValueError as error:
            raise keyfile.KeyFileRefused(f"{path.name} must be 32 bytes") from error

    @property
    def public_key(self) -> bytes:
        """The key that checks what is signed now (32 bytes); while its file cannot be read, what was signed last."""
        with contextlib.suppress(KeyUnavailable):
            return self._current().public
        return self._key.public

    @property
    def key_id(self) -> str:
        """The short name of that key."""
        return key_id(self.public_key)

    def sign_checkpoint(self, checkpoint: Checkpoint) -> str:
        """Return the signed note of a checkpoint. No receipt begins like one, so neither passes for the other.

        Raises ``KeyUnavailable``.
        """
        key = self._current()
        return note(checkpoint, key.public, key.private.sign(checkpoint.text().encode()))

    def sign(self, statement: Statement) -> Receipt:
        """Return the signed receipt. Raises ``KeyUnavailable``."""
        key = self._current()
        signature = key.private.sign(_CONTEXT + canonical(statement))
        return Receipt(statement=statement, key_id=key_id(key.public), signature=signature.hex())

    def sign_or_queue(self, statement: Statement) -> Receipt:
        """Return the signed receipt, or one that says it is not signed yet: a deletion does not wait for a key."""
        try:
            return self.sign(statement)
        except KeyUnavailable:
            return Receipt(statement=statement, key_id="", signature="")

    def _current(self) -> _Key:
        if self._file is None:
            return self._key
        try:
            seen = self._file.stat()
            stamp = (seen.st_ino, seen.st_mtime_ns)
            if stamp != self._key.stamp:
                private = Ed25519PrivateKey.from_private_bytes(self._file.read_bytes())
                self._key = _Key(private, private.public_key().public_bytes_raw(), stamp)
        except (OSError, ValueError) as error:
            raise KeyUnavailable(retry_after_seconds=5) from error
        return self._key


def key_id(public_key: bytes) -> str:
    """Return the short name of a public key: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def verify(receipt: Receipt, public_key: bytes) -> None:
    """Check a receipt against a public key (32 bytes). Raises ``ReceiptInvalid``."""
    try:
        signature = bytes.fromhex(receipt.signature)
        if signature.hex() != receipt.signature or receipt.key_id != key_id(public_key):
            raise ReceiptInvalid
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, _CONTEXT + canonical(receipt.statement))
    except (InvalidSignature, ValueError):
        raise ReceiptInvalid("the receipt was changed, or another key signed it") from None


def to_json(receipt: Receipt) -> bytes:
    """Return the receipt as canonical JSON."""
    return msgspec.json.encode(receipt, order="sorted")


def from_json(data: bytes | dict[str, Any], kind: type[_Kind]) -> _Kind:
    """Read a receipt, or a ``kind`` that holds one, from JSON or from what a JSON library made of it.

    Raises ``ReceiptInvalid``.
    """
    try:
        if isinstance(data, dict):
            return msgspec.convert(data, type=kind)
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ReceiptInvalid("this is not a receipt") from None
