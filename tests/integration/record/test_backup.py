import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from api import backup as files
from models import backup
from models.accounts.tables import User
from models.backup import BackupRefused
from models.conversations import service as conversations
from models.conversations.service import Start
from models.database import Database
from models.documents import service as documents
from models.documents.service import Facts
from models.ids import new_id
from models.keyfile import KeyFileRefused
from models.migrations.tables import metadata
from models.receipts import service as receipts
from models.receipts.signing import Signer, verify
from models.scenarios import service as scenarios
from models.sealing import new_key
from models.sessions import service as sessions
from tests.support.record import Owner, open_session
from tests.support.two_years import fill

KEY = new_key()


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer.load(tmp_path / "receipt-key")


@pytest.fixture
def empty(database: Database, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """Another database of the same kind, migrated and empty."""
    if database.is_sqlite:
        other = Database(f"sqlite:///{tmp_path / 'other.sqlite'}")
    else:
        other = Database(request.getfixturevalue("mariadb_server").new_database())
    other.migrate()
    yield other
    other.dispose()


@pytest.fixture
def filled(database: Database, owner: Owner) -> Owner:
    """Rows in every table, an open session among them and one that has ended."""
    with database.transaction() as db:
        scenarios.seed(db)
    fill(database, owner.user_id, owner.session_id, seed=7, days=25, sealed=b"\0sealed\xff")
    with database.transaction() as db:
        fact = Facts(new_id(), "text/plain", 10, "ready", pages=2, chunks=3, sealed_filename=b"\0name")
        documents.insert(db, [fact], user_id=owner.user_id, session_id=owner.session_id)
        conversations.start(db, Start(owner.session_id, owner.user_id, "fr"))
    ended = open_session(database, owner.user_id)
    with database.transaction() as db:
        sessions.begin_ending(db, ended, "sign_out")
        sessions.finish(db, ended)
    return owner


def rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    with database.transaction() as db:
        return {
            table.name: [dict(row) for row in db.execute(select(table).order_by(*table.primary_key.columns)).mappings()]
            for table in metadata.sorted_tables
        }


def without(found: list[dict[str, Any]], *columns: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in columns} for row in found]


def test_what_is_restored_is_the_same_row_for_row_but_for_the_sessions_that_were_open(
    database: Database, empty: Database, filled: Owner, signer: Signer, tmp_path: Path
):
    before = rows(database)
    counts = files.save(database, KEY, tmp_path / "backup")

    assert files.bring_back(empty, KEY, tmp_path / "backup", signer) == {
        name: number for name, number in counts.items() if number
    }

    after = rows(empty)
    closing = ("state", "end_reason", "token_hash", "ending_at", "ended_at")
    assert counts == {name: len(found) for name, found in before.items()}
    assert {name for name in before if before[name] != after[name]} == {
        "sessions",
        "conversations",
        "uploaded_content_metadata",
        "receipts",
        "receipt_log",
        "receipt_log_head",
        "receipt_log_nodes",
    }
    assert without(before["sessions"], *closing) == without(after["sessions"], *closing)
    assert next(row for row in before["sessions"] if row["state"] == "ended") in after["sessions"]
    assert {(row["state"], row["token_hash"]) for row in after["sessions"]} == {("ended", None)}
    assert without(before["conversations"], "end_time", "duration_seconds") == without(
        after["conversations"], "end_time", "duration_seconds"
    )
    assert [row["processed_status"] for row in after["uploaded_content_metadata"]] == ["purged"]
    with empty.transaction() as db:
        receipt = receipts.of_session(db, filled.session_id)
    assert receipt is not None
    verify(receipt, signer.public_key)
    assert (receipt.statement.reason, receipt.statement.pages_purged) == ("crash", 2)


def test_a_backup_holds_no_token_and_nothing_in_the_clear(database: Database, filled: Owner):
    written = io.BytesIO()
    backup.write(database, KEY, written)

    opened = [row for _, found in backup._frames(KEY, io.BytesIO(written.getvalue())) for row in found]

    assert any(row.get("user_id") == filled.user_id for row in opened), "the rows are there once it is opened"
    assert {row["token_hash"] for row in opened if "token_hash" in row} == {None}
    assert filled.user_id.encode() not in written.getvalue()
    assert b"conversations" not in written.getvalue()


def test_a_backup_that_was_cut_changed_or_sealed_under_another_key_restores_nothing(
    database: Database, empty: Database, filled: Owner, signer: Signer, tmp_path: Path
):
    written = io.BytesIO()
    backup.write(database, KEY, written)
    whole = written.getvalue()
    middle = len(whole) // 2
    broken = {
        "empty": b"",
        "cut": whole[:-1],
        "cut between frames": whole[: backup_ends(whole)[-2]],
        "longer": whole + b"\0",
        "changed": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
    }

    for name, data in broken.items():
        (tmp_path / "broken").write_bytes(data)
        with pytest.raises(BackupRefused):
            files.bring_back(empty, KEY, tmp_path / "broken", signer)
        assert {table for table, found in rows(empty).items() if found} == {"receipt_log_head"}, name
    (tmp_path / "whole").write_bytes(whole)
    with pytest.raises(BackupRefused, match="key"):
        files.bring_back(empty, new_key(), tmp_path / "whole", signer)
    with pytest.raises(BackupRefused, match="not empty"):
        files.bring_back(database, KEY, tmp_path / "whole", signer)


def backup_ends(data: bytes) -> list[int]:
    """Return where each frame ends."""
    ends, place = list[int](), len(backup._MAGIC) + backup._ID_BYTES
    while place < len(data):
        place += 4 + int.from_bytes(data[place : place + 4], "big")
        ends.append(place)
    return ends


def test_a_backup_sees_one_moment_while_others_write(database: Database, filled: Owner):
    class Meddling(io.BytesIO):
        def write(self, data: Any) -> int:
            if self.tell() > len(backup._MAGIC) + backup._ID_BYTES:  # The first frame was read, others come.
                with database.transaction() as db:
                    db.execute(update(User).values(primary_language="la"))
            return super().write(data)

    written = Meddling()
    backup.write(database, KEY, written)

    frames = list(backup._frames(KEY, io.BytesIO(written.getvalue())))
    assert frames[0][0] != "users"
    assert [row["primary_language"] for name, found in frames if name == "users" for row in found] == ["en"]
    assert [row["primary_language"] for row in rows(database)["users"]] == ["la"]


def test_a_backup_replaces_no_file_and_wants_its_key(database: Database, tmp_path: Path):
    (tmp_path / "there").write_bytes(b"")
    with pytest.raises(FileExistsError):
        files.save(database, KEY, tmp_path / "there")
    with pytest.raises(KeyFileRefused, match="not there"):
        files.load_key(tmp_path / "none", make=False)

    assert files.load_key(tmp_path / "key", make=True) == files.load_key(tmp_path / "key", make=False)
    files.save(database, KEY, tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in tmp_path.iterdir() if "partial" in path.name) == []
