import dataclasses
import socket
import threading
from pathlib import Path
from typing import NoReturn

import pytest

from models.accounts.service import Accounts
from models.database import Database
from models.documents import service as documents
from models.errors import NoSuchThing, PartUnavailable, SessionExpired
from models.ids import new_id
from models.receipts import service as receipts
from models.receipts.signing import Receipt, verify
from sessions import purge as purging
from sessions.facts import facts_of
from sessions.purge import PurgeParts, PurgeTurns, purge
from sessions.sweep import sweep
from tests.support import mariadb
from tests.support.hosting import Hosting, Session
from tests.support.purging import STEPS, World
from tests.support.record import sign_up


class Killed(BaseException):
    """The process that purges was killed here."""


def results(receipt: Receipt) -> dict[str, str]:
    return {step.name: step.result for step in receipt.statement.steps}


def test_a_sign_out_leaves_nothing_and_a_receipt_that_says_so(world: World):
    session = world.open_with_document()
    (before,) = session.client.documents()
    assert session.ask("How long does a mayfly live?")

    receipt = world.sign_out(session)

    verify(receipt, world.parts.signer.public_key)
    said = receipt.statement
    assert session.is_gone()
    assert (said.kind, said.reason, said.session_id) == ("purge", "sign_out", session.session_id)
    assert (said.documents_purged, said.pages_purged) == (1, before.pages)
    assert (said.chunks_purged, said.bytes_purged) == (before.chunks, before.bytes)
    assert before.chunks == 1
    assert tuple(step.name for step in said.steps) == STEPS
    assert results(receipt)["kill_session"] == "done"
    row = world.row(session.session_id)
    assert (row.state, row.end_reason) == ("ended", "sign_out")
    assert [info.facts.status for info in world.documents(session.session_id)] == ["purged"]
    with world.database.transaction() as db:
        assert receipts.get(db, said.receipt_id) == receipt


def test_a_document_in_work_dies_with_its_session(world: World):
    session = world.open()
    world.upload(session)

    receipt = world.sign_out(session)

    assert session.is_gone()
    assert receipt.statement.documents_purged == 1
    (info,) = world.documents(session.session_id)
    assert info.facts.status in {"purged", "failed"}


def test_a_document_the_record_has_not_heard_of_is_counted(world: World):
    session = world.open()
    session.ready(("unrecorded.txt", b"Nobody wrote this down."))
    assert world.documents(session.session_id) == []

    assert world.sign_out(session).statement.documents_purged == 1


def test_the_second_purge_returns_the_first_receipt(world: World):
    session = world.open()

    first = world.sign_out(session)

    assert world.sign_out(session) == first
    assert purge(session.session_id, "crash", world.another_front()) == first
    assert world.receipts() == 1


def test_fifty_parallel_purges_make_one_receipt(world: World):
    session = world.open_with_document()
    fronts = [world.another_front() for _ in range(5)]
    start, got = threading.Barrier(50), list[Receipt]()

    def end(number: int) -> None:
        start.wait()
        got.append(purge(session.session_id, "sign_out", fronts[number % 5]))

    threads = [threading.Thread(target=end, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == 50
    assert all(receipt == got[0] for receipt in got)
    assert world.receipts() == 1
    assert session.is_gone()
    assert (got[0].statement.documents_purged, got[0].statement.chunks_purged) == (1, 1)


def test_after_a_sign_out_nothing_can_be_written_for_the_session(world: World):
    session = world.open_with_document()
    facts = [facts_of(state) for state in session.client.documents()]
    world.sign_out(session)

    late = [dataclasses.replace(fact, content_id=new_id()) for fact in facts]
    with world.database.transaction() as db, pytest.raises(SessionExpired):
        documents.insert(db, late, user_id=world.user_id, session_id=session.session_id)


@pytest.mark.parametrize("step", [*STEPS, "sign"])
def test_a_purge_killed_after_any_step_is_finished_by_the_next_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
):
    session = world.open_with_document()
    real = getattr(purging._Work, step)

    def then_die(work: object) -> NoReturn:
        real(work)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(purging._Work, step, then_die)
        with pytest.raises(Killed):
            world.sign_out(session)
    sweep(world.another_front())

    assert_purged_once(world, session)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_fails_keeps_no_other_from_deleting_and_is_made_up_for(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
):
    session = world.open_with_document()
    assert sweep(world.parts).sessions_refreshed == 1  # A lost count falls back on this.

    def fail(_work: object) -> NoReturn:
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr(purging._Work, step, fail)
        with pytest.raises(PartUnavailable):
            world.sign_out(session)
    assert world.receipts() == 0, "a receipt would claim more than was done"
    assert session.is_gone() or step == "kill_session"

    receipt = world.sign_out(session)

    assert receipt.statement.reason == "sign_out"
    assert_purged_once(world, session)


def assert_purged_once(world: World, session: Session) -> None:
    row = world.row(session.session_id)
    assert (row.state, row.end_reason) == ("ended", "sign_out")
    assert session.is_gone()
    assert world.receipts() == 1
    receipt = world.sign_out(session)
    verify(receipt, world.parts.signer.public_key)
    assert (receipt.statement.documents_purged, receipt.statement.chunks_purged) == (1, 1)
    assert [info.facts.status for info in world.documents(session.session_id)] == ["purged"]


def test_a_dead_host_took_its_sessions_with_it_and_the_receipt_says_so(mortal_world: World):
    session = mortal_world.open()
    mortal_world.host.kill()

    receipt = mortal_world.sign_out(session)

    assert results(receipt)["kill_session"] == "part_is_down"
    assert mortal_world.row(session.session_id).state == "ended"


@pytest.mark.parametrize(("part", "step"), [("jailer", "stop_jails"), ("embedder", "drop_queued_texts")])
def test_a_part_that_is_down_holds_nothing_and_does_not_stop_a_purge(
    world: World, tmp_path: Path, part: str, step: str
):
    session = world.open()
    nobody = tmp_path / "nobody"
    client = purging.JailClient(nobody) if part == "jailer" else purging.EmbedderClient(nobody)
    sockets = dataclasses.replace(world.parts.sockets, **{part: nobody})  # pyright: ignore[reportArgumentType]
    field = {"jailer": "jail", "embedder": "embedder"}[part]
    parts = dataclasses.replace(world.parts, sockets=sockets, **{field: client})  # pyright: ignore[reportArgumentType]

    receipt = purge(session.session_id, "sign_out", parts)

    assert results(receipt)[step] == "part_is_down"
    assert session.is_gone()


class Silent(purging.JailClient):
    """What a client sees of a jailer that hangs."""

    def drop(self, session: str) -> int:  # noqa: ARG002
        raise PartUnavailable


def test_a_part_that_hangs_may_hold_something_so_there_is_no_receipt_until_it_answers(world: World, tmp_path: Path):
    session = world.open()
    hanging = tmp_path / "hanging"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(hanging))
        listener.listen()
        sockets = dataclasses.replace(world.parts.sockets, jailer=hanging)  # pyright: ignore[reportArgumentType]
        parts = dataclasses.replace(world.parts, sockets=sockets, jail=Silent(hanging))

        with pytest.raises(PartUnavailable):
            purge(session.session_id, "sign_out", parts)

    assert session.is_gone(), "the session itself is dead all the same"
    assert world.row(session.session_id).state == "ending"
    assert world.receipts() == 0
    (receipt,) = sweep(world.parts).receipts
    assert receipt.statement.session_id == session.session_id


