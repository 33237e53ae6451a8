"""Sessions and their entries in the log, through purges that go well and purges that do not."""

import os
import signal

import pytest
from sqlalchemy import delete

from models.accounts.tables import User
from models.errors import PartUnavailable
from models.receipts import checkpoint, entries, log, merkle
from models.receipts.entries import End, Start
from models.receipts.signing import Receipt
from sessions.purge import purge
from sessions.sweep import sweep
from tests.support.hosting import wait_until
from tests.support.purging import SIGNER, World


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
