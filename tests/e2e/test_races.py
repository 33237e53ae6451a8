"""Deeds that meet: whatever overlaps, what begins after an answered end or deletion never sees what is gone (P2, P4).

``MAYFLY_TEST_INTERLEAVINGS`` says how many random ones are tried (100), ``MAYFLY_TEST_SEED`` repeats those of a
failure, whose message names it.
"""

import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

import httpx2
import pytest

from tests.conftest import serving
from tests.support import library
from tests.support.history import Kind, passages_of
from tests.support.interleaving import Learner, Plan, Stage, end_for_good, left_of, meet, play
from tests.support.service import Service

IDLE_SECONDS = 12  # Longer than a busy machine holds up a session that is being prepared.
INTERLEAVINGS = int(os.environ.get("MAYFLY_TEST_INTERLEAVINGS", "100"))
AT_ONCE = 4


@pytest.fixture(scope="module")
def hasty() -> Iterator[Service]:
    """A service whose sessions expire soon."""
    with serving(MAYFLY_SESSIONS_IDLE_SECONDS=str(IDLE_SECONDS), MAYFLY_SESSIONS_SWEEP_SECONDS="0.2") as service:
        yield service


@pytest.fixture
def stage(service: Service) -> Iterator[Stage]:
    with closing(Stage(service)) as stage:
        yield stage


@pytest.mark.slow
@pytest.mark.timeout(600 + 2 * INTERLEAVINGS)
def test_no_random_interleaving_shows_what_is_gone(hasty: Service) -> None:
    seed = os.environ.get("MAYFLY_TEST_SEED") or secrets.token_hex(4)
    plans = [Plan.drawn(f"{seed}-{number}", idle_seconds=IDLE_SECONDS) for number in range(INTERLEAVINGS)]

    with closing(Stage(hasty)) as stage, ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(lambda plan: play(stage, plan), plans))

    broken = [(plan, outcome) for plan, outcome in zip(plans, outcomes, strict=True) if outcome]
    assert not broken, f"MAYFLY_TEST_SEED={seed} MAYFLY_TEST_INTERLEAVINGS={INTERLEAVINGS} repeats these: {broken}"
    assert any(plan.expires for plan in plans)


def test_fifty_sign_outs_at_once_make_one_receipt(stage: Stage) -> None:
    learner = stage.learner()

    meet([(learner.sign_out, 0.0)] * 50)

    replies = [deed for deed in learner.history if deed.kind == "sign_out"]
    assert len(replies) == 50
    assert any(deed.succeeded for deed in replies)
    assert {deed.status for deed in replies} <= {200, 401}
    assert learner.history.violations() == []
    assert left_of(learner) == []


@pytest.mark.parametrize("round_number", range(3))
def test_an_answer_holds_a_document_wholly_or_not_at_all_while_it_is_deleted(stage: Stage, round_number: int) -> None:
    learner = stage.learner()
    learner.prepare()
    learner.prepare(library.pdf(library.ENGLISH[:8]))
    before = learner.found()

    def ask_on() -> None:
        while learner.found():
            learner.ask()

    meet([(ask_on, 0.0)] * 4 + [(learner.delete, 0.05)])

    asked = [deed for deed in learner.history if deed.kind == "ask"]
    assert len(before) > 1, "with one passage there is no half"
    assert {tuple(passages_of(deed, learner.document_id)) for deed in asked if deed.succeeded} == {tuple(before), ()}
    assert learner.history.violations() == []
    learner.sign_out()


def test_fifty_uploads_at_once_fill_a_quota_and_go_not_beyond(stage: Stage) -> None:
    learner = stage.learner()
    program = library.Upload("tool", "application/octet-stream", b"\x7fELF" + bytes(1000))  # Reading it costs nothing.
    files = learner.http.get("/v1/limits").json()["files_per_session"]

    with ThreadPoolExecutor(50) as pool:
        replies = [each.result() for each in [pool.submit(learner.upload, program) for _ in range(50)]]

    held = learner.look().json()
    assert Counter(reply.status_code for reply in replies) == {202: files, 413: 50 - files}
    assert {reply.json()["code"] for reply in replies if reply.status_code == 413} == {"quota_exceeded"}
    assert (held["documents"], held["bytes"]) == (files, files * len(program.data))
    assert learner.sign_out().json()["statement"]["documents_purged"] == files


def test_no_session_outlives_the_answer_to_a_password_change(stage: Stage) -> None:
    learners = [stage.learner() for _ in range(4)]

    def change() -> httpx2.Response:
        body = {"email": stage.email, "recovery_code": stage.recovery_code, "new_password": "another horse battery"}
        with stage.service.client() as http:
            return http.post("/v1/accounts/recovery", json=body)

    opened = end_account(stage, learners, "recover", change)

    assert stage.sign_in().status_code == 401, "the old password is good no more"
    assert_over([*learners, *opened], reasons={"sign_out"})


def test_no_session_outlives_the_answer_to_an_erasure(stage: Stage) -> None:
    learners = [stage.learner() for _ in range(4)]

    opened = end_account(stage, learners, "erase", lambda: learners[0].http.delete("/v1/accounts/me"))

    assert stage.sign_in().status_code == 401
    for learner in [*learners, *opened]:
        learner.look()
        assert end_for_good(learner)["statement"]["reason"] == "erasure"
        assert learner.history.violations() == []


def end_account(stage: Stage, learners: list[Learner], kind: Kind, end: Callable[[], httpx2.Response]) -> list[Learner]:
    """Use every session and open new ones until refused, while one request ends them all; return the new ones."""
    opened: list[Learner] = []

    def use(learner: Learner) -> None:
        learner.upload()
        while learner.ask().status_code != 401:
            continue

    def sign_in() -> None:
        while (reply := stage.sign_in()).status_code == 201:
            opened.append(stage.learner_of(reply))

    def end_all() -> None:
        learners[0].history.request(kind, end)
        (ended,) = [deed for deed in learners[0].history if deed.kind == kind]
        assert ended.succeeded, ended.status
        for learner in learners[1:]:
            learner.history.add(ended)

    meet([(partial(use, learner), 0.0) for learner in learners] + [(sign_in, 0.0), (end_all, 0.1)])
    return opened


def assert_over(learners: list[Learner], *, reasons: set[str]) -> None:
    """Prove that each session ended once and that nothing was seen of it afterwards."""
    for learner in learners:
        learner.look()
        assert end_for_good(learner)["statement"]["reason"] in reasons
        assert learner.history.violations() == []
        assert left_of(learner) == []
