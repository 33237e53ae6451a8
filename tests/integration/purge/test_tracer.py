"""The tracer of a session: it goes where content goes, no learner meets it, and each purge looks for it."""

import dataclasses
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from ingestion.quarantine import usage
from models.accounts.service import Accounts
from models.database import Database
from models.errors import PartUnavailable
from models.receipts.signing import Receipt, verify
from models.receipts.statement import TracedPlace
from sessions.messages import Ask
from sessions.purge import CLEAN, TRACED, VERIFIED, purge
from sessions.residue import Places, ResidueSearch
from sessions.sweep import sweep
from sessions.tracer import SECRET_BYTES, Tracers
from tests.support.hosting import Hosting, Parts, Session, hosting, wait_until
from tests.support.purging import STEPS, TEXT, World
from tests.support.record import sign_up

SECRET = os.urandom(SECRET_BYTES)
TRACERS = Tracers(SECRET)


@pytest.fixture(scope="module")
def tracing_host(machine: Parts) -> Iterator[Hosting]:
    with hosting(machine, tracer_secret=SECRET) as host:
        yield host


@pytest.fixture
def world(database: Database, accounts: Accounts, tracing_host: Hosting) -> Iterator[World]:
    """A world whose purges look for tracers."""
    world = searching(World(database, tracing_host, sign_up(database, accounts).user_id))
    yield world
    for session_id in tracing_host.client.list().live:
        tracing_host.client.kill(session_id)


def searching(world: World, tracers: Tracers = TRACERS) -> World:
    places = Places(runtime=world.host.folder, quarantine=world.host.quarantine_dir, temporary=temporary(world))
    world.parts = dataclasses.replace(world.parts, search=ResidueSearch(tracers, places, world.database))
    return world


def temporary(world: World) -> Path:
    return world.host.parts.temporary


def traced(world: World) -> Session:
    """Return a session whose tracer has been everywhere."""
    session = world.open_with_document()
    wait_until(session.client.tracer_went, seconds=60)
    return session


def said(receipt: Receipt) -> tuple[object, Mapping[TracedPlace, int], Mapping[TracedPlace, str]]:
    statement = receipt.statement
    assert not isinstance(statement.searched, msgspec.UnsetType)
    assert not isinstance(statement.not_searched, msgspec.UnsetType)
    return statement.residue_found, statement.searched, statement.not_searched


def test_a_clean_session_says_where_it_was_searched_and_that_its_tracer_had_been_everywhere(world: World):
    session = traced(world)

    receipt = world.sign_out(session)

    verify(receipt, world.parts.signer.public_key)
    found, searched, not_searched = said(receipt)
    places = {"quarantine", "runtime", "temporary"} | ({"record"} if world.database.is_sqlite else set())
    assert (found, searched) == (0, dict.fromkeys(places, 0))
    later = {"log": "no_file", "embedder_memory": "later"}
    assert not_searched == later | ({} if world.database.is_sqlite else {"record": "on_a_server"})
    assert receipt.statement.verified[-2:] == (TRACED, CLEAN)
    assert [step.name for step in receipt.statement.steps] == [*STEPS, "search_tracer"]
    assert session.is_gone()


def test_what_is_left_is_on_the_receipt_and_the_purge_ends_all_the_same(world: World):
    session = traced(world)
    left = temporary(world) / "left"
    left.write_text(f"somebody's words: {TRACERS.text(session.session_id)}")

    receipt = world.sign_out(session)

    left.unlink()
    found, searched, _ = said(receipt)
    assert (found, searched["temporary"], searched["quarantine"]) == (1, 1, 0)
    assert TRACED in receipt.statement.verified
    assert CLEAN not in receipt.statement.verified
    assert world.row(session.session_id).state == "ended"
    assert world.sign_out(session) == receipt, "the second look must not make it clean"


def test_no_question_list_or_count_of_a_learner_knows_of_the_tracer(world: World):
    session, tracer = world.open(), ""
    first = [state.document_id for state in session.ready(TEXT)]
    wait_until(session.client.tracer_went, seconds=60)
    tracer = TRACERS.text(session.session_id)

    asked = [
        session.client.ask(Ask(text=text, top_k=50, doubtful=True)) for text in (tracer, f'"{tracer}"', tracer[:32])
    ]
    held = session.client.summarise()
    listed = session.client.documents()

    assert [{passage.document_id for passage in answer.passages} for answer in asked] == [set(first)] * 3
    assert tracer not in repr([msgspec.to_builtins(answer) for answer in asked])
    assert (held.documents, held.chunks, held.pages, held.quarantined_files) == (1, 1, 1, 0)
    assert held.bytes == len(TEXT[1])
    assert [state.document_id for state in listed] == first
    assert usage(world.host.quarantine_dir) == (0, 0)
    assert tracer not in world.host.log()

    session.client.delete(first[0])
    assert session.client.summarise().chunks == 0
    assert session.client.tracer_went()
    assert world.sign_out(session).statement.chunks_purged == 0


def test_a_session_without_documents_has_nothing_to_show_and_claims_nothing(world: World):
    session = world.open()

    receipt = world.sign_out(session)

    assert said(receipt)[0] == 0
    assert not {TRACED, CLEAN} & set(receipt.statement.verified)


def test_a_session_that_crashed_is_searched_and_claims_less(world: World):
    session = traced(world)
    os.kill(session.pid, 9)
    left = temporary(world) / TRACERS.text(session.session_id)
    left.touch()
    wait_until(lambda: session.session_id not in world.host.client.list().live)

    receipts = sweep(world.parts).receipts

    left.unlink()
    (receipt,) = [one for one in receipts if one.statement.session_id == session.session_id]
    assert receipt.statement.reason == "crash"
    assert said(receipt)[0] == 1
    assert not {TRACED, CLEAN} & set(receipt.statement.verified)


def test_the_dead_hosts_sessions_are_searched_by_any_front_of_the_same_start_and_by_no_other(
    migrated_sqlite: Path, tmp_path: Path, accounts: Accounts, machine: Parts
):
    database = Database(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'record.sqlite')}")
    with hosting(machine, tracer_secret=SECRET) as host:
        world = searching(World(database, host, sign_up(database, accounts).user_id))
        here, later = traced(world), world.open()
        left = temporary(world) / TRACERS.text(here.session_id)
        left.touch()
        host.process.kill()
        host.process.wait()

        receipt = world.sign_out(here)
        restarted = searching(world, Tracers(os.urandom(SECRET_BYTES)))
        unknown = restarted.sign_out(later)

        left.unlink()
    database.dispose()
    assert said(receipt)[0] == 1
    found, searched, not_searched = said(unknown)
    assert isinstance(found, msgspec.UnsetType)
    assert searched == {}
    assert set(not_searched.values()) == {"tracer_unknown"}
    assert unknown.statement.verified == VERIFIED


def test_a_search_that_fails_keeps_the_receipt_until_it_succeeds(world: World, monkeypatch: pytest.MonkeyPatch):
    session = world.open()

    def fail(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(ResidueSearch, "search", fail)
        with pytest.raises(PartUnavailable):
            world.sign_out(session)
    assert session.is_gone()
    assert world.receipts() == 0

    assert said(purge(session.session_id, "sign_out", world.parts))[0] == 0
