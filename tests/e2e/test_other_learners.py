"""Learners share a machine and nothing else: what one has done shows in no reply, process or folder of another (P4)."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from api.client import Client, LearnerSession
from tests.conftest import new_learner
from tests.support import inspection, library, residue
from tests.support.service import Service

CURRENT = "/v1/sessions/current"
INTERNAL = re.compile(r"score|cosine|similarity|distance|vector|embedding|bm25|logit|path$|socket|trace", re.IGNORECASE)
_PLACE = re.compile(r"/(?:dev|tmp|run|var|proc|usr|etc)/|\.sock\b|\.py\b|Traceback|sqlite|mariadb", re.IGNORECASE)


@pytest.fixture
def stranger(client: Client) -> Iterator[LearnerSession]:
    """Another learner, who comes after the first."""
    with new_learner(client) as session:
        yield session


def upload(session: LearnerSession, text: str, *, name: str = "note.txt") -> str:
    (document,) = session.upload((name, text.encode(), "text/plain"))
    return session.wait(document.document_id).document_id


def sentence(marker: str) -> str:
    return f"The {marker} is a bird that nests only in the bell tower of the old observatory."


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value of a reply with the name it is under; a list of numbers counts as one."""
    if isinstance(value, dict):
        for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from leaves(inner, str(key))
    elif isinstance(value, list) and not all(isinstance(each, float) for each in value):
        for inner in value:
            yield from leaves(inner, name)
    else:
        yield name, value


def replies_to(service: Service, session: LearnerSession, marker: str) -> list[Any]:
    """Use everything a session offers, and be refused a few times; return the replies."""
    with service.client(session.signed_in.token) as http:
        damaged = {"file": ("damaged.pdf", b"%PDF-1.7 damaged", "application/pdf")}
        made = http.post(f"{CURRENT}/documents", files=damaged).json()["documents"][0]["document_id"]
        session.wait(made)
        replies = [
            http.get(CURRENT),
            http.get(f"{CURRENT}/documents"),
            http.get(f"{CURRENT}/documents/{made}"),
            http.get(f"{CURRENT}/documents/{marker[:8]}"),
            http.post(f"{CURRENT}/queries", json={"text": sentence(marker), "doubtful": True, "top_k": 20}),
            http.post(f"{CURRENT}/queries", json={"text": "", "top_k": -1}),
            http.post(f"{CURRENT}/queries", json={"where": {"$ne": ""}, "text": "x", "top_k": 10**9}),
            http.post(f"{CURRENT}/grants", json={"ttl_seconds": 1}),
            http.post(f"{CURRENT}/links", json={"url": "http://127.0.0.1/"}),
            http.delete(f"{CURRENT}/documents/{made}"),
            http.get("/v1/accounts/me/export"),
        ]
        assert {reply.status_code for reply in replies} >= {200, 404, 422}
        return [reply.json() for reply in replies]


def test_no_reply_holds_a_score_a_vector_or_a_place_inside(service: Service, learner: LearnerSession) -> None:
    upload(learner, library.ENGLISH[8])

    found = [leaf for reply in replies_to(service, learner, "anything") for leaf in leaves(reply)]

    assert any(name == "relevance" and value in {"high", "medium", "low"} for name, value in found)
    assert [name for name, _ in found if INTERNAL.search(name)] == []
    assert [name for name, value in found if isinstance(value, list) and value] == []
    assert [value for _, value in found if isinstance(value, str) and _PLACE.search(value)] == []
    assert {name for name, value in found if isinstance(value, float)} <= {"took_ms", "progress", "seconds"}


def test_the_linter_of_replies_finds_what_it_looks_for() -> None:
    reply = {"passages": [{"score": 0.83, "embedding": [0.1, 0.2]}], "detail": "/proc/x/host.sock"}

    found = list(leaves(reply))

    assert [name for name, _ in found if INTERNAL.search(name)] == ["score", "embedding"]
    assert [name for name, value in found if isinstance(value, list)] == ["embedding"]
    assert [value for _, value in found if isinstance(value, str) and _PLACE.search(value)] == ["/proc/x/host.sock"]


def test_a_secret_of_another_is_answered_like_nonsense(
    service: Service, learner: LearnerSession, stranger: LearnerSession
) -> None:
    secret, nonsense = residue.new_marker(), residue.new_marker()
    upload(learner, sentence(secret))
    upload(stranger, "Bees are kept in the hills.")
    assert secret in learner.ask(sentence(secret)).passages[0].text

    with service.client(stranger.signed_in.token) as http:
        answers = [
            http.post(f"{CURRENT}/queries", json={"text": sentence(marker), "doubtful": doubtful}).json()
            for doubtful in (False, True)
            for marker in (secret, nonsense)
        ]

    without_times = [answer | {"took_ms": 0} for answer in answers]
    assert without_times[0] == without_times[1]
    assert without_times[2] == without_times[3]


@pytest.mark.parametrize("gone", [True, False], ids=["who has gone", "who is still there"])
def test_nothing_of_a_learner_reaches_another_through_what_they_share(
    service: Service, learner: LearnerSession, stranger: LearnerSession, *, gone: bool
) -> None:
    """Not by a jail, an embedder or a front that worked for both, nor by an error that the first one ran into."""
    marker = residue.new_marker()
    upload(learner, sentence(marker), name=f"{marker}.txt")
    upload(learner, f"%PDF-1.7 {marker}", name=f"{marker}.pdf")
    own = inspection.session_process(service, learner.session_id)
    assert own is not None
    assert residue.in_memory([own], marker), "it is not even where it belongs"
    if gone:
        learner.sign_out()

    upload(stranger, "Bees are kept in the hills.")
    replies = replies_to(service, stranger, "anything")

    other = inspection.session_process(service, stranger.session_id)
    assert other is not None
    assert residue.in_memory([other], marker) == {}
    assert residue.in_bytes(repr(replies).encode(), marker) == 0
    folder = service.runtime_dir / "quarantine" / stranger.session_id
    assert not folder.exists() or residue.in_files([folder], marker) == []


def ports_of(process: psutil.Process) -> set[int]:
    """Return the ports that a process listens on; none for one that ended since it was listed."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return {each.laddr.port for each in process.net_connections("inet") if each.status == psutil.CONN_LISTEN}
    return set()


def test_nothing_but_the_front_can_be_connected_to(service: Service, learner: LearnerSession) -> None:
    listening = {(process.pid, port) for process in inspection.processes(service) for port in ports_of(process)}

    assert {port for _, port in listening} == {service.port}
    launcher, front = inspection.launcher(service).pid, inspection.process(service, "front").pid
    assert {pid for pid, _ in listening} <= {launcher, front}
