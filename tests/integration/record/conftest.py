"""The record's tests run on both databases."""

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
