"""The small things a front keeps in memory: who signs out at the moment, when leases end, who tried how often."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from api.flights import Flights
from api.leasebook import LeaseBook
from api.settings import AccountSettings
from api.throttle import Throttle
from models.errors import RateLimited, SessionExpired
from sessions.messages import Leased
from tests.support.service import eventually


def test_a_deed_is_done_once_for_all_who_ask_at_the_same_time() -> None:
    flights, started, go_on = Flights[str](), threading.Event(), threading.Event()
    done: list[int] = []

    def deed() -> str:
        started.set()
        go_on.wait(60)
        done.append(1)
        return "receipt"

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(flights.join, "token", deed)
        started.wait(60)
        others = [pool.submit(flights.join, "token", deed) for _ in range(7)]
        assert eventually(lambda: waiting(flights) == 7, seconds=60)
        go_on.set()
        results = [flight.result(60) for flight in [first, *others]]

    assert results == ["receipt"] * 8
    assert len(done) == 1


def waiting(flights: Flights[str]) -> int:
    """Return how many threads wait for the flight to land."""
    flight: Any = flights._flying["token"]
    return len(flight._condition._waiters)


def test_a_deed_that_fails_fails_for_all_and_can_be_tried_again() -> None:
    flights = Flights[str]()

    def fail() -> str:
        raise SessionExpired

    with pytest.raises(SessionExpired):
        flights.join("token", fail)

    assert flights.join("token", lambda: "receipt") == "receipt"


def test_a_lease_ends_at_the_earlier_of_its_two_ends() -> None:
    book, begun = LeaseBook(), datetime.now(UTC)
    book.note("a", Leased(idle_seconds_left=1000, absolute_seconds_left=10_000))
    book.note("b", Leased(idle_seconds_left=1000, absolute_seconds_left=100))

    for session_id, seconds in (("a", 1000), ("b", 100)):
        end = book.end_of(session_id)
        assert end is not None
        # Two clocks are read, one after the other.
        margin = datetime.now(UTC) - begun + timedelta(seconds=1)
        assert abs(end - begun - timedelta(seconds=seconds)) < margin
    assert book.end_of("c") is None


def test_leases_that_are_over_are_forgotten() -> None:
    book = LeaseBook()
    book.note("over", Leased(idle_seconds_left=-1, absolute_seconds_left=10))
    book.note("good", Leased(idle_seconds_left=1000, absolute_seconds_left=1000))

    book.forget_ended()

    assert (book.end_of("over"), book.end_of("good") is None) == (None, False)


def test_a_lease_is_over_only_where_the_book_knows_so() -> None:
    book = LeaseBook()
    book.note("over", Leased(idle_seconds_left=-1, absolute_seconds_left=10))
    book.note("good", Leased(idle_seconds_left=1000, absolute_seconds_left=1000))

    assert [book.is_over(session_id) for session_id in ("over", "good", "unknown")] == [True, False, False]


def test_a_token_is_remembered_as_long_as_its_session_has_a_lease() -> None:
    book = LeaseBook()
    book.note("good", Leased(idle_seconds_left=1000, absolute_seconds_left=1000))
    book.know("its hash", "good")
    book.know("another hash", "gone")

    assert (book.session_of("its hash"), book.session_of("another hash")) == ("good", "gone")
    book.forget_ended()

    assert (book.session_of("its hash"), book.session_of("another hash")) == ("good", None)


def test_one_address_may_try_more_accounts_than_one_account_tries() -> None:
    throttle = Throttle(AccountSettings(sign_ins_per_minute=2))
    for number in range(20):
        throttle.sign_in("192.0.2.1", f"learner-{number}@example.org")

    with pytest.raises(RateLimited) as refused:
        throttle.sign_in("192.0.2.1", "one-more@example.org")
    throttle.sign_in("192.0.2.2", "one-more@example.org")

    assert 1 <= (refused.value.retry_after_seconds or 0) <= 61


def test_questions_of_one_session_do_not_count_for_another() -> None:
    throttle = Throttle(AccountSettings(queries_per_minute=1))
    throttle.query("a")
    throttle.query("b")

    with pytest.raises(RateLimited):
        throttle.query("a")


def test_a_class_behind_one_address_can_sign_up_in_one_lesson() -> None:
    throttle = Throttle(AccountSettings())
    for _ in range(3 * 30):
        throttle.sign_up("192.0.2.1")


def test_an_address_makes_as_many_accounts_as_the_setting_says() -> None:
    throttle = Throttle(AccountSettings(sign_ups_per_hour=2))
    throttle.sign_up("192.0.2.1")
    throttle.sign_up("192.0.2.1")

    with pytest.raises(RateLimited):
        throttle.sign_up("192.0.2.1")
    throttle.sign_up("192.0.2.2")


def test_who_has_not_tried_for_long_is_forgotten_and_who_has_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    throttle = Throttle(AccountSettings(queries_per_minute=1))
    for number in range(50):
        throttle.query(f"session {number}")
    assert held_by(throttle) == 50

    real = time.time
    monkeypatch.setattr("limits.storage.memory.time", SimpleNamespace(time=lambda: real() + 120))
    throttle.query("later")

    assert eventually(lambda: held_by(throttle) == 1, seconds=60)
    with pytest.raises(RateLimited):
        throttle.query("later")


def held_by(throttle: Throttle) -> int:
    """Return of how many something is kept."""
    throttle.forget_idle()
    return len(throttle._storage.events)
