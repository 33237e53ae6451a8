"""Sessions and their entries in the log, through purges that go well and purges that do not."""

import dataclasses
import hashlib
import os
import signal
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, select

from api.receipts import PublishedKey, is_valid
from models.accounts.tables import User
from models.documents import service as documents
from models.errors import PartUnavailable
from models.keyfile import KeyFileRefused
from models.migrations.tables import metadata
from models.receipts import checkpoint, entries, keys, log, merkle
from models.receipts.entries import End, Start
from models.receipts.signing import Receipt, Signer, to_json, verify
from sessions.purge import purge
from sessions.sweep import sweep
from tests.support.hosting import wait_until
from tests.support.purging import SIGNER, TEXT, World


def logged(world: World) -> list[Start | End]:
    with world.database.transaction() as db:
        return [entries.read(leaf.encode()) for leaf in log.entries(db, 0)]


def assert_end_is_proven(world: World, receipt: Receipt) -> None:
    with world.database.transaction() as db:
        proof = log.prove(db, receipt.statement.receipt_id, "end", SIGNER.sign_checkpoint)
    signed = checkpoint.read(proof.checkpoint, SIGNER.public_key)
    assert proof.entry.encode() == entries.written(entries.end(receipt.statement))
    hashes = [bytes.fromhex(one) for one in proof.hashes]
    merkle.check_inclusion(merkle.leaf_hash(proof.entry.encode()), proof.index, signed.size, hashes, signed.root)


def test_a_session_has_a_start_from_its_opening_on_and_an_end_that_its_receipt_fits(world: World):
    session = world.open_with_document()
    (started,) = logged(world)
    assert isinstance(started, Start)
    assert started.key_commitment == session.key_commitment.hex()

    receipt = world.sign_out(session)

    _, ended = logged(world)
    assert isinstance(ended, End)
    assert started.receipt == ended.receipt == entries.name_of(receipt.statement.receipt_id)
    assert ended == entries.end(receipt.statement)
    assert_end_is_proven(world, receipt)


def test_purging_again_adds_no_second_end(world: World):
    session = world.open()
    world.sign_out(session)
    world.sign_out(session)
    purge(session.session_id, "crash", world.another_front())

    assert len(logged(world)) == 2


def test_a_crash_ends_in_the_log_with_its_reason_and_what_was_verified_after_the_fact(world: World):
    session = world.open_with_document()
    os.kill(session.pid, signal.SIGKILL)
    wait_until(session.is_gone)

    (receipt,) = sweep(world.parts).receipts

    _, ended = logged(world)
    assert isinstance(ended, End)
    assert ended.reason == "crash"
    assert (ended.steps["count"], ended.steps["kill_session"]) == ("nothing_to_do", "nothing_to_do")
    assert ended.verified == receipt.statement.verified
    assert_end_is_proven(world, receipt)


def test_an_account_that_is_erased_leaves_the_log_whole(world: World):
    receipt = world.sign_out(world.open())
    with world.database.transaction() as db:
        db.execute(delete(User))

    with world.database.transaction() as db:
        newest, leaves = log.head(db), [leaf.encode() for leaf in log.entries(db, 0)]
    assert merkle.root(newest.size, merkle.nodes_of(leaves)) == newest.root
    assert_end_is_proven(world, receipt)


