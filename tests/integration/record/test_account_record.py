import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest
from sqlalchemy import QueuePool, func, select

from models.accounts import service
from models.accounts.erasure_keys import ErasureKeys
from models.accounts.lookup import LookupKey
from models.accounts.passwords import Passwords
from models.accounts.service import Accounts
from models.accounts.tables import User
from models.accounts.wraps import Cost
from models.database import Database
from models.documents import service as documents
from models.documents.service import Facts
from models.errors import AccountExists, InvalidCredentials, InvalidRequest, NoSuchThing, RateLimited
from models.ids import new_id
from models.sealing import SealBroken, new_key
from models.sessions import service as sessions
from tests.support.record import open_session, sign_up, somebody
from tests.support.service import eventually


def test_a_new_learner_can_sign_in_and_reads_his_names(database: Database, accounts: Accounts):
    signed_up = sign_up(database, accounts, "Grace Hopper")

    unlocked = accounts.verify(database, "Grace Hopper@example.org", "correct horse")
    with database.transaction() as db:
        account = service.get(db, signed_up.user_id)

    assert unlocked.user_id == signed_up.user_id
    assert unlocked.languages == ("en", "fr", "ja")
    assert service.reveal(account, unlocked.learner_key) == ("Grace Hopper", "Grace Hopper@example.org")


def test_names_stay_sealed_to_every_other_key(database: Database, accounts: Accounts):
    signed_up = sign_up(database, accounts)
    with database.transaction() as db:
        account = service.get(db, signed_up.user_id)

    with pytest.raises(SealBroken):
        service.reveal(account, new_key())


@pytest.mark.parametrize("twin", ["ADA@EXAMPLE.ORG", " ada@example.org ", "ａｄａ@example.org"])
def test_an_address_has_one_form_however_it_is_typed(database: Database, accounts: Accounts, twin: str):
    signed_up = sign_up(database, accounts)

    assert accounts.verify(database, twin, "correct horse").user_id == signed_up.user_id
    with pytest.raises(AccountExists), database.transaction() as db:
        accounts.sign_up(db, somebody("someone else", email=twin))


@pytest.mark.parametrize("twin", ["ada", "ADA", "  Ada ", "Ａｄａ", "aDa\u2003"])
def test_a_user_name_is_given_once_in_all_its_spellings(database: Database, accounts: Accounts, twin: str):
    sign_up(database, accounts)

    with pytest.raises(AccountExists), database.transaction() as db:
        accounts.sign_up(db, somebody(twin, email="other@example.org"))


def test_a_password_is_the_same_on_every_keyboard(database: Database, accounts: Accounts):
    with database.transaction() as db:
        accounts.sign_up(db, somebody(password="café composed"))

    assert accounts.verify(database, "ada@example.org", "cafe\u0301 composed")


def test_a_long_password_counts_to_its_last_letter(database: Database, accounts: Accounts):
    with database.transaction() as db:
        accounts.sign_up(db, somebody(password="p" * 999 + "x"))

    assert accounts.verify(database, "ada@example.org", "p" * 999 + "x")
    with pytest.raises(InvalidCredentials):
        accounts.verify(database, "ada@example.org", "p" * 999 + "y")


def test_an_unknown_account_costs_as_much_work_as_a_wrong_password(
    database: Database, accounts: Accounts, passwords: Passwords
):
    sign_up(database, accounts)

    def runs(email: str, password: str) -> int:
        before = passwords.runs
        with pytest.raises(InvalidCredentials):
            accounts.verify(database, email, password)
        return passwords.runs - before

    assert runs("ada@example.org", "wrong password") == runs("nobody@example.org", "wrong password") == 1


def test_the_work_of_an_unknown_account_is_done_at_the_same_price():
    dear = Passwords(memory_kib=64, passes=3, concurrent=1)

    assert "m=64,t=3,p=1" in dear._decoy
    assert "m=64,t=3,p=1" in dear.hash("x")


