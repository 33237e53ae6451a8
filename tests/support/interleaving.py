"""Deeds of one session that meet at random: planned from a seed, carried out over HTTP, and judged by their history."""

import random
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import httpx2
import psutil

from tests.support import library
from tests.support.history import Deed, History, Kind, passages_of
from tests.support.inspection import session_process
from tests.support.library import Upload
from tests.support.service import Service, eventually

CURRENT = "/v1/sessions/current"
QUESTION = "Who mends the clocks of the valley?"
BARNABAS = library.text(("Old Barnabas mends the clocks of the whole valley behind the smithy.",), name="note.txt")
GEESE = library.text(("The miller keeps geese.",), name="geese.txt")
MEETING_SECONDS = 0.06
SETTLE_SECONDS = 60.0
_BESIDE: Sequence[Kind] = ("upload", "upload", "ask", "ask", "ask_by_grant", "look", "delete", "delete", "sign_out")
_USES: frozenset[Kind] = frozenset({"upload", "ask", "ask_by_grant", "delete"})


@dataclass(frozen=True, slots=True)
class Ending:
    """What may end a session, and in which share of plans it tries to."""

    kind: Kind
    share: float


_ENDINGS = (Ending("sign_out", 0.85), Ending("hook", 0.2), Ending("kill", 0.2))


@dataclass(frozen=True, slots=True)
class Move:
    """A deed and when it begins, in seconds after all are ready."""

    kind: Kind
    after_seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What meets in one session. ``expires``: it all happens around the end of its idle time."""

    seed: str
    moves: tuple[Move, ...]
    expires: bool

    @classmethod
    def drawn(cls, seed: str, *, idle_seconds: float) -> "Plan":
        """Return the plan of a seed; the same one every time."""
        draw = random.Random(seed)  # noqa: S311  # Chance for a test, not a secret.
        expires = draw.random() < 0.15
        kinds: list[Kind] = ["look"]
        kinds += draw.choices(_BESIDE, k=draw.randint(2, 6))
        kinds.extend(ending.kind for ending in _ENDINGS if draw.random() < ending.share)
        if expires:  # Whoever uses a session postpones its end.
            kinds = [kind for kind in kinds if kind not in _USES]
        start = idle_seconds - MEETING_SECONDS / 2 if expires else 0.0
        return cls(seed, tuple(Move(kind, start + draw.random() * MEETING_SECONDS) for kind in kinds), expires)


@dataclass
class Learner:
    """A session over plain HTTP, with a document that can be found and a grant; all it does is written down."""

    service: Service
    session_id: str
    token: str = field(repr=False)
    idle_seconds: float
    grant: str = field(repr=False, default="")
    document_id: str = ""
    process: psutil.Process | None = None
    history: History = field(default_factory=History)

    def __post_init__(self) -> None:
        self.http = self.service.client(self.token)

    def prepare(self, upload: Upload = BARNABAS) -> None:
        """Upload a document, wait until it is found, and mint a grant."""
        (document,) = self.upload(upload).json()["documents"]
        self.document_id = document["document_id"]
        assert eventually(self._is_found, seconds=SETTLE_SECONDS), "it never became searchable"
        self.grant = self.http.post(f"{CURRENT}/grants").json()["token"]
        self.process = session_process(self.service, self.session_id)

    def upload(self, upload: Upload = GEESE) -> httpx2.Response:
        files = {"file": (upload.name, upload.data, upload.media_type)}
        return self.history.request("upload", lambda: self.http.post(f"{CURRENT}/documents", files=files))

    def ask(self) -> httpx2.Response:
        return self.history.request("ask", lambda: self.http.post(f"{CURRENT}/queries", json=_question()))

    def ask_by_grant(self) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.grant}"}
        return self.history.request(
            "ask_by_grant", lambda: self.http.post(f"{CURRENT}/queries", json=_question(), headers=headers)
        )

    def found(self) -> list[tuple[int, int, int]]:
        """Return which passages of the document the last answer held."""
        return passages_of([deed for deed in self.history if deed.kind == "ask"][-1], self.document_id)

    def look(self) -> httpx2.Response:
        return self.history.request("look", lambda: self.http.get(CURRENT))

    def delete(self) -> httpx2.Response:
        url = f"{CURRENT}/documents/{self.document_id}"
        return self.history.request("delete", lambda: self.http.delete(url), about=self.document_id)

    def sign_out(self) -> httpx2.Response:
        return self.history.request("sign_out", lambda: self.http.delete(CURRENT))

    def hook(self) -> httpx2.Response:
        return self.history.request("hook", lambda: self.service.hook(self.session_id))

    def kill(self) -> None:
        """Kill the session process and return when it is dead."""
        assert self.process is not None, "the session has no process to kill"
        began = time.monotonic()
        try:
            self.process.kill()
            self.process.wait(SETTLE_SECONDS)
        except psutil.NoSuchProcess:
            return
        self.history.add(Deed("kill", began, time.monotonic(), 200))

    def _is_found(self) -> bool:
        self.ask()
        return bool(self.found())

    @property
    def moves(self) -> Mapping[Kind, Callable[[], object]]:
        """What the learner, and fate, can do."""
        return {
            "upload": self.upload,
            "ask": self.ask,
            "ask_by_grant": self.ask_by_grant,
            "look": self.look,
            "delete": self.delete,
            "sign_out": self.sign_out,
            "hook": self.hook,
            "kill": self.kill,
        }


@dataclass
class Stage:
    """A service and an account on it that signs in again and again: a new account would cost a hash each time."""

    service: Service
    email: str = ""
    password: str = "correct horse battery"
    recovery_code: str = ""

    def __post_init__(self) -> None:
        self._learners: list[Learner] = []
        self.email = f"{secrets.token_hex(6)}@example.org"
        account = {"username": self.email, "email": self.email, "password": self.password, "primary_language": "en"}
        with self.service.client() as http:
            self.recovery_code = http.post("/v1/accounts", json=account).json()["recovery_code"]

    def sign_in(self) -> httpx2.Response:
        """Try to open a session."""
        with self.service.client() as http:
            return http.post("/v1/sessions", json={"email": self.email, "password": self.password})

    def learner(self) -> Learner:
        """Open a session."""
        return self.learner_of(self.sign_in())

    def learner_of(self, signed_in: httpx2.Response) -> Learner:
        """Return the learner of a session that has been opened."""
        body = signed_in.json()
        learner = Learner(self.service, body["session_id"], body["token"], body["idle_timeout_seconds"])
        self._learners.append(learner)
        return learner

    def close(self) -> None:
        """Close every learner's connections."""
        for learner in self._learners:
            learner.http.close()


