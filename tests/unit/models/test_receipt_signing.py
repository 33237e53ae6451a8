import json
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from models.keyfile import KeyFileRefused
from models.receipts import entries
from models.receipts.signing import Receipt, ReceiptInvalid, Signer, from_json, key_id, to_json, verify
from models.receipts.statement import Statement, Step, canonical, parse

STATEMENT = Statement(
    receipt_id="0" * 32,
    kind="purge",
    session_id="1" * 32,
    reason="sign_out",
    documents_purged=2,
    pages_purged=12,
    chunks_purged=48,
    bytes_purged=123_456,
    rows_erased=0,
    verified=("session_process_gone", "quarantine_gone"),
    steps=(Step("refuse_new_work", "done", 3), Step("kill_session", "done", 7)),
    opened_at="2026-11-21T03:45Z",
    ended_at="2026-11-21T04:12Z",
    software="mayfly 0.1.0",
)


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer(Ed25519PrivateKey.generate())


@pytest.fixture(scope="module")
def receipt(signer: Signer) -> Receipt:
    return signer.sign(STATEMENT)


def is_accepted(data: bytes, signer: Signer) -> bool:
    try:
        verify(from_json(data, Receipt), signer.public_key)
    except ReceiptInvalid:
        return False
    return True


def test_a_receipt_verifies_with_the_public_key_alone(signer: Signer, receipt: Receipt):
    verify(receipt, signer.public_key)
    assert is_accepted(to_json(receipt), signer)
    assert is_accepted(json.dumps(json.loads(to_json(receipt)), indent=2).encode(), signer), "as a person would keep it"


