"""What an operator could reveal of a learner is what is published, on both databases, and nothing once he is erased."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.disclosure import NOTHING, NoRecordKey, as_text, disclose
from api.settings import Settings
from models import disclosure
from models.accounts import service as account_record
from models.accounts.erasure_keys import ErasureKeys
from models.accounts.lookup import LookupKey
from models.accounts.passwords import Passwords
from models.accounts.service import Accounts, NewAccount
from models.database import Database
from models.documents import service as documents
from models.documents.service import Facts
from models.ids import new_id
from models.migrations.tables import metadata
from models.privacy import DATA_MAP
from models.receipts import service as receipts
from models.receipts.signing import Receipt, Signer
from models.receipts.statement import Statement
from models.sealing import seal
from tests.support.record import open_session
from tests.support.residue import in_bytes, new_marker
from tests.support.two_years import fill

PAGE = (Path(__file__).parents[3] / "docs" / "disclosure.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)\.(\w+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def published() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table, column, told, _ in ROW.findall(PAGE):
        found.setdefault(table, {})[column] = told
    return found


class Known:
    """A learner with a row in every table, whose every word is a marker; and another one."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.marker = new_marker()
        self.email = f"{self.marker}@example.org"
        lookup = LookupKey.load(settings.key_file("record-key"))
        passwords = Passwords(memory_kib=8, passes=1, concurrent=1)
        accounts = Accounts(passwords, lookup, ErasureKeys(settings.erasure_keys))
        self.user_id = self._sign_up(database, accounts, self.marker, self.email)
        self.other_id = self._sign_up(database, accounts, "somebody", "else@example.org")
        key = accounts.verify(database, self.email, self.marker).learner_key
        sealed = seal(key, self.marker.encode(), purpose="suggestion")
        self.written = self._fill(database, self.user_id, sealed, seed=1)
        self._fill(database, self.other_id, b"\0", seed=2)

    def _sign_up(self, database: Database, accounts: Accounts, name: str, email: str) -> str:
        with database.transaction() as db:
            return accounts.sign_up(db, NewAccount(name, email, self.marker, "en", ("fr",))).user_id

    def _fill(self, database: Database, user_id: str, sealed: bytes, *, seed: int) -> dict[str, int]:
        session_id = open_session(database, user_id)
        written = fill(database, user_id, session_id, seed=seed, days=10, sealed=sealed)
        fact = Facts(new_id(), "text/plain", 10, "ready", sealed_filename=sealed, sealed_source_link=sealed)
        with database.transaction() as db:
            documents.insert(db, [fact], user_id=user_id, session_id=session_id)
            receipts.add(db, _receipt(session_id))
        return written | {"users": 1, "sessions": 1, "uploaded_content_metadata": 1, "receipts": 1}


def _receipt(session_id: str) -> Receipt:
    return Signer(Ed25519PrivateKey.generate()).sign(
        Statement(
            receipt_id=new_id(), kind="purge", session_id=session_id, reason="sign_out", documents_purged=1,
            pages_purged=1, chunks_purged=1, bytes_purged=1, rows_erased=0, verified=(), steps=(),
            opened_at="2026-11-24T08:00Z", ended_at="2026-11-24T08:10Z", software="mayfly",
        )
    )  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def known(database: Database, settings: Settings) -> Known:
    return Known(database, settings)


def test_the_published_list_is_the_data_map_of_every_table_that_leads_to_a_learner() -> None:
    about_nobody = {
        *("erased_usage", "learning_scenarios"),
        *("receipt_key_successions", "receipt_log", "receipt_log_head", "receipt_log_nodes"),
    }

    assert disclosure.about_nobody() == about_nobody
    assert published() == disclosure.fields()
    assert {table: set(columns) for table, columns in published().items()} == {
        table: set(columns) for table, columns in DATA_MAP.items() if table not in about_nobody
    }
    assert {(table, column): purpose for table, column, _, purpose in ROW.findall(PAGE)} == {
        (table, column): DATA_MAP[table][column].purpose for table, columns in published().items() for column in columns
    }
    assert all(f"`{name}`" in PAGE for name in about_nobody)


