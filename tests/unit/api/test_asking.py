"""Whose questions count, and whose sign-in counts: the deeds of a front whose host and session process are fakes."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from fastapi.testclient import TestClient

from api import lifecycle
from api.asking import ask
from api.dependencies import WhoAsks
from api.resources import Resources
from api.schemas.queries import Question
from api.settings import AccountSettings
from api.throttle import Throttle
from models.accounts.service import NewAccount, Unlocked
from models.content import Answer
from models.errors import InvalidCredentials, NothingIndexed, RateLimited, SessionExpired
from models.sessions import service as session_record
from sessions import messages as m
from sessions.client import HostClient, SessionClient

GOOD, BAD = b"good", b"bad"
QUESTION = Question(text="What is a mayfly?")


class Host(HostClient):
    """A host on which every session lives, and that notes what it is told to kill."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"))
        self.killed: list[str] = []

    def hello(self) -> m.HostHello:
        return cast("m.HostHello", SimpleNamespace(instance="one"))

    def renew(self, session_id: str) -> m.Leased:  # noqa: ARG002
        return m.Leased(idle_seconds_left=60, absolute_seconds_left=60)

    def kill(self, session_id: str) -> m.Killed:
        self.killed.append(session_id)
        return m.Killed(existed=True, quarantine_files=0)


class SessionProcess(SessionClient):
    """A session process that knows one grant."""

    def __init__(self, *, is_empty: bool = False) -> None:
        super().__init__(Path("/nowhere"))
        self.is_empty = is_empty

    def ask(self, question: m.Ask) -> Answer:
        if question.grant not in {GOOD, None}:
            raise SessionExpired
        if self.is_empty:
            raise NothingIndexed
        return Answer(passages=(), nothing_relevant=True, took_ms=1.0)


@pytest.fixture
def resources(client: TestClient) -> Resources:
    """A front where a session has two questions a minute, and an address twenty grants that do not hold."""
    built: Resources = client.app.state.resources  # type: ignore[attr-defined]  # It is a FastAPI.
    return dataclasses.replace(built, host=Host(), throttle=Throttle(AccountSettings(queries_per_minute=2)))


def asker(grant: bytes | None, *, address: str = "192.0.2.1", is_empty: bool = False) -> WhoAsks:
    return WhoAsks("a-session", SessionProcess(is_empty=is_empty), address, grant)


def test_grants_that_do_not_hold_use_up_no_question_of_the_session(resources: Resources) -> None:
    for _ in range(5):
        with pytest.raises(SessionExpired):
            ask(resources, asker(BAD), QUESTION)

    assert ask(resources, asker(GOOD), QUESTION).nothing_relevant
    assert ask(resources, asker(None), QUESTION).nothing_relevant
    for grant in (GOOD, None):
        with pytest.raises(RateLimited):
            ask(resources, asker(grant), QUESTION)


def test_a_question_that_finds_nothing_to_search_counts_once_its_grant_holds(resources: Resources) -> None:
    for _ in range(2):
        with pytest.raises(NothingIndexed):
            ask(resources, asker(GOOD, is_empty=True), QUESTION)

    with pytest.raises(RateLimited):
        ask(resources, asker(GOOD), QUESTION)


def test_grants_that_do_not_hold_are_limited_by_address(resources: Resources) -> None:
    for _ in range(20):
        with pytest.raises(SessionExpired):
            ask(resources, asker(BAD), QUESTION)

    with pytest.raises(RateLimited):
        ask(resources, asker(BAD), QUESTION)
    with pytest.raises(SessionExpired):
        ask(resources, asker(BAD, address="192.0.2.2"), QUESTION)
    assert ask(resources, asker(GOOD), QUESTION).nothing_relevant


def test_grants_for_sessions_nobody_knows_are_limited_by_address(client: TestClient) -> None:
    state = client.app.state  # type: ignore[attr-defined]  # It is a FastAPI.
    state.resources = dataclasses.replace(state.resources, throttle=Throttle(AccountSettings(queries_per_minute=1)))
    headers = {"Authorization": f"Bearer {'0' * 32}.{'A' * 43}"}

    tried = [client.post("/v1/sessions/current/queries", json={"text": "?"}, headers=headers) for _ in range(11)]

    assert [reply.status_code for reply in tried] == [401] * 10 + [429]


def test_a_sign_in_that_a_recovery_overtakes_opens_no_session(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    with resources.database.transaction() as db:
        ana = resources.accounts.sign_up(db, NewAccount("ana", "ana@example.org", "correct horse", "fr"))

    def recover_meanwhile(resources: Resources, _session_id: str, _account: Unlocked) -> bytes:
        lifecycle.recover(resources, "ana@example.org", ana.recovery_code, "battery staple")
        return bytes(32)

    monkeypatch.setattr(lifecycle, "_start_process", recover_meanwhile)

    with pytest.raises(InvalidCredentials):
        lifecycle.sign_in(resources, "ana@example.org", "correct horse")

    assert len(cast("Host", resources.host).killed) == 1
    with resources.database.transaction() as db:
        assert session_record.count_open(db, ana.user_id) == 0

    def start(_resources: Resources, _session_id: str, _account: Unlocked) -> bytes:
        return bytes(32)

    monkeypatch.setattr(lifecycle, "_start_process", start)
    assert lifecycle.sign_in(resources, "ana@example.org", "battery staple").token
