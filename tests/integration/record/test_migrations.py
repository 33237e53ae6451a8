import io

import pytest
from alembic import command
from sqlalchemy import inspect

from models import database as database_module
from models.database import Database, DatabaseRefused

TABLES = {
    "activity_days",
    "activity_events",
    "alembic_version",
    "api_usage_log",
    "conversations",
    "erased_usage",
    "feedback",
    "learner_clocks",
    "learning_scenarios",
    "receipt_key_successions",
    "receipt_log",
    "receipt_log_head",
    "receipt_log_nodes",
    "receipts",
    "sessions",
    "uploaded_content_metadata",
    "usage_budgets",
    "usage_months",
    "users",
}
UNCONSTRAINED = {"erased_usage", "receipt_key_successions", "receipt_log_head", "receipt_log_nodes", "users"}


def tables(database: Database) -> set[str]:
    return set(inspect(database.engine).get_table_names())


def test_migrations_go_up_and_down_and_up_again(database_url: str):
    database = Database(database_url)

    database.migrate()
    assert tables(database) == TABLES
    database.migrate("base")
    assert tables(database) == {"alembic_version"}
    database.migrate()
    assert tables(database) == TABLES
    database.dispose()


def test_migrating_twice_changes_nothing(database_url: str):
    database = Database(database_url)
    database.migrate()
    database.migrate()
    database.check()
    database.dispose()


def test_the_migrated_schema_is_the_one_in_the_code(database: Database):
    with database.engine.connect() as connection:
        config = database_module._alembic_config(connection)
        config.stdout = io.StringIO()
        command.check(config)  # Raises when a new revision would not be empty.


def test_every_constraint_has_a_name(database: Database):
    for table in TABLES - {"alembic_version"}:
        seen = inspect(database.engine)
        named = [*seen.get_foreign_keys(table), *seen.get_unique_constraints(table), *seen.get_check_constraints(table)]
        assert named or table in UNCONSTRAINED
        assert all(constraint["name"] for constraint in named)


def test_a_database_without_the_newest_schema_is_refused(database_url: str):
    database = Database(database_url)

    with pytest.raises(DatabaseRefused, match="migrations"):
        database.check()
    database.dispose()
