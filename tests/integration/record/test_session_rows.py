import threading

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from models.accounts.erasure_keys import ErasureKeys
from models.accounts.lookup import LookupKey
from models.accounts.passwords import Passwords
from models.accounts.service import Accounts
from models.database import Database
from models.errors import InvalidCredentials, NoSuchThing, TooManySessions
from models.ids import hash_token, new_id, new_token
from models.sessions import service
from models.sessions.tables import SessionRow
from models.vocabulary import EndReason
from tests.support.record import INSTANCE, NODE, open_session, opening, sign_up


@pytest.fixture
def user_id(database: Database, accounts: Accounts) -> str:
    return sign_up(database, accounts).user_id


def test_an_open_session_is_found_by_its_token_and_by_no_other(database: Database, user_id: str):
    token = new_token()
    session_id = open_session(database, user_id, token_hash=hash_token(token))

    with database.transaction() as db:
        found = service.find_open(db, hash_token(token))
        assert found is not None
        assert (found.session_id, found.user_id, found.state) == (session_id, user_id, "open")
        assert service.find_open(db, hash_token(new_token())) is None
        assert service.find_open(db, token) is None, "the token itself is stored nowhere"


def test_what_the_database_holds_of_a_token_is_no_token(database: Database, user_id: str):
    token = new_token()
    open_session(database, user_id, token_hash=hash_token(token))

    with database.transaction() as db:
        assert service.find_open(db, hash_token(hash_token(token))) is None


def test_a_token_is_dead_from_the_moment_its_session_ends(database: Database, user_id: str):
    token = new_token()
    session_id = open_session(database, user_id, token_hash=hash_token(token))

    with database.transaction() as db:
        assert service.begin_ending(db, session_id, "sign_out")

    with database.transaction() as db:
        assert service.find_open(db, hash_token(token)) is None
        row = db.get(SessionRow, session_id)
        assert row is not None
        assert row.token_hash is None


def test_the_first_reason_stands(database: Database, user_id: str):
    session_id = open_session(database, user_id)
    with database.transaction() as db:
        assert service.begin_ending(db, session_id, "expiry")
    with database.transaction() as db:
        assert not service.begin_ending(db, session_id, "sign_out")

    with database.transaction() as db:
        info = service.get(db, session_id)
    assert info is not None
    assert info.end_reason == "expiry"


