"""The log on both databases: many writers, its proofs, and what it says of sessions."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from models.database import Database, now
from models.errors import NoSuchThing
from models.ids import new_id
from models.receipts import checkpoint, entries, log, merkle
from models.receipts.log import Logged
from models.receipts.statement import Statement, Step
from models.receipts.tables import LogEntry, LogNode
from tests.support.purging import SIGNER
from tests.support.record import at_once

OPENED = datetime(2026, 11, 21, 3, 44, 59, tzinfo=UTC)


def statement(receipt_id: str, **changes: object) -> Statement:
    values: dict[str, object] = {
        "receipt_id": receipt_id,
        "kind": "purge",
        "session_id": new_id(),
        "reason": "sign_out",
        "documents_purged": 3,
        "pages_purged": 12,
        "chunks_purged": 48,
        "bytes_purged": 123_456,
        "rows_erased": 0,
        "verified": ("session_process_gone",),
        "steps": (Step("kill_session", "done", 7),),
        "opened_at": "2026-11-21T03:44Z",
        "ended_at": "2026-11-21T04:13Z",
        "software": "mayfly 0.1.0",
    }
    return Statement(**(values | changes))  # pyright: ignore[reportArgumentType]  # The names are the fields.


def start(db: Session, receipt_id: str, opened_at: datetime = OPENED) -> int:
    return log.open_session(
        db, receipt_id=receipt_id, key_commitment=bytes(32), lifetime_seconds=3600, opened_at=opened_at
    )


def end(db: Session, receipt_id: str) -> int:
    return log.append(db, entries.end(statement(receipt_id)))


def leaves(database: Database) -> list[bytes]:
    with database.transaction() as db:
        return [leaf.encode() for leaf in db.scalars(select(LogEntry.leaf).order_by(LogEntry.seq))]


def filled(database: Database, sessions: int) -> list[str]:
    ids = [new_id() for _ in range(sessions)]
    for receipt_id in ids:
        with database.transaction() as db:
            start(db, receipt_id)
    for receipt_id in ids[::2]:
        with database.transaction() as db:
            end(db, receipt_id)
    return ids


def check(proof: Logged) -> None:
    signed = checkpoint.read(proof.checkpoint, SIGNER.public_key)
    hashes = [bytes.fromhex(one) for one in proof.hashes]
    merkle.check_inclusion(merkle.leaf_hash(proof.entry.encode()), proof.index, signed.size, hashes, signed.root)


def test_entries_of_many_writers_have_contiguous_places_and_the_root_is_that_of_the_entries(database: Database):
    writers = 60
    works: list[Callable[[Session], object]] = [lambda db: start(db, new_id()) for _ in range(writers)]

    at_once(database, works, threads=12)

    with database.transaction() as db:
        places = list(db.scalars(select(LogEntry.seq).order_by(LogEntry.seq)))
        newest = log.head(db)
    assert places == list(range(writers))
    assert newest.size == writers
    assert newest.root == merkle.root(writers, merkle.nodes_of(leaves(database)))


def test_a_transaction_that_fails_leaves_no_gap(database: Database):
    filled(database, 3)

    def fail() -> None:
        with database.transaction() as db:
            start(db, new_id())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.transaction() as db:
        assert start(db, new_id()) == 5


def test_starts_and_ends_are_proven_in_the_log_as_it_was_then_and_as_it_is(database: Database):
    ids = filled(database, 7)
    for receipt_id in ids:
        with database.transaction() as db:
            then = log.prove(db, receipt_id, "start", SIGNER.sign_checkpoint)
            newest = log.prove(db, receipt_id, "start", SIGNER.sign_checkpoint, newest=True)
        check(then)
        check(newest)
        assert checkpoint.read(then.checkpoint, SIGNER.public_key).size == then.index + 1
        assert checkpoint.read(newest.checkpoint, SIGNER.public_key).size == 11
    with database.transaction() as db:
        check(log.prove(db, ids[0], "end", SIGNER.sign_checkpoint))
        with pytest.raises(NoSuchThing):
            log.prove(db, ids[1], "end", SIGNER.sign_checkpoint)
        with pytest.raises(NoSuchThing):
            log.prove(db, new_id(), "start", SIGNER.sign_checkpoint)


def test_growth_between_any_two_sizes_is_proven(database: Database):
    filled(database, 9)
    with database.transaction() as db:
        heads = [log.head(db, size) for size in range(log.head(db).size + 1)]
        for old in heads:
            for new in heads[old.size :]:
                hashes = [bytes.fromhex(one) for one in log.consistency(db, old.size, new.size)]
                merkle.check_consistency(old.size, new.size, hashes, old_root=old.root, new_root=new.root)
        with pytest.raises(NoSuchThing):
            log.head(db, len(heads))
        with pytest.raises(NoSuchThing):
            log.consistency(db, 3, 2)


def test_a_session_has_one_start_and_one_end(database: Database):
    (receipt_id,) = filled(database, 1)
    for again in (start, end):
        with pytest.raises(Exception, match="receipt_log"), database.transaction() as db:
            again(db, receipt_id)

    assert len(leaves(database)) == 2


def test_the_log_alone_tells_which_sessions_are_open_and_which_are_overdue(database: Database):
    ids = filled(database, 5)
    with database.transaction() as db:
        start(db, new_id(), opened_at=now())
        found = log.open_sessions(db)

    assert [one.receipt for one in found.starts[:2]] == [entries.name_of(ids[1]), entries.name_of(ids[3])]
    assert (len(found.starts), found.size) == (3, 9)
    assert [entries.is_overdue(one, now()) for one in found.starts] == [True, True, False]


def test_an_entry_says_nothing_exact_and_nothing_to_ask_with():
    said = statement(new_id(), bytes_purged=123_456_789_012)  # Fewer digits may stand in a hash by chance.

    started = entries.start(
        receipt_id=said.receipt_id, key_commitment=bytes(32), lifetime_seconds=3600, opened_at=OPENED
    )
    ended = entries.end(said)

    for entry in (started, ended):
        text = entries.written(entry).decode()
        assert entries.read(text.encode()) == entry
        for exact in (said.receipt_id, said.session_id, "123456789012", ":48,", "03:44", "04:13"):
            assert exact not in text
        assert len(text) < 1024
    assert (started.opened_at, ended.ended_at) == ("2026-11-21T03:40Z", "2026-11-21T04:10Z")
    assert (ended.documents, ended.pages, ended.chunks, ended.bytes) == (2, 4, 6, 37)
    assert entries.due_at(started) == datetime(2026, 11, 21, 4, 50, tzinfo=UTC)
    assert not entries.is_overdue(started, OPENED + timedelta(hours=1, minutes=5))


@pytest.mark.parametrize("entries_before", [10, 300])
def test_an_append_and_a_proof_take_few_statements_however_long_the_log_is(database: Database, entries_before: int):
    grow(database, entries_before)
    receipt_id, asked = new_id(), list[str]()

    def note(*arguments: object) -> None:
        asked.append(str(arguments[2]))

    event.listen(database.engine, "before_cursor_execute", note)
    with database.transaction() as db:
        start(db, receipt_id)
    appended, asked[:] = len(asked), []
    with database.transaction() as db:
        check(log.prove(db, receipt_id, "start", SIGNER.sign_checkpoint, newest=True))
    event.remove(database.engine, "before_cursor_execute", note)

    assert 0 < appended <= 6
    assert 0 < len(asked) <= 6


def grow(database: Database, count: int) -> None:
    """Fill the log as many appends would, in one transaction."""
    with database.transaction() as db:
        for _ in range(count):
            start(db, new_id())
        stored = len(list(db.scalars(select(LogNode.level))))
    assert count <= stored < 2 * count


def test_after_a_restore_it_is_another_log(database: Database):
    filled(database, 2)
    with database.transaction() as db:
        before = log.head(db)
        log.become_another(db)
        after = log.head(db)

    assert before.origin != after.origin
    assert (before.size, before.root) == (after.size, after.root)
