"""Ids, seals, secret files, closed words and the data map."""

import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import LargeBinary, String, Text

from models import keyfile, vocabulary
from models.accounts import wraps
from models.accounts.lookup import LookupKey, normal_name
from models.errors import by_slug
from models.ids import hash_token, is_id, new_id, new_token
from models.migrations.tables import metadata
from models.privacy import DATA_MAP
from models.sealing import SealBroken, new_key, seal, unseal
from tests.support import mariadb


def test_every_column_is_in_the_data_map_and_nothing_else():
    tables = {name: set(table.columns.keys()) for name, table in metadata.tables.items()}
    assert tables, "no tables were found, so the map would be compared with nothing"

    assert {name: set(columns) for name, columns in DATA_MAP.items()} == {
        name: {column.name for column in table.columns} for name, table in metadata.tables.items()
    }


def test_what_the_map_calls_sealed_is_binary_and_what_it_calls_words_is_closed():
    for name, table in metadata.tables.items():
        for column in table.columns:
            kind = DATA_MAP[name][column.name].kind
            if kind in {"sealed", "key", "signature"}:
                assert isinstance(column.type, LargeBinary), column
            if isinstance(column.type, String | Text):
                assert kind in {"id", "enum", "hash", "statement", "ours"}, column


def test_closed_words_fit_their_columns():
    columns = metadata.tables["uploaded_content_metadata"].columns
    for name, words in {
        "file_type": vocabulary.FILE_TYPES,
        "language": vocabulary.LANGUAGES,
        "processed_status": vocabulary.PROCESSED_STATUSES,
        "error_code": by_slug(),
    }.items():
        column = columns[name].type
        assert isinstance(column, String)
        assert max(map(len, words)) <= (column.length or 0), name
    assert all(re.fullmatch("[a-z]{2}", code) for code in vocabulary.LANGUAGES)


@given(st.text())
def test_no_free_word_passes_the_vocabulary(word: str):
    assert vocabulary.file_type(word) in vocabulary.FILE_TYPES
    assert vocabulary.language(word) in {None, *vocabulary.LANGUAGES}
    assert vocabulary.error_code(word) in by_slug()


@given(st.binary(), st.text(max_size=20))
def test_what_was_sealed_opens_with_its_key_and_purpose(plain: bytes, purpose: str):
    key = new_key()

    assert unseal(key, seal(key, plain, purpose=purpose), purpose=purpose) == plain


def test_a_seal_is_broken_by_another_key_purpose_or_any_changed_byte():
    key = new_key()
    sealed = seal(key, b"holiday.pdf", purpose="file name")
    changed = [sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :] for place in range(len(sealed))] + [
        sealed[:cut] for cut in range(len(sealed))
    ]

    assert unseal(key, sealed, purpose="file name") == b"holiday.pdf"
    for broken in changed:
        with pytest.raises(SealBroken):
            unseal(key, broken, purpose="file name")
    with pytest.raises(SealBroken):
        unseal(key, sealed, purpose="user name")
    with pytest.raises(SealBroken):
        unseal(new_key(), sealed, purpose="file name")


def test_the_same_name_sealed_twice_looks_different():
    key = new_key()

    assert seal(key, b"a", purpose="p") != seal(key, b"a", purpose="p")


def test_a_recovery_code_has_160_bits_and_one_meaning():
    code, salt = wraps.new_recovery_code(), wraps.new_salt()

    assert re.fullmatch("([A-Z2-7]{4}-){7}[A-Z2-7]{4}", code)
    assert wraps.recovery_key(code, salt) == wraps.recovery_key(code.lower().replace("-", "  "), salt)
    assert wraps.recovery_key(code, salt) != wraps.recovery_key(code, wraps.new_salt())
    assert len({wraps.new_recovery_code() for _ in range(100)}) == 100


def test_a_wrap_that_is_cut_short_is_a_broken_seal():
    with pytest.raises(SealBroken):
        wraps.parameters(b"short")


def test_lookup_hashes_depend_on_the_deployments_key_and_on_what_is_looked_up():
    one, other = LookupKey(bytes(32)), LookupKey(bytes(31) + b"\1")

    assert one.email("Ada@Example.org") == one.email("ada@example.org")
    assert len({one.email("ada"), one.username("ada"), other.email("ada"), other.username("ada")}) == 4


@given(st.text())
def test_a_normal_name_is_its_own_normal_form(name: str):
    assert normal_name(normal_name(name)) == normal_name(name)


def test_ids_and_tokens_are_fresh_and_tell_themselves_apart():
    assert len({new_id() for _ in range(1000)} | {new_token() for _ in range(1000)}) == 2000
    assert is_id(new_id())
    assert not any(map(is_id, (new_token(), "..", "", new_id() + "\n", new_id().upper() + "G", "../" + new_id()[3:])))
    assert re.fullmatch("[0-9a-f]{64}", hash_token(new_token()))


def test_a_secret_file_that_others_can_read_is_refused(tmp_path: Path):
    file = tmp_path / "secret"
    assert keyfile.load_or_create(file, lambda: b"secret") == b"secret"
    assert keyfile.load_or_create(file, lambda: b"another") == b"secret"

    file.chmod(0o640)

    with pytest.raises(keyfile.KeyFileRefused):
        keyfile.load_or_create(file, lambda: b"another")


def test_processes_that_start_together_agree_on_a_secret(tmp_path: Path):
    start, read = threading.Barrier(8), list[bytes]()

    def load() -> None:
        start.wait()
        read.append(keyfile.load_or_create(tmp_path / "secret", new_key))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(read)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]


def test_a_missing_mariadb_is_a_failure_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(mariadb, "_SEARCH", str(tmp_path))

    with pytest.raises(mariadb.MariaDBMissing, match="apt-get install mariadb-server"), mariadb.running(tmp_path):
        pass