def test_an_end_that_cannot_be_written_comes_with_the_next_sweep(world: World, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise PartUnavailable

    session = world.open_with_document()
    with monkeypatch.context() as patched:
        patched.setattr(log, "append", fail)
        with pytest.raises(PartUnavailable):
            world.sign_out(session)
    assert session.is_gone(), "deleted all the same"
    assert (len(logged(world)), world.receipts()) == (1, 0)

    (receipt,) = sweep(world.parts).receipts

    assert len(logged(world)) == 2
    assert_end_is_proven(world, receipt)


def test_a_receipt_is_bound_to_the_documents_of_its_session_and_to_no_others(world: World):
    session = world.open_with_document()
    (state,) = session.client.documents()
    commitment = hashlib.sha256(state.nonce + TEXT[1]).digest()
    assert state.commitment == commitment
    with world.database.transaction() as db:
        assert documents.commitments(db, session.session_id) == [commitment]

    receipt = world.sign_out(session)

    assert receipt.statement.commitments == entries.root_of([commitment])
    assert receipt.statement.commitments != world.sign_out(world.open()).statement.commitments


def test_a_nonce_is_in_no_row_and_the_same_file_is_committed_to_differently_each_time(world: World):
    session = world.open()
    world.upload(session)
    world.upload(session)
    first, second = session.client.documents()
    assert first.commitment != second.commitment
    world.sign_out(session)

    with world.database.transaction() as db:
        rows = [str(row) for table in metadata.sorted_tables for row in db.execute(select(table))]
    assert first.commitment is not None
    assert any(first.commitment.hex() in row for row in rows), "the commitment is there, so the nonce could be too"
    plain = hashlib.sha256(TEXT[1]).hexdigest()
    assert not [row for row in rows if first.nonce.hex() in row or str(first.nonce) in row or plain in row]


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "receipt-key"


def test_a_purge_whose_key_is_gone_deletes_all_the_same_and_is_signed_when_the_key_is_back(
    world: World, key_file: Path
):
    signer = Signer.load(key_file)
    parts = dataclasses.replace(world.parts, signer=signer)
    verify(purge(world.open().session_id, "sign_out", parts), signer.public_key)
    session, kept = world.open_with_document(), key_file.rename(key_file.with_name("lost"))

    unsigned = purge(session.session_id, "sign_out", parts)

    assert session.is_gone()
    assert (unsigned.signature, unsigned.statement.documents_purged) == ("", 1)
    assert world.row(session.session_id).state == "ended"
    assert len(logged(world)) == 4, "its end is in the log already"
    sweep(parts)
    assert purge(session.session_id, "sign_out", parts) == unsigned

    kept.rename(key_file)
    sweep(parts)

    signed = purge(session.session_id, "sign_out", parts)
    verify(signed, signer.public_key)
    assert signed.statement == unsigned.statement


def test_a_rotated_key_signs_the_next_receipt_and_whoever_trusts_either_can_check_both(world: World, key_file: Path):
    signer = Signer.load(key_file)
    parts = dataclasses.replace(world.parts, signer=signer)
    before, old = purge(world.open().session_id, "sign_out", parts), signer.public_key

    keys.rotate(world.database, key_file)
    after = purge(world.open().session_id, "sign_out", parts)

    assert signer.public_key != old
    assert key_file.stat().st_mode & 0o777 == 0o600
    with world.database.transaction() as db:
        found = keys.successions(db)
    for key in (old, signer.public_key):
        published = PublishedKey(key.hex(), successions=found)
        assert is_valid(to_json(before), published)
        assert is_valid(to_json(after), published)
    assert not is_valid(to_json(after), PublishedKey(old.hex())), "nothing but the succession ties them"


def test_a_succession_that_both_keys_did_not_sign_leads_nowhere(world: World, key_file: Path):
    old = Signer.load(key_file).public_key
    real = keys.rotate(world.database, key_file)
    stranger = Signer(Ed25519PrivateKey.generate()).public_key

    assert keys.trusted(old, [real]) == [old, bytes.fromhex(real.new)]
    for forged in (
        msgspec.structs.replace(real, new=stranger.hex()),
        msgspec.structs.replace(real, signed_by_old=real.signed_by_new),
        msgspec.structs.replace(real, signed_by_new=real.signed_by_old),
    ):
        assert keys.trusted(old, [forged]) == [old]
    assert keys.trusted(stranger, [real]) == [stranger]


def test_without_a_key_there_is_nothing_to_rotate(world: World, key_file: Path):
    with pytest.raises(KeyFileRefused):
        keys.rotate(world.database, key_file)
    assert not key_file.exists()
