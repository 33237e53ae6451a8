"""Fixtures of the record: a migrated database of either kind, accounts with cheap hashes, rows to start from."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from models.accounts.erasure_keys import ErasureKeys
from models.accounts.lookup import LookupKey
from models.accounts.passwords import Passwords
from models.accounts.service import Accounts, NewAccount, SignedUp
from models.accounts.tables import User
from models.database import Database
from models.errors import PartUnavailable
from models.ids import hash_token, new_id, new_token
from models.receipts.tables import LogEntry, LogHead, LogNode, ReceiptRow
from models.sessions import service as sessions
from models.sessions.service import Opening
from tests.support import mariadb

NODE = "the-node"
INSTANCE = "the-host-instance"
KINDS = ("sqlite", "mariadb")


@pytest.fixture(scope="session")
def mariadb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mariadb.Server]:
    """One private server for all tests of a worker that do not break it."""
    with mariadb.running(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, once SQLite and once MariaDB."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'record.sqlite'}"
    server: mariadb.Server = request.getfixturevalue("mariadb_server")
    return server.new_database()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy."""
    file = tmp_path_factory.mktemp("migrated") / "record.sqlite"
    database = Database(f"sqlite:///{file}")
    database.migrate()
    database.dispose()
    return file


@pytest.fixture(scope="session")
def migrated_mariadb(mariadb_server: mariadb.Server) -> str:
    """The URL of a migrated MariaDB database that tests use one after the other."""
    database = Database(mariadb_server.new_database())
    database.migrate()
    database.dispose()
    return database.url.render_as_string(hide_password=False)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated database without rows, once SQLite and once MariaDB."""
    if request.param == "sqlite":
        file = shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "record.sqlite")
        database = Database(f"sqlite:///{file}")
    else:
        database = Database(request.getfixturevalue("migrated_mariadb"))
    empty(database)
    yield database
    database.dispose()


def empty(database: Database) -> None:
    """Delete what earlier tests left in a migrated database."""
    with database.transaction() as db:
        db.execute(delete(User))
        for table in (ReceiptRow, LogEntry, LogNode):
            db.execute(delete(table))
        db.execute(update(LogHead).values(size=0))


@pytest.fixture
def passwords() -> Passwords:
    """Argon2id at its cheapest, and more patience at its gate than a learner's: a machine may stall for seconds."""
    return Passwords(memory_kib=8, passes=1, concurrent=4, max_wait_seconds=60)


@pytest.fixture
def erasure_keys(tmp_path_factory: pytest.TempPathFactory) -> ErasureKeys:
    return ErasureKeys(tmp_path_factory.mktemp("accounts") / "erasure-keys")


@pytest.fixture
def accounts(passwords: Passwords, erasure_keys: ErasureKeys) -> Accounts:
    return Accounts(passwords, LookupKey(os.urandom(32)), erasure_keys)


@dataclass(frozen=True)
class Owner:
    """An account with an open session."""

    user_id: str
    session_id: str


def new_owner(database: Database, accounts: Accounts, name: str = "ada") -> Owner:
    """Store an account and an open session of it."""
    user_id = sign_up(database, accounts, name).user_id
    return Owner(user_id, open_session(database, user_id))


@pytest.fixture
def owner(database: Database, accounts: Accounts) -> Owner:
    return new_owner(database, accounts)


@pytest.fixture
def stranger(database: Database, accounts: Accounts) -> Owner:
    return new_owner(database, accounts, "grace")


def somebody(name: str = "ada", **changes: object) -> NewAccount:
    """Return a valid sign-up."""
    wish: dict[str, object] = {
        "username": name,
        "email": f"{name}@example.org",
        "password": "correct horse",
        "primary_language": "en",
        "target_languages": ("fr", "ja"),
    }
    return NewAccount(**{**wish, **changes})  # pyright: ignore[reportArgumentType]  # Tests also pass what is wrong.


def sign_up(database: Database, accounts: Accounts, name: str = "ada") -> SignedUp:
    """Store an account."""
    with database.transaction() as db:
        return accounts.sign_up(db, somebody(name))


def opening(user_id: str, **changes: object) -> Opening:
    """Return what is written of a new session."""
    values: dict[str, object] = {
        "session_id": new_id(),
        "user_id": user_id,
        "node_id": NODE,
        "host_instance": INSTANCE,
        "token_hash": hash_token(new_token()),
        "idle_seconds": 1800,
        "absolute_seconds": 43_200,
    }
    return Opening(**{**values, **changes})  # pyright: ignore[reportArgumentType]  # As above.


def open_session(database: Database, user_id: str, **changes: object) -> str:
    """Write an open session and return its id."""
    wish = opening(user_id, **changes)
    with database.transaction() as db:
        return sessions.open_session(db, wish, max_open=1000).session_id


def at_once(database: Database, works: Sequence[Callable[[Session], object]], *, threads: int = 32) -> None:
    """Run each work in a transaction of its own, in many threads; one that the database had no room for again."""

    def run(work: Callable[[Session], object]) -> None:
        while True:
            try:
                with database.transaction() as db:
                    work(db)
            except PartUnavailable:
                continue
            return

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, works))
