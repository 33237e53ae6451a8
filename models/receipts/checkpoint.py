"""Checkpoints: the size and root of the log, signed, in the form other logs use.

A checkpoint is a signed note: C2SP's tlog-checkpoint inside its signed-note, with Ed25519. So any tool for such logs,
and any witness, can check ours. Owns the text; keys come from ``models.receipts.signing``.
"""

import base64
import binascii
import hashlib
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from models.receipts.merkle import HASH_BYTES

_ED25519 = b"\x01"
_KEY_ID_BYTES = 4
_DASH = "— "


class CheckpointInvalid(ValueError):
    """The text is no checkpoint, or the key did not sign it."""


class Checkpoint(NamedTuple):
    """The log ``origin`` with its first ``size`` entries has this ``root`` (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return what is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def note(checkpoint: Checkpoint, public_key: bytes, signature: bytes) -> str:
    """Return the signed note; ``signature`` is that of ``Checkpoint.text``, the key's name is the origin."""
    signed = base64.b64encode(_key_id(checkpoint.origin, public_key) + signature).decode()
    return f"{checkpoint.text()}\n{_DASH}{checkpoint.origin} {signed}\n"


def verifier_key(origin: str, public_key: bytes) -> str:
    """Return a public key as tools for signed notes take it."""
    key = base64.b64encode(_ED25519 + public_key).decode()
    return f"{origin}+{_key_id(origin, public_key).hex()}+{key}"


def read(untrusted: str, *public_keys: bytes) -> Checkpoint:
    """Return the checkpoint that one of ``public_keys`` signed; lines of other keys are passed over.

    Raises ``CheckpointInvalid``.
    """
    text, parted, signatures = untrusted.rpartition("\n\n")
    if not parted or not signatures.endswith("\n"):
        raise CheckpointInvalid("this is no signed note")
    checkpoint = _parse(text + "\n")
    wanted = {_key_id(checkpoint.origin, key): key for key in public_keys}
    for line in signatures.removesuffix("\n").split("\n"):
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH):
            raise CheckpointInvalid("this is no signed note")
        signed = _decoded(encoded)
        key = wanted.get(signed[:_KEY_ID_BYTES])
        if name == checkpoint.origin and key is not None:
            _check(key, signed[_KEY_ID_BYTES:], text + "\n")
            return checkpoint
    raise CheckpointInvalid("this key did not sign it")


def _parse(text: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise CheckpointInvalid("this is no checkpoint")
    origin, size, root = lines[0], lines[1], _decoded(lines[2])
    is_number = size.isascii() and size.isdigit() and str(int(size)) == size
    if not origin or "+" in origin or origin.split() != [origin] or not is_number or len(root) != HASH_BYTES:
        raise CheckpointInvalid("this is no checkpoint")
    return Checkpoint(origin, int(size), root)


def _check(public_key: bytes, signature: bytes, text: str) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, text.encode())
    except (InvalidSignature, ValueError):
        raise CheckpointInvalid("it was changed") from None


def _decoded(encoded: str) -> bytes:
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise CheckpointInvalid("this is no checkpoint") from None
    if base64.b64encode(data).decode() != encoded:
        raise CheckpointInvalid("this is no checkpoint")  # Spare bits must not make two spellings of one hash.
    return data


def _key_id(name: str, public_key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:_KEY_ID_BYTES]
