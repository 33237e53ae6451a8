"""Purges whose process is killed with SIGKILL at every step and at any moment, and whose recovery is killed too."""

import os
import random
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from models.errors import PartUnavailable
from models.receipts.signing import verify
from sessions.sweep import sweep
from tests.support.hosting import Session
from tests.support.purger import KILLED, Mortal, Purger, purger
from tests.support.purging import STEPS, World

POINTS = (*STEPS, "writing_receipt", "signed")
REPEATS = int(os.environ.get("MAYFLY_KILL_REPEATS", "4"))


@pytest.fixture(scope="module")
def killable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Purger]:
    with purger(tmp_path_factory.mktemp("purger")) as process:
        yield process


@pytest.fixture
def mortal(world: World, killable: Purger, tmp_path: Path) -> Iterator[Mortal]:
    yield Mortal(world, killable, tmp_path / "receipt-key")
    killable.points.disarm()


@pytest.mark.parametrize("point", POINTS)
def test_a_purge_killed_at_any_step_is_finished_as_if_nothing_had_happened(mortal: Mortal, point: str):
    world = mortal.world
    session = world.open_with_document()
    mortal.points.arm(point, "kill9")

    assert mortal.killable.run(mortal.order(session)) == KILLED
    sweep(world.another_front())

    assert_purged_once(world, session)


def test_a_recovery_that_is_killed_at_every_step_in_turn_still_ends_the_same(mortal: Mortal):
    world = mortal.world
    session = world.open_with_document()
    mortal.points.arm("refuse_new_work", "kill9")
    assert mortal.killable.run(mortal.order(session)) == KILLED

    for _ in range(2):
        for point in POINTS[:-1]:  # At the last the purge is done, and no sweep comes by again.
            mortal.points.arm(point, "kill9")
            assert mortal.killable.run(mortal.order(None)) == KILLED, point
    assert mortal.killable.run(mortal.order(None)) == 0

    assert_purged_once(world, session)


def test_purges_and_recoveries_killed_at_random_moments_end_the_same(mortal: Mortal):
    seed = secrets.randbits(32)
    print(f"seed of the moments of killing: {seed}")  # noqa: T201  # It is shown when the test fails.
    moments = random.Random(seed)  # noqa: S311  # Nothing secret.
    world = mortal.world
    ends = list[int]()

    for purged in range(REPEATS):
        session = world.open_with_document()
        ends.append(mortal.killed_at_random(session, moments.random()))
        ends.append(mortal.killed_at_random(None, moments.random()))
        world.sign_out(session)
        assert_purged_once(world, session, receipts=purged + 3)  # Two were ended to see how long that takes.

    print(f"killed {ends.count(KILLED)} times of {len(ends)}")  # noqa: T201  # As above.
    assert set(ends) <= {KILLED, 0}
    assert KILLED in ends, "no purge was hit, so nothing was tried"


@pytest.mark.parametrize("action", ["raise", "enospc"])
@pytest.mark.parametrize("point", ["shrink_rows", "writing_receipt"])
def test_a_step_that_fails_ends_without_a_receipt_and_is_made_up_for(mortal: Mortal, point: str, action: str):
    world = mortal.world
    session = world.open_with_document()
    mortal.points.arm(point, action)

    assert mortal.killable.run(mortal.order(session)) != 0
    assert world.receipts() == 0, "a receipt would claim more than was done"
    assert session.is_gone(), "a step that fails keeps no other from deleting"
    sweep(world.another_front())

    assert_purged_once(world, session)


def test_a_slow_step_delays_the_purge_and_nothing_else(mortal: Mortal):
    session = mortal.world.open_with_document()
    mortal.points.arm("count", "delay 0.5")

    assert mortal.killable.run(mortal.order(session)) == 0

    steps = {step.name: step.duration_ms for step in mortal.world.sign_out(session).statement.steps}
    assert steps["count"] >= 500
    assert_purged_once(mortal.world, session)


def assert_purged_once(world: World, session: Session, *, receipts: int = 1) -> None:
    row = world.row(session.session_id)
    assert (row.state, row.end_reason) == ("ended", "sign_out")
    assert session.is_gone()
    assert world.receipts() == receipts
    receipt = world.sign_out(session)
    verify(receipt, world.parts.signer.public_key)
    said = receipt.statement
    assert (said.reason, said.documents_purged, said.chunks_purged) == ("sign_out", 1, 1)
    assert [info.facts.status for info in world.documents(session.session_id)] == ["purged"]


def test_a_record_that_can_only_be_read_keeps_nothing_from_being_deleted(world: World):
    session = world.open_with_document()
    engine = world.database.engine
    forbid = "PRAGMA query_only = ON" if world.database.is_sqlite else "SET SESSION TRANSACTION READ ONLY"

    @event.listens_for(engine, "connect")
    def only_read(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(forbid)
        cursor.close()

    engine.dispose()
    with pytest.raises(PartUnavailable):
        world.sign_out(session)

    assert session.is_gone()
    assert world.row(session.session_id).state == "open", "nothing could be written"
    event.remove(engine, "connect", only_read)
    engine.dispose()
    (receipt,) = sweep(world.parts).receipts
    assert (receipt.statement.session_id, receipt.statement.reason) == (session.session_id, "sign_out")
    assert world.receipts() == 1