def test_no_more_hashes_run_at_once_than_allowed(monkeypatch: pytest.MonkeyPatch):
    passwords = Passwords(memory_kib=8, passes=1, concurrent=2, max_wait_seconds=60)
    together, inside, peak = threading.Barrier(2, timeout=60), 0, 0
    lock = threading.Lock()

    def slow(_password: str) -> str:
        nonlocal inside, peak
        with lock:
            inside += 1
            peak = max(peak, inside)
        together.wait()  # Passes only when two are inside at once.
        with lock:
            inside -= 1
        return ""

    monkeypatch.setattr(passwords._hasher, "hash", slow)
    threads = [threading.Thread(target=passwords.hash, args=("password",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert peak == 2


def test_who_finds_no_room_to_wait_for_a_hash_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch):
    passwords = Passwords(memory_kib=8, passes=1, concurrent=1, max_wait_seconds=60)
    leave = threading.Event()
    monkeypatch.setattr(passwords._hasher, "hash", lambda _password: str(leave.wait(60)))  # pyright: ignore[reportUnknownLambdaType]

    with ThreadPoolExecutor(9) as pool:
        admitted = [pool.submit(passwords.hash, "password") for _ in range(9)]  # One runs, eight wait.
        assert eventually(lambda: passwords._room._value == 0, seconds=50)
        with pytest.raises(RateLimited) as refused:
            passwords.hash("password")
        leave.set()
        hashes = [flight.result(60) for flight in admitted]

    assert refused.value.retry_after_seconds
    assert hashes == ["True"] * 9
    assert passwords.hash("password")


def test_nobody_waits_for_a_hash_longer_than_allowed(monkeypatch: pytest.MonkeyPatch):
    passwords = Passwords(memory_kib=8, passes=1, concurrent=1, max_wait_seconds=0.05)
    inside, leave = threading.Event(), threading.Event()

    def slow(_password: str) -> str:
        inside.set()
        leave.wait(60)
        return ""

    monkeypatch.setattr(passwords._hasher, "hash", slow)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(passwords.hash, "password")
        assert inside.wait(60)
        with pytest.raises(RateLimited):
            passwords.hash("password")
        assert not running.done()
        leave.set()


@pytest.fixture
def used_while_hashing(
    database: Database, passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[str, int]]:
    """What ran argon2, and how many of the database's connections were in use then."""
    seen: list[tuple[str, int]] = []

    def watch(name: str, run: Callable[..., object]) -> Callable[..., object]:
        def watched(*given: object) -> object:
            seen.append((name, cast("QueuePool", database.engine.pool).checkedout()))
            return run(*given)

        return watched

    for name in ("hash", "matches", "derive"):
        monkeypatch.setattr(passwords, name, watch(name, getattr(passwords, name)))
    return seen


def test_no_connection_is_held_while_a_password_is_hashed(
    database: Database, accounts: Accounts, used_while_hashing: list[tuple[str, int]]
):
    signed_up = sign_up(database, accounts)
    accounts.verify(database, "ada@example.org", "correct horse")
    accounts.recover(database, "ada@example.org", signed_up.recovery_code, "battery staple")

    hashed = [name for name, _ in used_while_hashing]
    assert hashed == ["hash", "derive", "matches", "derive", "hash", "derive"]
    assert {connections for _, connections in used_while_hashing} == {0}


def test_no_connection_is_held_while_a_password_is_hashed_anew(
    database: Database, accounts: Accounts, passwords: Passwords, used_while_hashing: list[tuple[str, int]]
):
    sign_up(database, accounts)
    passwords._hasher = Passwords(memory_kib=16, passes=1, concurrent=1)._hasher
    used_while_hashing.clear()

    accounts.verify(database, "ada@example.org", "correct horse")

    assert used_while_hashing == [("matches", 0), ("derive", 0), ("hash", 0), ("derive", 0)]


def test_a_rehash_does_not_undo_a_recovery_that_came_in_between(
    database: Database, accounts: Accounts, passwords: Passwords, monkeypatch: pytest.MonkeyPatch
):
    signed_up = sign_up(database, accounts)
    derive, recoveries = passwords.derive, [signed_up.recovery_code]

    def derive_and_be_overtaken(password: str, salt: bytes, cost: Cost) -> bytes:
        if recoveries:
            accounts.recover(database, "ada@example.org", recoveries.pop(), "battery staple")
        return derive(password, salt, cost)

    monkeypatch.setattr(passwords, "derive", derive_and_be_overtaken)
    monkeypatch.setattr(passwords, "needs_rehash", lambda _hash: True)  # pyright: ignore[reportUnknownLambdaType]

    with pytest.raises(InvalidCredentials):
        accounts.verify(database, "ada@example.org", "correct horse")

    assert not recoveries
    monkeypatch.undo()
    assert accounts.verify(database, "ada@example.org", "battery staple").user_id == signed_up.user_id


def test_the_recovery_code_sets_a_new_password_and_keeps_the_names_readable(database: Database, accounts: Accounts):
    signed_up = sign_up(database, accounts)
    key_before = accounts.verify(database, "ada@example.org", "correct horse").learner_key

    code = signed_up.recovery_code.replace("-", " ").lower()
    recovered = accounts.recover(database, "ada@example.org", code, "battery staple")

    assert recovered == signed_up.user_id
    assert accounts.verify(database, "ada@example.org", "battery staple").learner_key == key_before
    with pytest.raises(InvalidCredentials):
        accounts.verify(database, "ada@example.org", "correct horse")


@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org"])
def test_a_wrong_recovery_code_is_refused_before_any_hash(
    database: Database, accounts: Accounts, passwords: Passwords, email: str
):
    sign_up(database, accounts)
    before = passwords.runs

    with pytest.raises(InvalidCredentials):
        accounts.recover(database, email, "AAAA-BBBB-CCCC-DDDD-EEEE-FFFF-GGGG-HHHH", "battery staple")

    assert passwords.runs == before


def test_dearer_hashes_are_taken_over_at_the_next_sign_in(database: Database, erasure_keys: ErasureKeys):
    lookup = LookupKey(bytes(32))
    old = Accounts(Passwords(memory_kib=8, passes=1, concurrent=1), lookup, erasure_keys)
    new = Accounts(Passwords(memory_kib=16, passes=2, concurrent=1), lookup, erasure_keys)
    sign_up(database, old)

    key = new.verify(database, "ada@example.org", "correct horse").learner_key
    with database.transaction() as db:
        stored = db.scalar(select(User.password_hash))
    again = new.verify(database, "ada@example.org", "correct horse").learner_key

    assert stored is not None
    assert "m=16,t=2" in stored
    assert again == key


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "no-at-sign"},
        {"email": "@example.org"},
        {"email": "a" * 250 + "@example.org"},
        {"username": "   "},
        {"username": "n" * 65},
        {"username": "nul\0byte"},
        {"password": "short"},
        {"password": "p" * 1025},
        {"primary_language": "english"},
        {"target_languages": ("fr", "my own words")},
        {"target_languages": ("fr",) * 17},
    ],
)
def test_a_malformed_sign_up_is_refused(database: Database, accounts: Accounts, wrong: dict[str, object]):
    with database.transaction() as db, pytest.raises(InvalidRequest):
        accounts.sign_up(db, somebody(**{"name": "ada", **wrong}))  # pyright: ignore[reportArgumentType]