def test_of_fifty_racing_ends_one_wins_each_step(database: Database, user_id: str):
    session_id = open_session(database, user_id)
    start = threading.Barrier(50)
    begun: list[str] = []
    finished: list[str] = []
    reasons: tuple[EndReason, ...] = ("sign_out", "expiry", "crash", "hook", "shutdown")

    def end(number: int) -> None:
        start.wait()
        with database.transaction() as db:
            if service.begin_ending(db, session_id, reasons[number % 5]):
                begun.append(reasons[number % 5])
        with database.transaction() as db:
            if service.finish(db, session_id):
                finished.append("once")

    threads = [threading.Thread(target=end, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.transaction() as db:
        info = service.get(db, session_id)
    assert info is not None
    assert finished == ["once"]
    assert (info.state, [info.end_reason]) == ("ended", begun)


def test_a_session_cannot_finish_before_it_began_to_end(database: Database, user_id: str):
    session_id = open_session(database, user_id)

    with database.transaction() as db:
        assert not service.finish(db, session_id)
        assert service.count_open(db, user_id) == 1


def test_racing_sign_ins_never_exceed_the_cap(database: Database, user_id: str):
    start = threading.Barrier(12)
    refused: list[int] = []

    def attempt(number: int) -> None:
        start.wait()
        try:
            with database.transaction() as db:
                service.open_session(db, opening(user_id), max_open=3)
        except TooManySessions:
            refused.append(number)

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.transaction() as db:
        assert service.count_open(db, user_id) == 3
    assert len(refused) == 9


def test_an_ended_session_makes_room_for_another(database: Database, user_id: str):
    first = open_session(database, user_id)
    with database.transaction() as db, pytest.raises(TooManySessions):
        service.open_session(db, opening(user_id), max_open=1)
    with database.transaction() as db:
        service.begin_ending(db, first, "sign_out")

    with database.transaction() as db:
        assert service.open_session(db, opening(user_id), max_open=1).state == "open"


def test_nobody_opens_a_session_for_an_account_that_is_gone(database: Database):
    with database.transaction() as db, pytest.raises(NoSuchThing):
        service.open_session(db, opening(new_id()), max_open=1)


def test_no_session_opens_on_a_password_that_was_replaced_since(database: Database, accounts: Accounts):
    signed_up = sign_up(database, accounts)
    before = accounts.verify(database, "ada@example.org", "correct horse")
    accounts.recover(database, "ada@example.org", signed_up.recovery_code, "battery staple")
    after = accounts.verify(database, "ada@example.org", "battery staple")

    outdated = opening(signed_up.user_id, password_hash=before.password_hash)
    with pytest.raises(InvalidCredentials), database.transaction() as db:
        service.open_session(db, outdated, max_open=1)
    with database.transaction() as db:
        assert service.count_open(db, signed_up.user_id) == 0
        wish = opening(signed_up.user_id, password_hash=after.password_hash)
        assert service.open_session(db, wish, max_open=1).state == "open"


def test_a_password_taken_over_at_dearer_parameters_opens_a_session(database: Database, erasure_keys: ErasureKeys):
    lookup = LookupKey(bytes(32))
    user_id = sign_up(database, Accounts(Passwords(memory_kib=8, passes=1, concurrent=1), lookup, erasure_keys)).user_id
    dearer = Accounts(Passwords(memory_kib=16, passes=2, concurrent=1), lookup, erasure_keys)

    unlocked = dearer.verify(database, "ada@example.org", "correct horse")

    with database.transaction() as db:
        wish = opening(user_id, password_hash=unlocked.password_hash)
        assert service.open_session(db, wish, max_open=1).state == "open"


def test_unended_sessions_are_listed_by_node_oldest_first(database: Database, user_id: str):
    here = [open_session(database, user_id) for _ in range(3)]
    open_session(database, user_id, node_id="another node")
    with database.transaction() as db:
        service.begin_ending(db, here[0], "crash")
        service.begin_ending(db, here[1], "crash")
        service.finish(db, here[1])

    with database.transaction() as db:
        listed = service.unended(db, NODE)
        assert [info.session_id for info in listed] == [here[0], here[2]]
        assert {info.host_instance for info in listed} == {INSTANCE}
        assert len(service.unended_of_user(db, user_id)) == 3
        assert len(service.of_user(db, user_id)) == 4


@pytest.mark.parametrize(
    "wrong", [{"state": "asleep"}, {"state": "ended"}, {"end_reason": "my own words"}, {"token_hash": None}]
)
def test_the_database_itself_refuses_a_state_that_cannot_be(database: Database, user_id: str, wrong: dict[str, str]):
    session_id = open_session(database, user_id)

    with pytest.raises(IntegrityError) as refusal, database.transaction() as db:
        db.execute(update(SessionRow).where(SessionRow.session_id == session_id).values(wrong))

    assert session_id not in str(refusal.value), "errors show no values"


def test_times_are_utc_and_keep_their_order(database: Database, user_id: str):
    session_id = open_session(database, user_id)
    with database.transaction() as db:
        service.begin_ending(db, session_id, "sign_out")
    with database.transaction() as db:
        service.finish(db, session_id)
        info = service.get(db, session_id)

    assert info is not None
    assert info.ending_at is not None
    assert info.ended_at is not None
    assert info.opened_at < info.ending_at < info.ended_at
    assert str(info.opened_at.tzinfo) == "UTC"