def play(stage: Stage, plan: Plan) -> list[str]:
    """Carry a plan out in a session of its own, end the session for good, and return what must not have been."""
    learner, began = stage.learner(), time.monotonic()
    learner.prepare()
    meet([(learner.moves[move.kind], move.after_seconds) for move in plan.moves])
    ended = end_for_good(learner)
    for late in (learner.look, learner.ask, learner.ask_by_grant, learner.upload, learner.sign_out):
        late()
    reason = ended["statement"]["reason"]
    causes = {"hook", *("crash" if move.kind == "kill" else move.kind for move in plan.moves)}
    if plan.expires or time.monotonic() - began > learner.idle_seconds:
        causes.add("expiry")
    return [
        *learner.history.violations(),
        *([] if reason in causes else [f"it ended by {reason}, which did not happen"]),
        *left_of(learner),
    ]


def meet(deeds: Sequence[tuple[Callable[[], object], float]]) -> None:
    """Do each deed that long after all threads are ready; raises what the first failing one raised."""
    ready = threading.Barrier(len(deeds))

    def act(deed: Callable[[], object], after_seconds: float) -> None:
        ready.wait()
        time.sleep(after_seconds)
        deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        for done in [pool.submit(act, *each) for each in deeds]:
            done.result()


def end_for_good(learner: Learner) -> dict[str, Any]:
    """Call the hook until it answers with the receipt: a purge that was interrupted is finished by the next one."""
    replies: list[httpx2.Response] = []

    def answered() -> bool:
        replies.append(learner.hook())
        return replies[-1].status_code == 200

    assert eventually(answered, seconds=SETTLE_SECONDS), replies[-1].text
    return replies[-1].json()


def left_of(learner: Learner) -> list[str]:
    """Return what is left of a session that ended: process, socket, quarantine, an open row, a receipt too many."""
    service, session_id = learner.service, learner.session_id
    found: list[str] = []
    if learner.process is not None and learner.process.is_running():
        found.append("its process lives")
    if (service.runtime_dir / "sessions" / f"{session_id}.sock").exists():
        found.append("its socket is there")
    if (service.runtime_dir / "quarantine" / session_id).exists():
        found.append("its quarantine is there")
    with closing(sqlite3.connect(service.data_dir / "record.sqlite")) as record:
        count = record.execute("SELECT count(*) FROM receipts WHERE session_id = ?", (session_id,)).fetchone()[0]
        states = record.execute("SELECT state FROM sessions WHERE session_id = ?", (session_id,)).fetchall()
    if count != 1:
        found.append(f"it has {count} receipts")
    if states != [("ended",)]:
        found.append(f"the record says {states}")
    return found


def _question() -> dict[str, object]:
    return {"text": QUESTION, "doubtful": True, "top_k": 20}
