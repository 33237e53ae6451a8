import contextlib
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from models import database as module
from models.accounts.service import Accounts
from models.database import TIMEOUT_SECONDS, Database, DatabaseRefused
from models.errors import PartUnavailable
from tests.support import mariadb
from tests.support.freezing import frozen
from tests.support.record import sign_up, somebody
from tests.support.service import eventually


def test_a_failed_block_leaves_nothing_behind(database: Database, accounts: Accounts):
    def fail_half_way() -> None:
        with database.transaction() as db:
            accounts.sign_up(db, somebody())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()

    assert sign_up(database, accounts).user_id, "the name is still free"


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1/x", "mysql://127.0.0.1/x", "mysql+pymysql://127.0.0.1/x"])
def test_another_kind_of_database_is_refused(url: str):
    with pytest.raises(DatabaseRefused, match="only sqlite"):
        Database(url)


def test_sqlite_deletes_for_good_and_enforces_its_keys(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'new folder' / 'record.sqlite'}")

    with database.engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("foreign_keys", "secure_delete", "journal_mode", "temp_store")
        }

    assert pragmas == {"foreign_keys": 1, "secure_delete": 1, "journal_mode": "wal", "temp_store": 2}
    assert (tmp_path / "new folder").stat().st_mode & 0o077 == 0
    database.dispose()


def test_sqlite_has_a_connection_for_each_of_a_hundred_threads(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'record.sqlite'}")

    with contextlib.ExitStack() as held:
        connections = [held.enter_context(database.engine.connect()) for _ in range(100)]
        assert [connection.exec_driver_sql("SELECT 1").scalar() for connection in connections] == [1] * 100
    database.dispose()


def test_a_sqlite_file_that_cannot_be_opened_is_a_part_that_is_unavailable(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path}")

    with pytest.raises(PartUnavailable), database.transaction() as db:
        db.execute(text("SELECT 1"))
    database.dispose()


def test_a_database_that_is_gone_is_unavailable_and_back_when_it_is_back(tmp_path: Path):
    with mariadb.running(tmp_path) as server:
        database = Database(server.new_database())
        database.migrate()
        server.kill()

        for _ in range(2):
            with pytest.raises(PartUnavailable) as failure, database.transaction() as db:
                db.execute(text("SELECT 1"))
            assert server.password not in repr(failure.getrepr(style="value"))

        server.start()
        database.check()
        database.dispose()


def test_a_database_that_hangs_is_unavailable_in_bounded_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with mariadb.running(tmp_path) as server:
        patient = Database(server.new_database())
        patient.migrate()
        monkeypatch.setattr(module, "TIMEOUT_SECONDS", TIMEOUT_SECONDS)
        database = Database(patient.url.render_as_string(hide_password=False))
        assert eventually(lambda: is_fit(database), seconds=60), "it has a connection, which will hang"
        with frozen(server.process.pid):
            started = time.monotonic()
            with pytest.raises(PartUnavailable), database.transaction() as db:
                db.execute(text("SELECT 1"))

        # Two waits of five seconds, and a machine that stalls meanwhile; a wait without bound never ends.
        assert time.monotonic() - started < 12 * TIMEOUT_SECONDS
        assert eventually(lambda: is_fit(database), seconds=60)
        for each in (patient, database):
            each.dispose()


def is_fit(database: Database) -> bool:
    try:
        database.check()
    except PartUnavailable:
        return False
    return True


def test_a_write_lock_is_waited_for(database: Database, accounts: Accounts):
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with database.transaction() as db:
            accounts.sign_up(db, somebody("holder"))
            inside.set()
            leave.wait(timeout=60)

    holder = threading.Thread(target=hold)
    holder.start()
    assert inside.wait(timeout=60)
    threading.Timer(0.2, leave.set).start()
    waited_for = sign_up(database, accounts, "waiter")
    holder.join()

    assert leave.is_set()
    assert waited_for.user_id
