"""The record, given away whole, holds no word of a learner's own: not in its rows, not in its files."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from models.accounts import service as account_record
from models.accounts.erasure_keys import ErasureKeys
from models.accounts.lookup import LookupKey
from models.accounts.passwords import Passwords
from models.accounts.service import Accounts, NewAccount
from models.database import Database
from models.documents import service as documents
from models.documents.service import Facts
from models.feedback import service as feedback
from models.feedback.service import NewFeedback
from models.ids import new_id
from models.migrations.tables import metadata
from models.sealing import seal
from models.sessions import service as sessions
from tests.support import mariadb
from tests.support.record import open_session
from tests.support.residue import in_bytes, in_files, new_marker
from tests.support.two_years import fill

REDO_HEADER_BYTES = 12_288  # log_t::START_OFFSET since MariaDB 10.8.


class Learner:
    """One learner whose every word is a marker of its own, all of them written to the record."""

    def __init__(self, database: Database, erasure_keys: ErasureKeys) -> None:
        self.markers = {
            kind: new_marker() for kind in ("name", "mail", "password", "file", "link", "type", "tongue", "advice")
        }
        words = self.markers
        lookup = LookupKey(bytes(range(32)))
        accounts = Accounts(Passwords(memory_kib=8, passes=1, concurrent=1), lookup, erasure_keys)
        email = f"{words['mail']}@example.org"
        with database.transaction() as db:
            self.user_id = accounts.sign_up(db, NewAccount(words["name"], email, words["password"], "en")).user_id
        self.key = accounts.verify(database, email, words["password"]).learner_key
        session_id = open_session(database, self.user_id)
        self.sealed = seal(self.key, words["file"].encode(), purpose="file name")
        fact = Facts(
            content_id=new_id(),
            media_type=words["type"],
            size_bytes=1,
            status="ready",
            language=words["tongue"],
            error=words["type"],
            sealed_filename=self.sealed,
            sealed_source_link=seal(self.key, words["link"].encode(), purpose="source link"),
        )
        fill(database, self.user_id, session_id, seed=1, days=40)
        advice = seal(self.key, words["advice"].encode(), purpose="suggestion")
        judged = NewFeedback(session_id, self.user_id, "grammar", Decimal(1), sealed_suggestions=advice)
        with database.transaction() as db:
            feedback.give(db, judged)
            documents.insert(db, [fact], user_id=self.user_id, session_id=session_id)
        with database.transaction() as db:
            sessions.begin_ending(db, session_id, "sign_out")
            documents.close(db, session_id)

    def erase(self, database: Database) -> None:
        with database.transaction() as db:
            account_record.erase(db, self.user_id)


def dump(database: Database) -> bytes:
    """Return every value of every row of every table."""
    with database.transaction() as db:
        rows = [row for table in metadata.sorted_tables for row in db.execute(select(table))]
    return b"\n".join(_bytes(value) for row in rows for value in row)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def test_a_dump_of_all_rows_holds_no_word_of_the_learners_own(database: Database, erasure_keys: ErasureKeys):
    learner = Learner(database, erasure_keys)

    everything = dump(database)

    assert learner.sealed in everything, (
        "the sealed name was never found, so the absence of the clear one proves nothing"
    )
    assert {kind: in_bytes(everything, marker) for kind, marker in learner.markers.items()} == dict.fromkeys(
        learner.markers, 0
    )


@pytest.mark.parametrize("moment", ["while it is held", "after the account is erased"])
def test_sqlite_files_hold_no_word_of_the_learners_own(tmp_path: Path, erasure_keys: ErasureKeys, moment: str):
    database = Database(f"sqlite:///{tmp_path / 'record.sqlite'}")
    database.migrate()
    learner = Learner(database, erasure_keys)
    control = write_in_the_clear(database)
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert learner.sealed in files
    assert in_files([tmp_path], control), "the search does not see what is in the clear"

    if moment == "after the account is erased":
        learner.erase(database)
    database.dispose()

    for marker in learner.markers.values():
        assert in_files([tmp_path], marker) == []


def test_mariadb_files_hold_no_word_of_the_learners_own_though_they_keep_what_was_deleted(
    mariadb_server: mariadb.Server, erasure_keys: ErasureKeys
):
    database = Database(mariadb_server.new_database())
    database.migrate()
    learner = Learner(database, erasure_keys)
    control = write_in_the_clear(database)
    learner.erase(database)
    database.dispose()
    mariadb_server.execute("FLUSH TABLES", "FLUSH LOGS")

    # The log is a ring behind its header: what was written as it came round lies at its end and at its beginning.
    redo_log = (mariadb_server.data / "ib_logfile0").read_bytes()
    redo_log += redo_log[REDO_HEADER_BYTES:]
    assert learner.sealed in redo_log, "the redo log keeps even what was deleted, which is why names are sealed"
    assert in_bytes(redo_log, control), "the search does not see what is in the clear"
    for marker in learner.markers.values():
        assert in_files([mariadb_server.data], marker) == []


def write_in_the_clear(database: Database) -> str:
    """Store a marker as a careless table would, and return it."""
    control = new_marker()
    with database.transaction() as db:
        db.execute(text("CREATE TABLE careless (word VARCHAR(40))"))
        db.execute(text("INSERT INTO careless VALUES (:word)"), {"word": control})
    return control
