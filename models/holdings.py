"""Everything the record holds of one account, across all domains: for its archive and for the count of its erasure.

Looks at the tables themselves, so a table that is added later is in it from its first day. Refuses to hand out what is
no business of a file: hashes and keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table, func, select
from sqlalchemy.orm import Session

from models.migrations.tables import metadata
from models.privacy import DATA_MAP

_SECRETS = {"hash", "key"}


@dataclass(frozen=True, slots=True)
class Holding:
    """The rows of one account in one table; ``sealed`` names the columns that only its learner can open."""

    table: str
    columns: tuple[str, ...]
    sealed: frozenset[str]
    rows: Sequence[tuple[Any, ...]]


def of_user(db: Session, user_id: str) -> list[Holding]:
    """Return all rows of an account, table by table; every table is there, also without rows."""
    return [_holding(db, table, user_id) for table in _tables()]


def count(db: Session, user_id: str) -> dict[str, int]:
    """Return how many rows of an account each table has; tables without any are left out."""
    counted = {
        table.name: db.scalar(select(func.count()).select_from(table).where(table.c.user_id == user_id)) or 0
        for table in _tables()
    }
    return {name: rows for name, rows in counted.items() if rows}


def _tables() -> list[Table]:
    return [table for table in metadata.sorted_tables if "user_id" in table.c]


def _holding(db: Session, table: Table, user_id: str) -> Holding:
    shown = [column for column in table.columns if _kind(table, column) not in _SECRETS]
    wanted = select(*shown).where(table.c.user_id == user_id).order_by(*table.primary_key.columns)
    return Holding(
        table=table.name,
        columns=tuple(column.name for column in shown),
        sealed=frozenset(column.name for column in shown if _kind(table, column) == "sealed"),
        rows=[tuple(row) for row in db.execute(wanted)],
    )


def _kind(table: Table, column: Column[Any]) -> str:
    return DATA_MAP[table.name][column.name].kind
