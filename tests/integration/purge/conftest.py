"""Purges run on both databases, against a real host, jailer and embedder."""

from collections.abc import Iterator

import pytest

from models.accounts.service import Accounts
from models.database import Database
from tests.support.hosting import Hosting, Parts, hosting
from tests.support.purging import IMPATIENT, PATIENT_SECONDS, World
from tests.support.record import (
    accounts,
    database,
    database_url,
    erasure_keys,
    mariadb_server,
    migrated_mariadb,
    migrated_sqlite,
    passwords,
    sign_up,
)

__all__ = [
    "accounts",
    "database",
    "database_url",
    "erasure_keys",
    "mariadb_server",
    "migrated_mariadb",
    "migrated_sqlite",
    "passwords",
]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in IMPATIENT:
        monkeypatch.setattr(module, name, PATIENT_SECONDS)


@pytest.fixture(scope="session")
def machine() -> Iterator[Parts]:
    """An embedder and a jailer for all purges."""
    parts = Parts()
    try:
        parts.start()
        yield parts
    finally:
        parts.stop()


@pytest.fixture(scope="session")
def lasting_host(machine: Parts) -> Iterator[Hosting]:
    """A host for all tests that do not break it."""
    with hosting(machine) as host:
        yield host


@pytest.fixture
def mortal_host(machine: Parts) -> Iterator[Hosting]:
    """A host for one test that breaks it."""
    with hosting(machine) as host:
        yield host


@pytest.fixture
def world(database: Database, accounts: Accounts, lasting_host: Hosting) -> Iterator[World]:
    """A learner, a record and a host that holds nobody else's sessions."""
    world = World(database, lasting_host, sign_up(database, accounts).user_id)
    yield world
    left = lasting_host.client.list()
    for session_id in {*left.live, *left.ended}:
        lasting_host.client.kill(session_id)


@pytest.fixture
def mortal_world(database: Database, accounts: Accounts, mortal_host: Hosting) -> World:
    """The same around a host that the test may break."""
    return World(database, mortal_host, sign_up(database, accounts).user_id)