def test_a_column_or_a_table_that_nobody_mapped_cannot_be_disclosed_by_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATA_MAP, "users", {k: v for k, v in DATA_MAP["users"].items() if k != "created_on"})

    with pytest.raises(KeyError, match="created_on"):
        disclosure.fields()


def test_everything_of_a_learner_is_told_and_nothing_of_another(
    database: Database, settings: Settings, known: Known
) -> None:
    told = disclose(settings, database, known.email)
    text = as_text(told)

    assert told["user_id"] == known.user_id
    assert {table: len(rows) for table, rows in told["record"].items() if rows} == known.written
    assert {table: list(rows[0]) for table, rows in told["record"].items() if rows} == {
        table: list(columns) for table, columns in published().items() if table in known.written
    }
    assert set(told["record"]) == set(published())
    assert in_bytes(repr(told).encode() + text.encode(), known.marker) == 0
    assert known.user_id in text
    assert known.other_id not in text
    assert told["record"]["users"][0]["sealed_username"] == "sealed, at most 64 bytes"
    assert told["record"]["users"][0]["password_wrap"] == "a wrapped key"


def test_no_hash_no_wrapped_key_and_no_sealed_text_is_printed(
    database: Database, settings: Settings, known: Known
) -> None:
    with database.transaction() as db:
        secrets = [
            value
            for table in metadata.sorted_tables
            for row in db.execute(table.select()).mappings()
            for name, value in row.items()
            if value is not None and DATA_MAP[table.name][name].kind in {"hash", "key", "sealed"}
        ]

    told = repr(disclose(settings, database, known.user_id))

    shown = [value.hex() if isinstance(value, bytes) else value for value in secrets]
    assert len(shown) > 5
    assert [value for value in shown if len(value) > 2 and value in told] == []


def test_an_account_is_found_by_its_id_and_by_its_address_however_it_is_written(
    database: Database, settings: Settings, known: Known
) -> None:
    by_id = disclose(settings, database, known.user_id)

    assert by_id["record"]["users"], "nothing was told, so equal answers would prove nothing"
    assert disclose(settings, database, f" {known.email.upper()} ") == by_id


@pytest.mark.parametrize("who", ["nobody@example.org", "0" * 32, "", "'; DROP TABLE users; --"])
def test_of_somebody_unknown_there_is_nothing_to_tell(
    database: Database, settings: Settings, known: Known, who: str
) -> None:
    told = disclose(settings, database, who)

    assert (told["user_id"], told["record"]) == (None, {})
    assert as_text(told) == NOTHING


def test_of_an_erased_account_nothing_is_told_by_address_by_id_or_by_a_receipt(
    database: Database, settings: Settings, known: Known
) -> None:
    before = disclose(settings, database, known.user_id)["record"]["receipts"]

    with database.transaction() as db:
        account_record.erase(db, known.user_id)

    assert len(before) == 1
    assert disclose(settings, database, known.email)["user_id"] is None
    assert disclose(settings, database, known.user_id)["record"] == {}
    with database.transaction() as db:
        assert all(part.rows == [] for part in disclosure.disclose(db, known.user_id))


def test_without_the_record_key_an_address_is_not_looked_up_and_no_key_is_made(
    database: Database, settings: Settings, known: Known
) -> None:
    settings.key_file("record-key").unlink()

    with pytest.raises(NoRecordKey):
        disclose(settings, database, known.email)

    assert not settings.key_file("record-key").exists()
    assert disclose(settings, database, known.user_id)["user_id"] == known.user_id


@pytest.mark.parametrize(("size", "told"), [(1, 32), (32, 32), (33, 64), (64, 64), (65, 128), (1000, 1024)])
def test_a_sealed_text_is_told_by_its_size_class(size: int, told: int) -> None:
    assert disclosure._told("sealed", bytes(size)) == f"sealed, at most {told} bytes"
