"""The archive of an account: one ZIP of everything durable, as JSON and as CSV, with its own description.

Read in one transaction that sees one moment. The session process opens what is sealed; only it has the learner's key.
"""

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from api.dependencies import LearnersSession
from api.resources import Resources
from models import holdings
from models.accounts.service import EMAIL_PURPOSE, USERNAME_PURPOSE
from models.holdings import Holding
from models.privacy import DATA_MAP
from models.receipts import service as receipt_record
from models.sessions import service as session_record
from sessions.messages import FILENAME_PURPOSE, SOURCE_LINK_PURPOSE, SUGGESTION_PURPOSE, SealedText

VERSION = 1
# What each sealed column was sealed for, and the name it has once it is open.
_PURPOSES = {
    "sealed_username": USERNAME_PURPOSE,
    "sealed_email": EMAIL_PURPOSE,
    "sealed_filename": FILENAME_PURPOSE,
    "sealed_source_link": SOURCE_LINK_PURPOSE,
    "sealed_suggestions": SUGGESTION_PURPOSE,
}
_Table = list[dict[str, Any]]


def archive(resources: Resources, session: LearnersSession) -> bytes:
    """Return the archive of the session's account. A text whose seal does not fit the learner's key is null."""
    with resources.database.snapshot() as db:
        held = holdings.of_user(db, session.user_id)
        sessions = session_record.of_user(db, session.user_id)
        receipts = [receipt_record.of_session(db, info.session_id) for info in sessions]
    tables = {holding.table: _opened(holding, session) for holding in held}
    tables["receipts"] = [msgspec.to_builtins(receipt) for receipt in receipts if receipt is not None]
    return packed(tables)


def packed(tables: dict[str, _Table]) -> bytes:
    """Return the ZIP: ``archive.json``, one CSV a table, and ``schema.json``, which says what each column is for."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive.json", _json({"version": VERSION, "tables": tables}))
        file.writestr("schema.json", _json({"version": VERSION, "tables": schema()}))
        for name, rows in tables.items():
            file.writestr(f"{name}.csv", _csv(name, rows))
    return data.getvalue()


def schema() -> dict[str, dict[str, dict[str, str]]]:
    """Return what every column of the archive is for, what kind of thing it holds, and when it goes."""
    return {
        table: {name.removeprefix("sealed_"): column._asdict() for name, column in columns.items()}
        for table, columns in DATA_MAP.items()
    }


def _opened(holding: Holding, session: LearnersSession) -> _Table:
    rows = [dict(zip(holding.columns, row, strict=True)) for row in holding.rows]
    for name in holding.sealed:
        texts = [SealedText(purpose=_PURPOSES[name], sealed=row[name] or b"") for row in rows]
        for row, text in zip(rows, session.client.unseal(texts), strict=True):
            row[name] = text
    return [{name.removeprefix("sealed_"): _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)


def _csv(table: str, rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    columns = list(rows[0]) if rows else [name.removeprefix("sealed_") for name in DATA_MAP[table]]
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(_cells(row) for row in rows)
    return text.getvalue()


def _cells(row: dict[str, Any]) -> Iterator[Any]:
    for value in row.values():
        if isinstance(value, dict | list):
            yield json.dumps(value, ensure_ascii=False)
        elif isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
            yield "'" + value  # A spreadsheet would take it for a formula (OWASP, CSV injection).
        else:
            yield value
