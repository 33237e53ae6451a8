"""What the operator could tell of one learner: every row that some id leads to from his account, every column of it.

Owns how a row is told: a sealed text as its size class, what opens or checks something by its name only. Looks at the
tables themselves, so that a table which is added later is in it from its first day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, Table, select
from sqlalchemy.orm import Session

from models.accounts.tables import User
from models.migrations.tables import metadata
from models.privacy import DATA_MAP, Kind
from models.receipts.tables import ReceiptRow
from models.sessions.tables import SessionRow

_SMALLEST_CLASS_BYTES = 32
# What is said instead of the value: it would help nobody but who wants to guess a password.
_NOT_SHOWN: dict[Kind, str] = {"hash": "a hash", "key": "a wrapped key"}


@dataclass(frozen=True, slots=True)
class Disclosure:
    """The rows of one table that lead back to an account. Every value is text, a number or nothing."""

    table: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str | int | None, ...]]


def account_of(db: Session, *, user_id: str = "", email_hash: str = "") -> str | None:
    """Return the id of the account that has this id or this lookup hash; ``None`` when there is none."""
    return db.scalar(select(User.user_id).where((User.user_id == user_id) | (User.email_hash == email_hash)))


def disclose(db: Session, user_id: str) -> list[Disclosure]:
    """Return everything the record holds of an account, table by table; every table is there, also without rows."""
    wanted = [(table, _of(table, user_id)) for table in metadata.sorted_tables]
    return [_disclosure(db, table, rows) for table, rows in wanted if rows is not None]


def fields() -> dict[str, dict[str, str]]:
    """Return every column that ``disclose`` tells of, by table, with the form in which it is told."""
    told = [table for table in metadata.sorted_tables if _of(table, "") is not None]
    return {table.name: {column.name: form(_kind(table.name, column.name)) for column in table.c} for table in told}


def about_nobody() -> set[str]:
    """Return the tables that no id leads to from an account."""
    return {table.name for table in metadata.sorted_tables if _of(table, "") is None}


def form(kind: Kind) -> str:
    """Return the form in which a column of this kind is told."""
    return "sealed: its size class" if kind == "sealed" else _NOT_SHOWN.get(kind, "as it is")


def _of(table: Table, user_id: str) -> Select[Any] | None:
    """Return the rows of a table that lead back to an account, by the nearest id it has; ``None`` when it has none."""
    of_sessions = select(SessionRow.session_id).where(SessionRow.user_id == user_id)
    of_receipts = select(ReceiptRow.receipt_id).where(ReceiptRow.session_id.in_(of_sessions))
    if "user_id" in table.c:
        nearest = table.c.user_id == user_id
    elif "session_id" in table.c:
        nearest = table.c.session_id.in_(of_sessions)
    elif "receipt_id" in table.c:
        nearest = table.c.receipt_id.in_(of_receipts)
    else:
        return None
    return select(*table.c).where(nearest).order_by(*table.primary_key.columns)


def _disclosure(db: Session, table: Table, wanted: Select[Any]) -> Disclosure:
    columns = tuple(column.name for column in table.columns)
    kinds: list[Kind] = [_kind(table.name, column.name) for column in table.columns]
    rows = [tuple(_told(kind, value) for kind, value in zip(kinds, row, strict=True)) for row in db.execute(wanted)]
    return Disclosure(table.name, columns, rows)


def _kind(table: str, column: str) -> Kind:
    return DATA_MAP[table][column].kind


def _told(kind: Kind, value: Any) -> str | int | None:
    if value is None:
        return None
    if kind == "sealed":
        return f"sealed, at most {_size_class(len(value))} bytes"
    if kind in _NOT_SHOWN:
        return _NOT_SHOWN[kind]
    return _plain(value)


def _size_class(size_bytes: int) -> int:
    return max(_SMALLEST_CLASS_BYTES, 1 << (size_bytes - 1).bit_length())


def _plain(value: Any) -> str | int:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, Decimal) else value
