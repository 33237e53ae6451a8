"""What clocks elsewhere say decides nothing, and thousands of sessions that are due at once hold up nobody."""

import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from models.accounts.service import Accounts
from models.database import Database, now
from models.ids import new_id
from sessions import sweep as sweeping
from sessions.purge import minute
from sessions.sweep import sweep
from tests.support.hosting import Hosting
from tests.support.purging import World
from tests.support.record import empty, sign_up

# 10,000 take some minutes; see the threat cases.
DUE_SESSIONS = int(os.environ.get("MAYFLY_DUE_SESSIONS", "60"))


@pytest.fixture(params=["Pacific/Kiritimati", "America/St_Johns", "Europe/London", "Australia/Lord_Howe"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A time zone of the machine: far east, half an hour off, with summer time, with a summer time of half an hour."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_the_record_is_in_utc_wherever_the_machine_stands(world: World, zone: str):
    assert time.tzname != ("UTC", "UTC"), "the machine does not know this zone"
    before = datetime.now(UTC)
    session = world.open()

    receipt = world.sign_out(session)

    row = world.row(session.session_id)
    assert row.ended_at is not None
    assert before - timedelta(seconds=1) <= row.opened_at <= row.ended_at <= datetime.now(UTC)
    assert receipt.statement.opened_at in {minute(before), minute(before + timedelta(seconds=59))}


def test_a_database_whose_clock_is_wrong_ends_no_session_early_and_none_late(
    migrated_mariadb: str, lasting_host: Hosting, accounts: Accounts
):
    database = Database(migrated_mariadb)
    empty(database)

    @event.listens_for(database.engine, "connect")
    def skew(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("SET time_zone = '+09:30', timestamp = UNIX_TIMESTAMP() + 3600")
        cursor.close()

    world = World(database, lasting_host, sign_up(database, accounts, new_id()).user_id)
    lasting, due = world.open(), world.open_and_lapse()

    (receipt,) = sweep(world.parts).receipts

    assert (receipt.statement.session_id, receipt.statement.reason) == (due, "expiry")
    assert abs((world.row(lasting.session_id).opened_at - now()).total_seconds()) < 60
    assert lasting.client.summarise().documents == 0
    world.sign_out(lasting)
    database.dispose()


@pytest.mark.parametrize("back", [timedelta(days=1), timedelta(days=-3650)], ids=["a day back", "ten years on"])
def test_a_wall_clock_that_was_set_makes_no_dead_session_young(
    world: World, monkeypatch: pytest.MonkeyPatch, back: timedelta
):
    session_id = new_id()
    world.write_row(session_id)
    assert sweep(world.parts).receipts == (), "it may be opening"
    monkeypatch.setattr(sweeping, "now", lambda: now() - back)

    (receipt,) = sweep(world.parts).receipts

    assert (receipt.statement.session_id, receipt.statement.reason) == (session_id, "crash")


def test_many_sessions_that_are_due_at_once_are_all_ended_and_others_are_served_meanwhile(world: World):
    living = world.open_with_document()
    due = {new_id() for _ in range(DUE_SESSIONS)}
    for session_id in due:
        world.write_row(session_id)
    swept = list[Any]()
    work = threading.Thread(target=lambda: swept.append(sweep(world.parts, grace_seconds=0)))
    work.start()

    answers = 0
    while work.is_alive():
        assert living.ask("How long does a mayfly live?")
        answers += 1
    work.join()

    (result,) = swept
    assert answers > 0
    assert result.unfinished == ()
    assert {receipt.statement.session_id for receipt in result.receipts} == due
    assert {receipt.statement.reason for receipt in result.receipts} == {"crash"}
    assert world.row(living.session_id).state == "open"
