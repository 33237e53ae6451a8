"""Checking receipts from outside: with a receipt's JSON and the published key, and nothing else of the service."""

from typing import Annotated, Any

import msgspec

from models.receipts.signing import ReceiptInvalid, from_json, verify


class PublishedKey(msgspec.Struct, frozen=True):
    """The answer of ``GET /v1/receipts/key``: an Ed25519 public key as 64 hex digits."""

    public_key: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    key_id: str = ""
    algorithm: str = "Ed25519"


def is_valid(receipt: bytes | dict[str, Any], key: PublishedKey) -> bool:
    """Say whether ``key`` signed this receipt and nothing in it was changed; what is no receipt is not valid."""
    try:
        verify(from_json(receipt), bytes.fromhex(key.public_key))
    except ReceiptInvalid:
        return False
    return True
