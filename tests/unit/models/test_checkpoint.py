"""Checkpoints against the form that other logs and witnesses have, and against forgers."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tlog_scales import signing as theirs
from tlog_scales.tlog import Checkpoint as TheirCheckpoint

from models.receipts.checkpoint import Checkpoint, CheckpointInvalid, note, read, verifier_key
from models.receipts.merkle import leaf_hash
from models.receipts.signing import Signer

KEY = bytes(range(32))
SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(KEY))
CHECKPOINT = Checkpoint("mayfly-log/0123456789abcdef0123456789abcdef", 20_852_163, leaf_hash(b"an entry"))
NOTE = SIGNER.sign_checkpoint(CHECKPOINT)


def is_accepted(text: str, public_key: bytes = SIGNER.public_key) -> bool:
    try:
        read(text, public_key)
    except CheckpointInvalid:
        return False
    return True


def test_a_checkpoint_reads_back():
    assert read(NOTE, SIGNER.public_key) == CHECKPOINT
    assert NOTE.splitlines()[:4] == [CHECKPOINT.origin, "20852163", base64.b64encode(CHECKPOINT.root).decode(), ""]


def test_another_implementation_writes_the_same_note_and_key():
    signer = theirs.PlainEd25519Signer(CHECKPOINT.origin, KEY)
    checkpoint = TheirCheckpoint(CHECKPOINT.origin, CHECKPOINT.size, CHECKPOINT.root, [])

    assert f"{checkpoint.serialize_body()}\n{signer.sign(checkpoint).serialize()}\n" == NOTE
    assert str(signer.vkey.serialize()) == verifier_key(CHECKPOINT.origin, SIGNER.public_key)


def test_every_flipped_bit_of_a_checkpoint_is_noticed():
    data = NOTE.encode()
    assert is_accepted(NOTE)

    for place in range(len(data)):
        for bit in range(8):
            changed = data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
            assert not is_accepted(changed.decode(errors="replace")), (place, bit)


def test_another_key_and_no_key_are_refused():
    assert not is_accepted(NOTE, Signer(Ed25519PrivateKey.generate()).public_key)
    assert not is_accepted(NOTE, b"")


def test_a_witness_may_sign_below_and_is_passed_over():
    witness = Signer(Ed25519PrivateKey.generate())
    text = CHECKPOINT.text().encode()
    signed = note(CHECKPOINT, witness.public_key, witness._key.private.sign(text)).splitlines()[-1]

    assert read(f"{NOTE}{signed}\n", SIGNER.public_key) == CHECKPOINT
    assert is_accepted(f"{NOTE}{signed}\n", witness.public_key)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "origin\n",
        "origin\n1\n",
        "origin\n01\n{root}\n",
        "origin\n-1\n{root}\n",
        "origin\n1\nAAAA\n",
        "a b\n1\n{root}\n",
    ],
)
def test_what_is_signed_and_no_checkpoint_is_refused(body: str):
    text = body.format(root=base64.b64encode(CHECKPOINT.root).decode())
    signed = note(CHECKPOINT, SIGNER.public_key, SIGNER._key.private.sign(text.encode())).splitlines()[-1]

    assert not is_accepted(f"{text}\n{signed}\n")


@given(st.text(max_size=200))
def test_what_is_no_checkpoint_is_called_invalid_and_nothing_else(text: str):
    assert not is_accepted(text)
