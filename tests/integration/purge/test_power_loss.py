"""The database dies in the middle of a purge, or the whole machine loses its power: what was acknowledged stands."""

import hashlib
import os
import random
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
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
from tests.support.disks import image_mounted, make_image
from tests.support.freezing import freeze
from tests.support.hosting import Hosting, Session
from tests.support.purger import Mortal, Purger, purger
from tests.support.purging import SIGNER, TEXT, Folders, World, parts_of
from tests.support.record import sign_up

REPEATS = int(os.environ.get("MAYFLY_KILL_REPEATS", "2"))
# What a commit promises on a machine that loses its power; servers of other tests promise less, for speed.
DURABLE = ("--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1")


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


def test_a_database_killed_in_a_purge_forgets_nothing_that_it_acknowledged(
    tmp_path: Path, lasting_host: Hosting, accounts: Accounts, killable: Purger, moments: random.Random
):
    with mariadb.running(tmp_path, more=DURABLE) as server:
        database = Database(server.new_database())
        database.migrate()
        world = World(database, lasting_host, sign_up(database, accounts).user_id)
        mortal = Mortal(world, killable, tmp_path / "receipt-key")
        whole_seconds = mortal.seconds_of_a_purge()
        for _ in range(REPEATS):
            session = world.open_with_document()
            killable.begin(mortal.order(session))
            time.sleep(moments.uniform(0, whole_seconds))
            server.kill()
            acknowledged = killable.end() == 0
            server.start()

            assert not acknowledged or world.row(session.session_id).state == "ended"
            sweep(world.another_front(), grace_seconds=0)
            assert_ended(world.another_front(), session)
            assert session.is_gone()
        database.dispose()


def test_power_lost_in_a_purge_leaves_a_sqlite_record_that_the_next_start_finishes(
    disk: Path, lasting_host: Hosting, accounts: Accounts, killable: Purger, moments: random.Random
):
    image = disk / "image"
    make_image(image, mib=32)
    with image_mounted(image, disk / "mounted") as folder:
        database = Database(f"sqlite:///{folder / 'record.sqlite'}")
        database.migrate()
        world = World(database, lasting_host, sign_up(database, accounts).user_id)
        mortal = Mortal(world, killable, disk / "receipt-key")
        whole_seconds = mortal.seconds_of_a_purge()
        for _ in range(REPEATS):
            session = world.open_with_document()
            acknowledged = pull_the_plug(mortal, session, moments.uniform(0, 1.2 * whole_seconds), image, [])

            with image_mounted(disk / "copy", disk / "booted") as booted:
                after = Database(f"sqlite:///{booted / 'record.sqlite'}")
                with after.transaction() as db:
                    assert db.execute(text("PRAGMA integrity_check")).scalar() == "ok"
                boot_and_check(after, session, acknowledged)
                after.dispose()
            assert_holds_no_word(disk / "copy", session)
        database.dispose()


def test_power_lost_in_a_purge_leaves_a_mariadb_record_that_the_next_start_finishes(
    disk: Path, lasting_host: Hosting, accounts: Accounts, killable: Purger, moments: random.Random
):
    image = disk / "image"
    make_image(image, mib=400)
    with (
        image_mounted(image, disk / "mounted") as folder,
        mariadb.running(folder, more=DURABLE) as server,
    ):
        database = Database(server.new_database())
        database.migrate()
        world = World(database, lasting_host, sign_up(database, accounts).user_id)
        mortal = Mortal(world, killable, disk / "receipt-key")
        moment = moments.uniform(0, mortal.seconds_of_a_purge())
        session = world.open_with_document()

        acknowledged = pull_the_plug(mortal, session, moment, image, [server.process.pid])

        with image_mounted(disk / "copy", disk / "booted") as booted:
            second = server.on_copy(booted)
            second.start()
            after = Database(second.url(str(database.url.database)))
            boot_and_check(after, session, acknowledged)
            after.dispose()
            second.stop()
        assert_holds_no_word(disk / "copy", session)
        database.dispose()


def pull_the_plug(mortal: Mortal, session: Session, seconds: float, image: Path, also: list[int]) -> bool:
    """Copy the disk as it is in the middle of a purge, without what was not yet written through to it.

    Returns whether the purge was done, and so acknowledged, before that moment.
    """
    done = mortal.points.folder / "signed.reached"
    mortal.points.arm("signed", "hold")
    child = mortal.killable.begin(mortal.order(session))
    time.sleep(seconds)
    stopped = [child, *also]
    for pid in stopped:
        freeze(pid)
    acknowledged = done.exists()
    copy_at_rest(image, image.with_name("copy"))
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    mortal.points.await_reached("signed")
    mortal.points.release("signed")
    assert mortal.killable.end() == 0
    return acknowledged


def copy_at_rest(image: Path, copy: Path) -> None:
    """Copy an image at one moment: the kernel may still write to it, so it is copied until two copies are the same."""
    before = b""
    copy.unlink(missing_ok=True)  # A loop device may still hold the one before.
    for _ in range(50):
        copy.write_bytes(image.read_bytes())
        after = digest_of(copy)
        if after == before:
            return
        before = after
    raise TimeoutError("the image did not come to rest")


def digest_of(file: Path) -> bytes:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "blake2b").digest()


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


def assert_holds_no_word(image: Path, session: Session) -> None:
    name, words = TEXT
    held = image.read_bytes()
    assert session.session_id.encode() in held, "the record never reached the disk, so its silence proves nothing"
    assert words not in held
    assert name.encode() not in held
    assert residue.in_bytes(held, words.decode()[:24]) == 0
