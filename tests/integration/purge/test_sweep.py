import os
import signal
import threading

import pytest

from models.errors import PartUnavailable
from models.ids import new_id
from sessions import purge as purging
from sessions import sweep as sweeping
from sessions.sweep import purge_all, sweep
from tests.support.freezing import frozen
from tests.support.hosting import wait_until
from tests.support.purging import World


def test_a_sweep_leaves_what_lives_alone(world: World):
    session = world.open()

    swept = sweep(world.parts, grace_seconds=0)

    assert (swept.receipts, swept.unfinished, swept.strays_killed) == ((), (), 0)
    assert session.client.summarise().documents == 0
    assert world.row(session.session_id).state == "open"


def test_an_expired_session_gets_its_receipt(world: World):
    session_id = world.open_and_lapse()

    (receipt,) = sweep(world.parts).receipts

    assert (receipt.statement.session_id, receipt.statement.reason) == (session_id, "expiry")
    assert world.host.pids() == []
    assert not world.host.has_traces(session_id)
    assert session_id not in world.host.client.list().ended, "the host may forget it now"


def test_a_session_that_died_is_a_crash(world: World):
    session = world.open_with_document()
    sweep(world.parts)  # Its facts are in the record now.
    os.kill(session.pid, signal.SIGKILL)
    wait_until(lambda: session.session_id in world.host.client.list().ended)

    (receipt,) = sweep(world.parts).receipts

    assert receipt.statement.reason == "crash"
    assert (receipt.statement.documents_purged, receipt.statement.chunks_purged) == (1, 1)


def test_sessions_of_an_earlier_host_are_ended_before_anything_else(mortal_world: World):
    sessions = [mortal_world.open() for _ in range(3)]
    mortal_world.host.kill()
    mortal_world.host.start()

    swept = sweep(mortal_world.another_front())

    assert {receipt.statement.reason for receipt in swept.receipts} == {"crash"}
    assert {mortal_world.row(session.session_id).state for session in sessions} == {"ended"}


def test_sessions_of_a_host_that_is_down_are_ended_too(mortal_world: World):
    session = mortal_world.open()
    mortal_world.host.kill()

    (receipt,) = sweep(mortal_world.parts).receipts

    assert (receipt.statement.session_id, receipt.statement.reason) == (session.session_id, "crash")


def test_a_host_that_hangs_is_not_taken_for_dead(mortal_world: World):
    session = mortal_world.open()
    impatient = purging.HostClient(mortal_world.parts.sockets.host, timeout_seconds=0.2)
    parts = purging.PurgeParts(
        database=mortal_world.database,
        host=impatient,
        jail=mortal_world.parts.jail,
        embedder=mortal_world.parts.embedder,
        signer=mortal_world.parts.signer,
        sockets=mortal_world.parts.sockets,
        node_id=mortal_world.parts.node_id,
    )
    with frozen(mortal_world.host.process.pid), pytest.raises(PartUnavailable):
        sweep(parts)

    assert mortal_world.row(session.session_id).state == "open"
    assert session.client.summarise().documents == 0


def test_a_row_without_a_process_is_left_alone_only_while_it_may_be_opening(world: World):
    session_id = new_id()
    world.write_row(session_id)

    assert sweep(world.parts).receipts == ()
    (receipt,) = sweep(world.parts, grace_seconds=0).receipts

    assert (receipt.statement.session_id, receipt.statement.reason) == (session_id, "crash")


def test_a_process_without_a_row_is_killed_once_it_had_its_time_to_open(world: World):
    session = world.host.open()

    assert sweep(world.parts).strays_killed == 0
    assert session.client.summarise().documents == 0
    assert sweep(world.parts, grace_seconds=0).strays_killed == 1

    assert session.is_gone()
    assert world.parts.turns.strays == {}


def test_a_stray_that_got_its_row_in_time_is_no_stray(world: World):
    session = world.host.open()
    sweep(world.parts)
    assert session.session_id in world.parts.turns.strays

    world.write_row(session.session_id)

    assert sweep(world.parts, grace_seconds=0).strays_killed == 0
    assert world.parts.turns.strays == {}


def test_the_record_learns_what_became_of_documents(world: World):
    session = world.open_with_document()
    (before,) = world.documents(session.session_id)
    assert before.facts.status != "ready"

    assert sweep(world.parts).sessions_refreshed == 1

    (after,) = world.documents(session.session_id)
    assert (after.facts.status, after.facts.chunks) == ("ready", 1)
    assert sweep(world.parts).sessions_refreshed == 0


def test_a_row_whose_document_was_deleted_does_not_stay_unfinished(world: World):
    session = world.open()
    world.upload(session)
    assert len(world.documents(session.session_id)) == 1
    session.client.delete(session.client.documents()[0].document_id)  # And the record was not reached.

    sweep(world.parts)

    assert world.documents(session.session_id) == []


def test_many_sessions_that_hang_are_asked_at_the_same_time(world: World, monkeypatch: pytest.MonkeyPatch):
    together = 3
    for _ in range(together):
        world.upload(world.open())
    met = threading.Barrier(together)
    real = sweeping.SessionClient.documents

    def meet(client: sweeping.SessionClient) -> object:
        met.wait(60)  # It breaks when they are asked one after another.
        return real(client)

    monkeypatch.setattr(sweeping.SessionClient, "documents", meet)

    assert sweep(world.parts).sessions_refreshed == together


def test_a_purge_that_fails_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch):
    lost = [world.open() for _ in range(3)]
    for session in lost:
        os.kill(session.pid, signal.SIGKILL)
    wait_until(lambda: {session.session_id for session in lost} <= world.host.client.list().ended.keys())
    real = purging._Work.verify

    def verify(work: purging._Work) -> object:
        if work._id == lost[1].session_id:
            raise OSError
        return real(work)

    with monkeypatch.context() as patched:
        patched.setattr(purging._Work, "verify", verify)
        swept = sweep(world.parts)

    assert swept.unfinished == (lost[1].session_id,)
    assert len(swept.receipts) == 2
    assert [receipt.statement.session_id for receipt in sweep(world.parts).receipts] == [lost[1].session_id]


def test_sessions_of_other_machines_are_none_of_our_business(world: World):
    session = world.open(node_id="another-node")

    assert sweep(world.parts).receipts == ()

    assert world.row(session.session_id).state == "open"


def test_a_shutdown_purges_every_session_with_a_receipt(world: World):
    sessions = [world.open() for _ in range(12)]

    swept = purge_all(world.parts, "shutdown")

    assert {receipt.statement.session_id for receipt in swept.receipts} == {it.session_id for it in sessions}
    assert {receipt.statement.reason for receipt in swept.receipts} == {"shutdown"}
    assert all(session.is_gone() for session in sessions)
    assert purge_all(world.parts, "shutdown").receipts == ()
