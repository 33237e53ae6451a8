"""Backups: every row of the record, sealed under a key, in a form that both databases read.

Owns the file's form: a line, 16 random bytes that name the backup, then frames, each its length (4 bytes) and a sealed
MessagePack list. A frame is sealed for its backup and its place, and the last one counts the rows: a file that is cut
short, reordered or mixed does not open. Refuses what no copy needs: the tokens of open sessions.
"""

import os
import struct
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, BinaryIO

import msgspec
from sqlalchemy import Table, delete, func, insert, select
from sqlalchemy.orm import Session

from models.database import Database, now
from models.migrations.tables import metadata
from models.receipts.tables import LogHead
from models.scenarios.tables import LearningScenario
from models.sealing import SealBroken, seal, unseal

_MAGIC = b"mayfly backup 1\n"
_ID_BYTES = 16
_LENGTH = struct.Struct(">I")
_MAX_FRAME_BYTES = 256 * 1024 * 1024
_ROWS = 500
_END = "end"

Rows = tuple[str, list[dict[str, Any]]]


class BackupRefused(RuntimeError):
    """The backup cannot be restored; the reason is in the message."""


def write(database: Database, key: bytes, file: BinaryIO) -> dict[str, int]:
    """Write the record as it is at one moment, while others go on; return the number of rows by table.

    ``key`` is 32 bytes. Raises ``PartUnavailable`` when the database is gone.
    """
    backup_id = os.urandom(_ID_BYTES)
    file.write(_MAGIC + backup_id)
    counts = dict.fromkeys((table.name for table in metadata.sorted_tables), 0)
    place = 0
    with database.snapshot() as db:
        for table in metadata.sorted_tables:
            for rows in _read(db, table):
                _write_frame(file, key, backup_id, place, [str(table.name), rows])
                counts[table.name] += len(rows)
                place += 1
    _write_frame(file, key, backup_id, place, [_END, counts])
    return counts


def check(key: bytes, file: BinaryIO) -> dict[str, int]:
    """Read a whole backup and return the number of rows by table. Raises ``BackupRefused`` unless it is whole."""
    counts = dict[str, int]()
    for name, rows in _frames(key, file):
        counts[name] = counts.get(name, 0) + len(rows)
    return counts


def restore(db: Session, key: bytes, file: BinaryIO) -> list[str]:
    """Fill an empty record from a backup, in the caller's transaction; return the sessions that were open then.

    They are ended, with reason ``crash``: nothing of their content is left. Raises ``BackupRefused``.
    """
    made_empty = {LearningScenario.__tablename__, LogHead.__tablename__}
    if any(_count(db, table) for table in metadata.sorted_tables if table.name not in made_empty):
        raise BackupRefused("the database is not empty")
    db.execute(delete(LearningScenario))
    db.execute(delete(LogHead))
    closed = list[str]()
    for name, rows in _frames(key, file):
        if name not in metadata.tables:
            raise BackupRefused("it is from another version: its tables are not the ones here")
        if name == "sessions":
            closed += [_closed(row) for row in rows if row["state"] != "ended"]
        _insert(db, metadata.tables[name], rows)
    return closed


def _insert(db: Session, table: Table, rows: list[dict[str, Any]]) -> None:
    if any(row.keys() != set(table.columns.keys()) for row in rows):
        raise BackupRefused("it is from another version: its columns are not the ones here")
    db.execute(insert(table), rows)


def _closed(row: dict[str, Any]) -> str:
    moment = now()
    row |= {"state": "ended", "end_reason": row["end_reason"] or "crash", "ended_at": moment}
    row["ending_at"] = row["ending_at"] or moment
    return row["session_id"]


def _count(db: Session, table: Table) -> int:
    return db.scalar(select(func.count()).select_from(table)) or 0


def _read(db: Session, table: Table) -> Iterator[list[dict[str, Any]]]:
    wanted = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=_ROWS)
    for rows in db.execute(wanted).mappings().partitions():
        yield [_portable(dict(row)) for row in rows]


def _portable(row: dict[str, Any]) -> dict[str, Any]:
    if "token_hash" in row:
        row["token_hash"] = None
    return {str(name): _tagged(value) for name, value in row.items()}


def _tagged(value: Any) -> Any:
    """Return a value as MessagePack has it; times, days and money as a pair that says what they are."""
    if isinstance(value, datetime):
        return ["time", value.astimezone(UTC).isoformat()]
    if isinstance(value, date):
        return ["day", value.isoformat()]
    return ["money", str(value)] if isinstance(value, Decimal) else value


def _untagged(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    kind, text = value
    return {"time": datetime.fromisoformat, "day": date.fromisoformat, "money": Decimal}[kind](text)


def _write_frame(file: BinaryIO, key: bytes, backup_id: bytes, place: int, content: list[Any]) -> None:
    sealed = seal(key, msgspec.msgpack.encode(content), purpose=_purpose(backup_id, place))
    file.write(_LENGTH.pack(len(sealed)) + sealed)


def _frames(key: bytes, file: BinaryIO) -> Iterator[Rows]:
    """Yield table and rows frame by frame. Raises ``BackupRefused`` where the file is not what was written."""
    if file.read(len(_MAGIC)) != _MAGIC:
        raise BackupRefused("this is no backup")
    backup_id = file.read(_ID_BYTES)
    counts, place = dict[str, int](), 0
    while True:
        name, content = _read_frame(file, key, backup_id, place)
        if name == _END:
            break
        counts[name] = counts.get(name, 0) + len(content)
        yield name, [{column: _untagged(value) for column, value in row.items()} for row in content]
        place += 1
    if {table: rows for table, rows in content.items() if rows} != counts or file.read(1):
        raise BackupRefused("it is not whole")


def _read_frame(file: BinaryIO, key: bytes, backup_id: bytes, place: int) -> tuple[str, Any]:
    header = file.read(_LENGTH.size)
    length = _LENGTH.unpack(header)[0] if len(header) == _LENGTH.size else 0
    if not 0 < length <= _MAX_FRAME_BYTES:
        raise BackupRefused("it is not whole")
    try:
        name, content = msgspec.msgpack.decode(unseal(key, file.read(length), purpose=_purpose(backup_id, place)))
    except SealBroken:
        raise BackupRefused("the key is another one, or the file was changed") from None
    return name, content


def _purpose(backup_id: bytes, place: int) -> str:
    return f"mayfly backup {backup_id.hex()} {place}"
