"""The database dies in the middle of a purge, or the whole machine loses its power: what was acknowledged stands."""

import contextlib
import os
import random
import secrets
import shutil
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from models.accounts.service import Accounts
from models.database import Database
from models.receipts import service as receipts
from models.sessions import service as sessions
from sessions.purge import PurgeParts
from sessions.sweep import sweep
from tests.support import mariadb, residue
from tests.support.disks import refuse_to_mount
from tests.support.freezing import await_stopped, freeze
from tests.support.hosting import Hosting, Session
from tests.support.images import NO_IMAGE, Bench, Copy, Plain, bench
from tests.support.purger import Mortal, Purger, purger
from tests.support.purging import SIGNER, TEXT, Folders, World, parts_of
from tests.support.record import sign_up

REPEATS = int(os.environ.get("MAYFLY_KILL_REPEATS", "2"))
# What a commit promises on a machine that loses its power; servers of other tests promise less, for speed.
DURABLE = ("--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1")
MortalOn = Callable[[str, Path], contextlib.AbstractContextManager[Mortal]]


@pytest.fixture(scope="module")
def killable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Purger]:
    with purger(tmp_path_factory.mktemp("purger")) as process:
        yield process


@pytest.fixture
def moments() -> random.Random:
    seed = secrets.randbits(32)
    print(f"seed of the moments: {seed}")  # noqa: T201  # It is shown when the test fails.
    return random.Random(seed)  # noqa: S311  # Nothing secret.


