"""Receipts with their proofs, and the whole log, as learners and auditors check them; and every way to cheat."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.audit import LogRefuted, audit
from api.receipts import LoggedReceipt, PublishedKey, check, is_valid
from models.receipts import entries, merkle
from models.receipts.checkpoint import Checkpoint
from models.receipts.entries import Entry
from models.receipts.log import Logged
from models.receipts.signing import ReceiptInvalid, Signer
from models.receipts.statement import Statement
from tests.support.statements import purge_statement

SIGNER = Signer(Ed25519PrivateKey.generate())
KEY = PublishedKey(SIGNER.public_key.hex())
ORIGIN = "mayfly-log/test"
LIFETIME = 3600
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def statement(name: str, *, ended: datetime = NOON + timedelta(minutes=30)) -> Statement:
    minute = ended.strftime("%Y-%m-%dT%H:%MZ")
    return purge_statement(receipt_id=name, session_id=f"session of {name}", ended_at=minute)


def started(name: str) -> Entry:
    return entries.start(receipt_id=name, key_commitment=bytes(32), lifetime_seconds=LIFETIME, opened_at=NOON)


def ended(name: str, *, after: timedelta = timedelta(minutes=30)) -> Entry:
    return entries.end(statement(name, ended=NOON + after))


class Log:
    """A log as its operator would like to show it."""

    def __init__(self, found: Sequence[Entry], signer: Signer = SIGNER) -> None:
        self.leaves = [entries.written(entry) for entry in found]
        self.node = merkle.nodes_of(self.leaves)
        self.note = signer.sign_checkpoint(Checkpoint(ORIGIN, len(found), merkle.root(len(found), self.node)))

    def fetch(self, first: int) -> list[str]:
        return [leaf.decode() for leaf in self.leaves[first : first + 2]]

    def audit(self, *, hours: float = 0.5, earlier: str | None = None) -> Any:
        moment = NOON + timedelta(hours=hours)
        return audit(self.note, self.fetch, keys=[SIGNER.public_key], moment=moment, earlier=earlier)


HISTORY = [started("a"), started("b"), ended("a"), started("c"), ended("c")]


def logged(name: str) -> LoggedReceipt:
    receipt = SIGNER.sign(statement(name))
    log = Log(HISTORY)
    index = HISTORY.index(ended(name))
    hashes = tuple(one.hex() for one in merkle.inclusion(index, len(HISTORY), log.node))
    proof = Logged(index=index, entry=log.leaves[index].decode(), hashes=hashes, checkpoint=log.note)
    return LoggedReceipt(statement=receipt.statement, key_id=receipt.key_id, signature=receipt.signature, log=proof)


def test_a_receipt_with_its_proof_is_checked_offline():
    place = check(msgspec.json.encode(logged("a")), KEY)

    assert place is not None
    assert (place.origin, place.index, place.size) == (ORIGIN, 2, 5)


def test_every_flipped_bit_of_a_receipt_with_its_proof_is_noticed():
    data = msgspec.json.encode(logged("a"))
    assert is_valid(data, KEY)

    accepted = [
        (place, bit)
        for place in range(len(data))
        for bit in range(8)
        if is_valid(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :], KEY)
    ]

    assert accepted == []


def test_the_proof_of_another_session_does_not_pass_for_ones_own():
    mine, other = logged("a"), logged("c")
    for changed in (
        msgspec.structs.replace(mine, log=other.log),
        msgspec.structs.replace(other, log=mine.log),
    ):
        with pytest.raises(ReceiptInvalid):
            check(msgspec.json.encode(changed), KEY)


def test_a_log_that_another_key_signed_is_no_proof():
    mine = logged("a")
    assert mine.log is not None
    forged = msgspec.structs.replace(mine.log, checkpoint=Log(HISTORY, Signer(Ed25519PrivateKey.generate())).note)

    assert not is_valid(msgspec.json.encode(msgspec.structs.replace(mine, log=forged)), KEY)


def test_a_receipt_without_a_proof_is_still_a_receipt():
    assert check(msgspec.json.encode(msgspec.structs.replace(logged("a"), log=None)), KEY) is None


def test_a_receipt_is_below_two_kilobytes_and_with_its_proof_in_a_log_of_millions_below_six():
    whole = msgspec.to_builtins(logged("a"))
    proof = whole.pop("log")

    assert len(json.dumps(whole)) < 2048
    assert len(json.dumps(whole | {"log": proof | {"hashes": ["0" * 64] * 24}})) < 6144


def test_an_end_that_left_residue_is_named_and_the_log_is_not_clean():
    ends = [
        entries.end(msgspec.structs.replace(statement(name), residue_found=found, searched={"log": found}))
        for name, found in (("a", 0), ("b", 3))
    ]

    found = Log([started("a"), started("b"), *ends]).audit()

    assert found.residue == (3,)
    assert (found.overdue, found.late) == ((), ())
    assert not found.is_clean
    assert Log([started("a"), ends[0]]).audit().is_clean


def test_a_log_in_order_is_clean():
    found = Log(HISTORY).audit()

    assert found.is_clean
    assert (found.starts, found.ends, found.open_starts) == (3, 2, 1)


def test_a_session_that_did_not_end_is_overdue_after_its_life_and_a_grace_and_not_before():
    assert Log(HISTORY).audit(hours=1.16).is_clean
    found = Log(HISTORY).audit(hours=1.17)

    assert not found.is_clean
    assert (found.overdue, found.open_starts) == ((1,), 0)


def test_a_session_that_ended_too_late_is_named():
    found = Log([*HISTORY, ended("b", after=timedelta(hours=2))]).audit(hours=3)

    assert (found.late, found.overdue, found.is_clean) == ((5,), (), False)


def test_an_end_without_a_start_is_counted():
    found = Log([*HISTORY, ended("from before the log")]).audit()

    assert (found.unstarted, found.is_clean) == ((5,), True)


@pytest.mark.parametrize("again", [started("a"), ended("a")])
def test_a_second_start_or_end_of_a_session_refutes_the_log(again: Entry):
    with pytest.raises(LogRefuted, match="second time"):
        Log([*HISTORY, again]).audit()


@pytest.mark.parametrize(
    ("cheat", "reason"),
    [
        (lambda leaves: leaves[:-1], "not there"),
        (lambda leaves: [leaves[1], leaves[0], *leaves[2:]], "not those that were signed"),
        (lambda leaves: [leaves[0].replace(b"12:00", b"12:05"), *leaves[1:]], "not those that were signed"),
        (lambda leaves: [leaves[0], leaves[0], *leaves[2:]], "not those that were signed"),
    ],
    ids=["dropped", "reordered", "rewritten", "repeated"],
)
def test_entries_that_are_not_the_signed_ones_refute_the_log(cheat: Callable[[list[bytes]], list[bytes]], reason: str):
    log = Log(HISTORY)
    log.leaves = cheat(log.leaves)

    with pytest.raises(LogRefuted, match=reason):
        log.audit()


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (HISTORY[:3], "shorter"),
        ([started("x"), *HISTORY[1:], started("d")], "not in it any more"),
        ([*HISTORY[:1], *HISTORY[2:], started("d")], "not in it any more"),
        ([HISTORY[1], HISTORY[0], *HISTORY[2:], started("d")], "not in it any more"),
    ],
    ids=["rolled back", "rewritten", "dropped", "reordered"],
)
def test_another_history_signed_by_the_operator_is_refuted_by_a_checkpoint_that_was_seen(now: list[Entry], reason: str):
    seen = Log(HISTORY).note
    assert Log([*HISTORY, started("d")]).audit(earlier=seen).starts == 4

    with pytest.raises(LogRefuted, match=reason):
        Log(now).audit(earlier=seen)


def test_a_checkpoint_of_another_key_or_of_another_log_refutes():
    log = Log(HISTORY)
    other = SIGNER.sign_checkpoint(Checkpoint("mayfly-log/other", 0, merkle.root(0, log.node)))

    with pytest.raises(LogRefuted, match="another log"):
        log.audit(earlier=other)
    log.note = Log(HISTORY, Signer(Ed25519PrivateKey.generate())).note
    with pytest.raises(LogRefuted, match="checkpoint"):
        log.audit()


def test_an_entry_that_is_not_in_its_one_form_refutes_the_log():
    log = Log(HISTORY)
    log.leaves[0] = log.leaves[0].replace(b":", b": ", 1)
    node = merkle.nodes_of(log.leaves)
    log.note = SIGNER.sign_checkpoint(Checkpoint(ORIGIN, 5, merkle.root(5, node)))

    with pytest.raises(LogRefuted, match="entry 0"):
        log.audit()
