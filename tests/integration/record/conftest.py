"""The record's tests run on both databases."""

import pytest

from models import database as _database
from tests.support.record import (
    accounts,
    database,
    database_url,
    erasure_keys,
    mariadb_server,
    migrated_mariadb,
    migrated_sqlite,
    owner,
    passwords,
    stranger,
)

__all__ = [
    "accounts",
    "database",
    "database_url",
    "erasure_keys",
    "mariadb_server",
    "migrated_mariadb",
    "migrated_sqlite",
    "owner",
    "passwords",
    "stranger",
]
PATIENT_SECONDS = 60


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that stalls a statement may take longer than a learner should wait, which has a test of its own."""
    monkeypatch.setattr(_database, "TIMEOUT_SECONDS", PATIENT_SECONDS)
