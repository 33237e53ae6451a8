"""One key of receipts after another: each new one is announced by a statement that it and its predecessor sign.

So whoever trusts one key of the deployment can go on to the others, forwards and back, without trusting anybody else.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import keyfile
from models.database import Database
from models.receipts.tables import KeySuccession

_CONTEXT = b"mayfly receipt key 1\n"

PublicKey = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Signature = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{128}$")]


class Succession(msgspec.Struct, frozen=True, kw_only=True):
    """The key ``new`` took over from ``old``; both signed ``mayfly receipt key 1``, a newline, old, a newline, new."""

    old: PublicKey
    new: PublicKey
    signed_by_old: Signature
    signed_by_new: Signature

    @property
    def holds(self) -> bool:
        """Whether both signatures are right."""
        message = _message(self.old, self.new)
        try:
            for key, signature in ((self.old, self.signed_by_old), (self.new, self.signed_by_new)):
                Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), message)
        except (InvalidSignature, ValueError):
            return False
        return True


def rotate(database: Database, file: Path) -> Succession:
    """Put a new key in the place of the one in ``file``; fronts take it with their next signature.

    The succession is written down first: a rotation that breaks off leaves the old key, and nothing that needs the new.
    Raises ``models.keyfile.KeyFileRefused`` when there is no key to rotate, or it is no key.
    """
    if not file.exists():
        raise keyfile.KeyFileRefused(f"{file.name} is not there")
    old, new = _read(file), Ed25519PrivateKey.generate()
    succession = _succession(old, new)
    with database.transaction() as db:
        db.add(
            KeySuccession(
                new=succession.new,
                old=succession.old,
                signed_by_old=bytes.fromhex(succession.signed_by_old),
                signed_by_new=bytes.fromhex(succession.signed_by_new),
            )
        )
    keyfile.replace(file, new.private_bytes_raw())
    return succession


def successions(db: Session) -> tuple[Succession, ...]:
    """Return every succession of keys that was written down."""
    return tuple(
        Succession(
            old=row.old, new=row.new, signed_by_old=row.signed_by_old.hex(), signed_by_new=row.signed_by_new.hex()
        )
        for row in db.scalars(select(KeySuccession))
    )


def trusted(key: bytes, untrusted: Sequence[Succession]) -> list[bytes]:
    """Return the key that is trusted, first, and all that it leads to by successions that hold."""
    found, left = [key.hex()], [one for one in untrusted if one.holds]
    for known in found:
        found += [other for one in left for other in _other(one, known) if other not in found]
    return [bytes.fromhex(one) for one in found]


def _other(succession: Succession, known: str) -> list[str]:
    if known == succession.old:
        return [succession.new]
    return [succession.old] if known == succession.new else []


def _succession(old: Ed25519PrivateKey, new: Ed25519PrivateKey) -> Succession:
    names = [key.public_key().public_bytes_raw().hex() for key in (old, new)]
    message = _message(*names)
    return Succession(
        old=names[0], new=names[1], signed_by_old=old.sign(message).hex(), signed_by_new=new.sign(message).hex()
    )


def _message(old: str, new: str) -> bytes:
    return _CONTEXT + f"{old}\n{new}".encode()


def _read(file: Path) -> Ed25519PrivateKey:
    raw = keyfile.load_or_create(file, lambda: b"")
    try:
        return Ed25519PrivateKey.from_private_bytes(raw)
    except ValueError as error:
        raise keyfile.KeyFileRefused(f"{file.name} must be 32 bytes") from error