def test_racing_sign_ups_with_one_address_make_one_account(database: Database, accounts: Accounts):
    start = threading.Barrier(8)
    outcomes: list[bool] = []

    def attempt(number: int) -> None:
        start.wait()
        try:
            with database.transaction() as db:
                accounts.sign_up(db, somebody(f"name {number}", email="one@example.org"))
        except AccountExists:
            outcomes.append(False)
        else:
            outcomes.append(True)

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == [False] * 7 + [True]


def test_erasing_an_account_takes_its_sessions_and_documents_along(database: Database, accounts: Accounts):
    ada, other = sign_up(database, accounts, "ada"), sign_up(database, accounts, "other")
    for user in (ada, other):
        session_id = open_session(database, user.user_id)
        fact = Facts(content_id=new_id(), media_type="text/plain", size_bytes=1, status="queued")
        with database.transaction() as db:
            documents.insert(db, [fact], user_id=user.user_id, session_id=session_id)
    with database.transaction() as db:
        assert len(sessions.of_user(db, ada.user_id)) == len(documents.of_user(db, ada.user_id)) == 1

    with database.transaction() as db:
        assert service.erase(db, ada.user_id)

    with database.transaction() as db:
        assert db.scalar(select(func.count()).select_from(User)) == 1
        assert sessions.of_user(db, ada.user_id) == []
        assert documents.of_user(db, ada.user_id) == []
        assert len(documents.of_user(db, other.user_id)) == 1
        assert not service.erase(db, ada.user_id)
        with pytest.raises(NoSuchThing):
            service.get(db, ada.user_id)


def test_nothing_secret_shows_in_a_repr(database: Database, accounts: Accounts):
    signed_up = sign_up(database, accounts)
    shown = repr((signed_up, accounts.verify(database, "ada@example.org", "correct horse"), somebody()))
    with database.transaction() as db:
        shown += repr(service.get(db, signed_up.user_id)) + repr(database)

    assert dataclasses.is_dataclass(signed_up)
    assert signed_up.user_id in shown
    for secret in (signed_up.recovery_code, "ada@", "correct horse", "example.org"):
        assert secret not in shown
