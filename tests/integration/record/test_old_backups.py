"""Erasing an account reaches backups that were made before: with every key the operator has, and the learner's own
password and recovery code, nothing that was sealed opens any more.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from api import backup, erasure, lifecycle
from models.accounts import wraps
from models.accounts.erasure_keys import ErasureKeys
from models.accounts.lookup import LookupKey
from models.accounts.passwords import Passwords
from models.accounts.service import Accounts
from models.accounts.tables import User
from models.database import Database
from models.errors import AccountExists, InvalidCredentials
from models.receipts.signing import Signer
from models.sealing import SealBroken, new_key, unseal
from models.sessions import service as sessions
from tests.support.record import open_session, sign_up

KEY = new_key()
EMAIL, PASSWORD = "ada@example.org", "correct horse"


@dataclass
class Past:
    """A backup of an account, and what could open it later."""

    user_id: str
    recovery_code: str
    file: Path
    signer: Signer


@pytest.fixture
def resources(database: Database, accounts: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What an erasure reaches; no session is open, so none has to be purged."""
    monkeypatch.setattr(lifecycle, "end_all_of_account", lambda *_: [])
    return SimpleNamespace(database=database, accounts=accounts, signer=Signer.load(tmp_path / "receipt-key"))


@pytest.fixture
def past(database: Database, accounts: Accounts, resources: Any, tmp_path: Path) -> Past:
    signed_up = sign_up(database, accounts)
    session_id = open_session(database, signed_up.user_id)
    with database.transaction() as db:
        sessions.begin_ending(db, session_id, "sign_out")
        sessions.finish(db, session_id)
    backup.save(database, KEY, tmp_path / "backup")
    return Past(signed_up.user_id, signed_up.recovery_code, tmp_path / "backup", resources.signer)


@pytest.fixture
def restored(database: Database, past: Past, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """The old backup, brought back elsewhere."""
    if database.is_sqlite:
        other = Database(f"sqlite:///{tmp_path / 'elsewhere.sqlite'}")
    else:
        other = Database(request.getfixturevalue("mariadb_server").new_database())
    other.migrate()
    backup.bring_back(other, KEY, past.file, past.signer)
    yield other
    other.dispose()


def stored(database: Database) -> User:
    with database.transaction() as db:
        return db.scalars(select(User)).one()


def test_before_the_erasure_a_restored_backup_opens_with_the_password_and_the_code(
    restored: Database, accounts: Accounts, past: Past
):
    key = accounts.verify(restored, EMAIL, PASSWORD).learner_key

    assert unseal(key, stored(restored).sealed_username, purpose="user name") == b"ada"
    assert accounts.recover(restored, EMAIL, past.recovery_code, "battery staple") == past.user_id
    assert accounts.verify(restored, EMAIL, "battery staple").learner_key == key


def test_after_the_erasure_neither_password_nor_code_opens_a_restored_backup(
    restored: Database, accounts: Accounts, resources: Any, past: Past
):
    receipt = erasure.erase_account(resources, past.user_id)

    assert stored(restored).user_id == past.user_id, "the account is in the backup, so a refusal below is the key's"
    with pytest.raises(InvalidCredentials):
        accounts.verify(restored, EMAIL, PASSWORD)
    with pytest.raises(InvalidCredentials):
        accounts.recover(restored, EMAIL, past.recovery_code, "battery staple")
    assert "erasure_key_gone" in receipt.statement.verified
    assert ("destroy_erasure_key", "done") in [(step.name, step.result) for step in receipt.statement.steps]


def test_not_even_our_own_code_opens_the_wraps_by_hand_once_the_erasure_key_is_gone(
    restored: Database, passwords: Passwords, erasure_keys: ErasureKeys, past: Past
):
    user = stored(restored)
    cost, salt = wraps.parameters(user.password_wrap)
    by_password = passwords.derive(PASSWORD, salt, cost)
    by_code = wraps.recovery_key(past.recovery_code, wraps.parameters(user.recovery_wrap)[1])
    erasure_key = erasure_keys.get(past.user_id)
    assert erasure_key is not None
    opened = wraps.unwrap(user.password_wrap, wraps.joined(by_password, erasure_key))
    assert opened == wraps.unwrap(user.recovery_wrap, wraps.joined(by_code, erasure_key))

    assert erasure_keys.destroy(past.user_id)

    assert erasure_keys.get(past.user_id) is None
    for wrapped, half in ((user.password_wrap, by_password), (user.recovery_wrap, by_code)):
        for key in (half, wraps.joined(half, b""), wraps.joined(half, bytes(32)), wraps.joined(half, os.urandom(32))):
            with pytest.raises(SealBroken):
                wraps.unwrap(wrapped, key)


def test_an_erasure_that_breaks_off_has_destroyed_the_key_before_any_row_was_deleted(
    database: Database, accounts: Accounts, resources: Any, past: Past, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("models.receipts.service.add", fail)
    with pytest.raises(ZeroDivisionError):
        erasure.erase_account(resources, past.user_id)

    assert stored(database).user_id == past.user_id, "nothing was deleted: the sweeper will erase it again"
    with pytest.raises(InvalidCredentials):
        accounts.verify(database, EMAIL, PASSWORD)
    monkeypatch.undo()
    monkeypatch.setattr(lifecycle, "end_all_of_account", lambda *_: [])  # pyright: ignore[reportUnknownLambdaType]
    again = erasure.erase_account(resources, past.user_id)
    assert ("destroy_erasure_key", "nothing_to_do") in [(step.name, step.result) for step in again.statement.steps]


def test_a_destroyed_key_is_overwritten_where_it_lay_and_its_folder_is_private(tmp_path: Path):
    keys, key = ErasureKeys(tmp_path / "keys"), new_key()
    keys.keep("a", key)
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0
    assert (tmp_path / "keys" / "a").stat().st_mode & 0o077 == 0

    with (tmp_path / "keys" / "a").open("rb") as held:
        assert held.read() == key
        assert keys.destroy("a")
        held.seek(0)
        left = held.read()

    assert left != key
    assert list((tmp_path / "keys").iterdir()) == []
    assert not keys.destroy("a")
    assert keys.missing(["a", "b"]) == ["a", "b"]


def test_a_sign_up_that_is_refused_leaves_no_key(tmp_path: Path, database: Database, passwords: Passwords):
    accounts = Accounts(passwords, LookupKey(bytes(32)), ErasureKeys(tmp_path / "keys"))
    sign_up(database, accounts)

    with pytest.raises(AccountExists):
        sign_up(database, accounts)

    assert len(list((tmp_path / "keys").iterdir())) == 1


def test_a_restore_tells_how_many_accounts_lack_their_key(
    restored: Database, erasure_keys: ErasureKeys, past: Past, tmp_path: Path
):
    assert backup.without_erasure_key(restored, erasure_keys) == 0
    assert backup.without_erasure_key(restored, ErasureKeys(tmp_path / "elsewhere")) == 1