@pytest.fixture
def disk() -> Iterator[Path]:
    """A folder on a RAM disk for images of disks."""
    folder = Path(tempfile.mkdtemp(prefix="mayfly-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def mortal_on(lasting_host: Hosting, accounts: Accounts, killable: Purger) -> MortalOn:
    """Make a world with an empty record at an address, and its receipt key in a folder, whose purges die."""

    @contextlib.contextmanager
    def mortal_on(url: str, folder: Path) -> Generator[Mortal]:
        database = Database(url)
        database.migrate()
        world = World(database, lasting_host, sign_up(database, accounts).user_id)
        yield Mortal(world, killable, folder / "receipt-key")
        database.dispose()

    return mortal_on


def test_a_database_killed_in_a_purge_forgets_nothing_that_it_acknowledged(
    tmp_path: Path, mortal_on: MortalOn, killable: Purger, moments: random.Random
):
    with (
        mariadb.running(tmp_path, more=DURABLE) as server,
        mortal_on(server.new_database(), tmp_path) as mortal,
    ):
        world = mortal.world
        whole_seconds = mortal.seconds_of_a_purge()
        for _ in range(REPEATS):
            session = world.open_with_document()
            moment = moments.uniform(0, whole_seconds)
            killable.points.arm("purging", f"kill_other_after {moment} {server.process.pid}")
            acknowledged = killable.run(mortal.order(session)) == 0
            server.kill()  # It is dead already, unless the purge was faster than the others.
            server.start()

            assert not acknowledged or world.row(session.session_id).state == "ended"
            sweep(world.another_front(), grace_seconds=0)
            assert_ended(world.another_front(), session)
            assert session.is_gone()


@pytest.fixture(params=["image", "files"])
def small_disk(request: pytest.FixtureRequest, disk: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A disk for a SQLite record; under "files" nothing can be mounted, as on a machine that forbids it."""
    if request.param == "files":
        refuse_to_mount(monkeypatch, disk)
    with bench(disk / "bench", mib=32) as made:
        assert isinstance(made, Plain) or request.param == "image"
        yield made


@pytest.mark.filterwarnings(f"default:{NO_IMAGE}")
def test_power_lost_in_a_purge_leaves_a_sqlite_record_that_the_next_start_finishes(
    small_disk: Bench, disk: Path, mortal_on: MortalOn, moments: random.Random
):
    with mortal_on(f"sqlite:///{small_disk.folder / 'record.sqlite'}", disk) as mortal:
        whole_seconds = mortal.seconds_of_a_purge()
        for _ in range(REPEATS):
            session = mortal.world.open_with_document()
            moment = moments.uniform(0, 1.2 * whole_seconds)
            with power_lost(mortal, session, moment, small_disk, []) as (booted, acknowledged):
                after = Database(f"sqlite:///{booted.folder / 'record.sqlite'}")
                with after.transaction() as db:
                    assert db.execute(text("PRAGMA integrity_check")).scalar() == "ok"
                boot_and_check(after, session, acknowledged)
                after.dispose()
                assert_holds_no_word(booted.held, session)


@pytest.mark.filterwarnings(f"default:{NO_IMAGE}")
def test_power_lost_in_a_purge_leaves_a_mariadb_record_that_the_next_start_finishes(
    disk: Path, mortal_on: MortalOn, moments: random.Random
):
    with (
        bench(disk / "bench", mib=400) as large,
        mariadb.running(large.folder, more=DURABLE) as server,
        mortal_on(server.new_database(), disk) as mortal,
    ):
        moment = moments.uniform(0, mortal.seconds_of_a_purge())
        session = mortal.world.open_with_document()

        with power_lost(mortal, session, moment, large, [server.process.pid]) as (booted, acknowledged):
            second = server.on_copy(booted.folder)
            second.start()
            after = Database(second.url(str(mortal.world.database.url.database)))
            boot_and_check(after, session, acknowledged)
            after.dispose()
            second.stop()
            assert_holds_no_word(booted.held, session)


@contextlib.contextmanager
def power_lost(
    mortal: Mortal, session: Session, seconds: float, disk: Bench, also: list[int]
) -> Generator[tuple[Copy, bool]]:
    """Yield a copy of the disk as it is in the middle of a purge, and let the purge go on.

    With it, whether the purge was done, and so acknowledged, before that moment.
    """
    done = mortal.points.folder / "signed.reached"
    mortal.points.arm("signed", "hold")
    mortal.points.arm("purging", f"stop_after {seconds}")
    child = mortal.killable.begin(mortal.order(session))
    with contextlib.ExitStack() as copies:
        try:
            await_stopped(child)
            for pid in also:
                freeze(pid)
            acknowledged = done.exists()
            copy = copies.enter_context(disk.copied())
        finally:
            for pid in (child, *also):
                os.kill(pid, signal.SIGCONT)
        mortal.points.await_reached("signed")
        mortal.points.release("signed")
        assert mortal.killable.end() == 0
        yield copy, acknowledged


def boot_and_check(after: Database, session: Session, acknowledged: bool) -> None:
    """Do what a start does on the disk that is left; the memory of the machine, host and sessions included, is gone."""
    nowhere = Folders(**{name: Path("/nowhere") / name for name in Folders.__slots__})
    parts = parts_of(after, nowhere, SIGNER)
    with after.transaction() as db:
        row = sessions.get(db, session.session_id)
    assert row is not None
    assert not acknowledged or row.state == "ended", "an acknowledged sign-out was forgotten"
    assert sweep(parts).unfinished == ()
    assert_ended(parts, session)


def assert_ended(parts: PurgeParts, session: Session) -> None:
    with parts.database.transaction() as db:
        row = sessions.get(db, session.session_id)
        receipt = receipts.of_session(db, session.session_id)
    assert row is not None
    assert receipt is not None
    assert row.state == "ended"
    assert receipt.statement.reason == row.end_reason
    assert row.end_reason in {"sign_out", "crash"}


def assert_holds_no_word(held: bytes, session: Session) -> None:
    name, words = TEXT
    assert session.session_id.encode() in held, "the record never reached the disk, so its silence proves nothing"
    assert words not in held
    assert name.encode() not in held
    assert residue.in_bytes(held, words.decode()[:24]) == 0