def test_what_the_host_left_in_quarantine_is_removed(mortal_world: World):
    session = mortal_world.open()
    folder = mortal_world.host.quarantine_dir / session.session_id
    mortal_world.host.kill()
    folder.mkdir(exist_ok=True)
    (folder / "sealed").write_bytes(b"left behind")

    receipt = mortal_world.sign_out(session)

    assert not folder.exists()
    assert results(receipt)["remove_quarantine"] == "done"


def test_a_link_planted_in_the_place_of_the_quarantine_goes_and_what_it_leads_to_stays(world: World, tmp_path: Path):
    session = world.open()
    (tmp_path / "kept").touch()
    (world.host.quarantine_dir / session.session_id).symlink_to(tmp_path)

    world.sign_out(session)

    assert session.is_gone()
    assert not (world.host.quarantine_dir / session.session_id).is_symlink()
    assert (tmp_path / "kept").exists()


def test_with_the_database_down_the_session_dies_and_the_record_follows_with_the_true_reason(
    tmp_path: Path, lasting_host: Hosting, accounts: Accounts
):
    with mariadb.running(tmp_path) as server:
        database = Database(server.new_database())
        database.migrate()
        world = World(database, lasting_host, sign_up(database, accounts).user_id)
        session = world.open_with_document()
        server.kill()

        with pytest.raises(PartUnavailable):
            world.sign_out(session)

        assert session.is_gone()
        server.start()
        assert world.row(session.session_id).state == "open", "nobody could be told"
        (receipt,) = sweep(world.parts).receipts
        assert receipt.statement.reason == "sign_out"
        assert world.row(session.session_id).state == "ended"
        database.dispose()


def test_an_id_that_never_was_a_session_is_not_found(world: World):
    with pytest.raises(NoSuchThing):
        purge(new_id(), "hook", world.parts)
    assert world.receipts() == 0


@pytest.mark.parametrize("untrusted", ["..", "", ".", "../sessions", "a" * 31 + "/"])
def test_an_id_that_is_a_path_touches_nothing(world: World, untrusted: str):
    bystander = world.open()

    with pytest.raises(NoSuchThing):
        purge(untrusted, "hook", world.parts)

    assert world.host.quarantine_dir.exists()
    assert bystander.client.summarise().documents == 0


def test_a_session_of_another_machine_is_marked_here_and_purged_there(world: World):
    session = world.open(node_id="another-node")

    with pytest.raises(PartUnavailable):
        world.sign_out(session)

    row = world.row(session.session_id)
    assert (row.state, row.end_reason) == ("ending", "sign_out")
    there: PurgeParts = dataclasses.replace(world.parts, node_id="another-node", turns=PurgeTurns())
    assert [receipt.statement.session_id for receipt in sweep(there).receipts] == [session.session_id]