def test_a_receipt_can_be_checked_without_our_code(signer: Signer, receipt: Receipt):
    document = json.loads(to_json(receipt))

    statement = json.dumps(document["statement"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    message = b"mayfly receipt 1\n" + statement.encode()

    Ed25519PublicKey.from_public_bytes(signer.public_key).verify(bytes.fromhex(document["signature"]), message)


def test_every_flipped_bit_of_a_receipt_is_noticed(signer: Signer, receipt: Receipt):
    data = to_json(receipt)
    assert is_accepted(data, signer)

    accepted = [
        (place, bit)
        for place in range(len(data))
        for bit in range(8)
        if is_accepted(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :], signer)
    ]

    assert accepted == []


def test_every_flipped_byte_of_the_signature_is_noticed(signer: Signer, receipt: Receipt):
    signature = bytes.fromhex(receipt.signature)
    for place in range(len(signature)):
        changed = signature[:place] + bytes([signature[place] ^ 0xFF]) + signature[place + 1 :]
        with pytest.raises(ReceiptInvalid):
            verify(msgspec.structs.replace(receipt, signature=changed.hex()), signer.public_key)


@pytest.mark.parametrize("field", Statement.__struct_fields__)
def test_no_field_can_be_exchanged(signer: Signer, receipt: Receipt, field: str):
    document = json.loads(to_json(receipt))
    value = document["statement"].get(field, {})
    shorter = {"users": 1} if isinstance(value, dict) else value[:-1] if not isinstance(value, int) else value + 1
    document["statement"][field] = shorter

    assert not is_accepted(json.dumps(document).encode(), signer)


def test_a_receipt_without_rows_by_table_is_written_as_it_was_before_there_were_any(receipt: Receipt):
    counted = msgspec.structs.replace(STATEMENT, rows_by_table={"users": 1})

    assert "rows_by_table" not in json.loads(to_json(receipt))["statement"]
    assert b'"rows_by_table":{"users":1}' in canonical(counted)
    assert parse(canonical(counted)) == counted


def test_a_receipt_of_before_there_were_tracers_is_written_as_it_was_and_verifies(receipt: Receipt, signer: Signer):
    searched = msgspec.structs.replace(
        STATEMENT, residue_found=2, searched={"log": 2, "record": 0}, not_searched={"temporary": "too_large"}
    )

    assert not {"residue_found", "searched", "not_searched"} & json.loads(to_json(receipt))["statement"].keys()
    assert "residue" not in json.loads(entries.written(entries.end(STATEMENT)))
    verify(from_json(to_json(receipt), Receipt), signer.public_key)
    assert b'"searched":{"log":2,"record":0}' in canonical(searched)
    assert parse(canonical(searched)) == searched
    assert json.loads(entries.written(entries.end(searched)))["residue"] == 2


def test_nothing_can_be_added(signer: Signer, receipt: Receipt):
    document = json.loads(to_json(receipt))
    document["statement"]["note"] = "all is well"

    assert not is_accepted(json.dumps(document).encode(), signer)


def test_the_signature_has_one_spelling(signer: Signer, receipt: Receipt):
    spaced = " ".join(receipt.signature[place : place + 2] for place in range(0, 128, 2))
    for spelling in (receipt.signature.upper(), spaced):
        assert bytes.fromhex(spelling) == bytes.fromhex(receipt.signature)
        with pytest.raises(ReceiptInvalid):
            verify(msgspec.structs.replace(receipt, signature=spelling), signer.public_key)


def test_another_key_is_refused_also_under_the_same_name(receipt: Receipt):
    other = Signer(Ed25519PrivateKey.generate())
    with pytest.raises(ReceiptInvalid):
        verify(receipt, other.public_key)
    with pytest.raises(ReceiptInvalid):
        verify(msgspec.structs.replace(receipt, key_id=other.key_id), other.public_key)


@pytest.mark.parametrize("key", [b"", b"short", bytes(33)])
def test_what_is_no_key_verifies_nothing(receipt: Receipt, key: bytes):
    with pytest.raises(ReceiptInvalid):
        verify(msgspec.structs.replace(receipt, key_id=key_id(key)), key)


@given(st.binary(max_size=200))
def test_what_is_no_receipt_is_called_invalid_and_nothing_else(data: bytes):
    with pytest.raises(ReceiptInvalid):
        from_json(data, Receipt)


@given(
    st.builds(
        Statement,
        receipt_id=st.text(max_size=40),
        kind=st.sampled_from(["purge", "erasure"]),
        session_id=st.text(max_size=40),
        reason=st.sampled_from(["sign_out", "crash"]),
        documents_purged=st.integers(0, 2**53),
        pages_purged=st.integers(0, 2**53),
        chunks_purged=st.integers(0, 2**53),
        bytes_purged=st.integers(0, 2**53),
        rows_erased=st.integers(0, 2**53),
        verified=st.tuples(st.text(max_size=10)),
        steps=st.lists(st.builds(Step, st.text(max_size=9), st.just("done"), st.integers(0, 9)), max_size=4).map(tuple),
        opened_at=st.text(max_size=20),
        ended_at=st.text(max_size=20),
        software=st.text(max_size=20),
    )
)
def test_the_canonical_form_is_the_plain_sorted_json_and_reads_back(statement: Statement):
    written = canonical(statement)

    assert parse(written) == statement
    assert canonical(parse(written)) == written
    plain = json.dumps(json.loads(written), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert json.loads(plain) == json.loads(written)


def test_a_receipt_is_small_and_holds_no_fraction(receipt: Receipt):
    assert len(to_json(receipt)) < 2048
    assert b"." not in canonical(STATEMENT).replace(b"0.1.0", b"")


def test_the_signing_key_is_made_once_and_private(tmp_path: Path):
    first = Signer.load(tmp_path / "keys" / "receipt.key")
    second = Signer.load(tmp_path / "keys" / "receipt.key")

    assert first.public_key == second.public_key
    assert (tmp_path / "keys" / "receipt.key").stat().st_mode & 0o777 == 0o600


def test_a_signing_key_of_the_wrong_size_is_refused(tmp_path: Path):
    file = tmp_path / "receipt.key"
    file.write_bytes(b"too short")
    file.chmod(0o600)

    with pytest.raises(KeyFileRefused):
        Signer.load(file)


def test_a_statement_cannot_be_changed_in_place():
    with pytest.raises(AttributeError):
        STATEMENT.reason = "crash"  # pyright: ignore[reportAttributeAccessIssue]  # That it cannot be set is the point.
