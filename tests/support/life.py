"""The life of sessions as a state machine: anything learners, tutors and fate can do, in any order, and what must hold.

Run under ``unshare --net --mount`` as ``python -m tests.support.life``: inside, links lead to a site on the loopback
device. ``MAYFLY_TEST_LIVES`` is how many lives are tried, ``MAYFLY_TEST_STEPS`` how long each may be, and
``MAYFLY_TEST_SEED`` repeats those of a failure, which names it.
"""

import contextlib
import os
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import hypothesis
import psutil
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from api.proving.world import PUBLIC, name_addresses
from api.receipts import PublishedKey, is_valid
from models.database import TIMEOUT_SECONDS
from tests.support import inspection, residue
from tests.support.life_world import CURRENT, IDLE_SECONDS, PASSWORD, SETTLE_SECONDS, USERS, Held, World, world
from tests.support.service import eventually
from tests.support.sites import Site

LIVES = int(os.environ.get("MAYFLY_TEST_LIVES", "3"))
STEPS = int(os.environ.get("MAYFLY_TEST_STEPS", "12"))
_SITE = "site.example"
_BREAKS_A_LIFE = 2
_LIVE_AT_ONCE = 4


class Life(RuleBasedStateMachine):
    """One life: sessions come and go on a service that keeps running from one life to the next."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.sessions: list[Held] = []
        self.marker = residue.new_marker()  # It begins the marker of every session, so that one search finds all.
        self.database_is_down = False
        self.breaks = 0

    @property
    def live(self) -> list[Held]:
        """The sessions that have not been seen to be over."""
        return [held for held in self.sessions if not held.ended]

    @property
    def holds_something(self) -> bool:
        """Whether a document is there that a fault could lose or leave behind."""
        return any(held.documents for held in self.live)

    @property
    def database_is_away(self) -> bool:
        """Whether the last request may have been refused because the database did not answer it in time."""
        return self.database_is_down or self.world.took_seconds >= TIMEOUT_SECONDS

    def pick(self, data: st.DataObject, *, ready: bool = False) -> Held:
        return data.draw(st.sampled_from([held for held in self.live if held.documents or not ready]), label="session")

    def said_yes(self, held: Held, reply: httpx2.Response, *, used: float | None = None) -> bool:
        """Take an answer in: yes, or a refusal for which there is a reason."""
        if reply.status_code == 401:
            assert held.may_be_over, f"{held} was refused without a reason"
            held.ended = True
        elif reply.status_code == 503:
            assert self.database_is_away, f"{held} found a part unavailable: {reply.text}"
        elif reply.is_success:
            assert not held.ended, f"{held} is over and was answered with {reply.status_code}"
            held.used_at = used or held.used_at
        return reply.is_success

    def use(self, held: Held, method: str, path: str, **options: Any) -> httpx2.Response | None:
        """Send a request that keeps a session alive; ``None`` when it was refused because the session may be over."""
        began = time.monotonic()
        reply = self.world.request(method, CURRENT + path, held.token, **options)
        return reply if self.said_yes(held, reply, used=began) or reply.status_code not in {401, 503} else None

    @initialize()
    def everybody_comes(self) -> None:
        for user in range(USERS):
            self.sign_in(user)

    # --- what learners and tutors do ---------------------------------------------------------------------------------

    @precondition(lambda self: len(self.live) < _LIVE_AT_ONCE)
    @rule(user=st.integers(0, USERS - 1))
    def sign_in(self, user: int) -> None:
        began = time.monotonic()
        who = {"email": self.world.emails[user], "password": PASSWORD}
        reply = self.world.request("POST", "/v1/sessions", None, json=who)
        if self.database_is_down:
            assert reply.status_code == 503
            return
        assert reply.status_code == 201, reply.text
        opened = reply.json()
        held = Held(user, len(self.sessions), opened["session_id"], opened["token"], began)
        held.marker = self.marker + held.marker
        self.sessions.append(held)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def upload(self, data: st.DataObject) -> None:
        held = self.pick(data)
        files = {"file": (f"{held.marker}.txt", held.sentence().encode(), "text/plain")}
        reply = self.use(held, "POST", "/documents", files=files)
        if reply is None:
            held.cut_off += 1
        else:
            assert reply.status_code == 202, reply.text
            self.await_ready(held, reply.json()["documents"][0]["document_id"])

    @precondition(lambda self: self.live and self.world.site is not None)
    @rule(data=st.data())
    def link(self, data: st.DataObject) -> None:
        held = self.pick(data)
        url = self.world.publish(f"/{held.marker}.html", held.sentence())
        reply = self.use(held, "POST", "/links", json={"url": url})
        if reply is None:
            held.cut_off += 1
        else:
            assert reply.status_code == 202, reply.text
            self.await_ready(held, reply.json()["document_id"])

    def await_ready(self, held: Held, document_id: str) -> None:
        """An acknowledged document becomes searchable, unless its session ends before."""

        def is_final() -> bool:
            reply = self.world.request("GET", f"{CURRENT}/documents/{document_id}", held.token)
            return not self.said_yes(held, reply) or reply.json()["status"] in {"ready", "failed"}

        assert eventually(is_final, seconds=SETTLE_SECONDS), f"a document of {held} was never finished"
        if held.ended:
            held.cut_off += 1
        else:
            held.documents.append(document_id)

    @precondition(lambda self: self.holds_something)
    @rule(data=st.data(), by_grant=st.booleans())
    def ask(self, data: st.DataObject, *, by_grant: bool) -> None:
        held = self.pick(data, ready=True)
        if by_grant and not held.grants:
            minted = self.use(held, "POST", "/grants")
            if minted is None:
                return
            held.grants.append(minted.json()["token"])
        began = time.monotonic()
        token = held.grants[-1] if by_grant else held.token
        wish = {"text": f"Where does the {held.marker} nest?", "doubtful": True, "top_k": 20}
        reply = self.world.request("POST", f"{CURRENT}/queries", token, json=wish)
        if self.said_yes(held, reply, used=began):
            passages = reply.json()["passages"]
            assert {passage["document_id"] for passage in passages} <= set(held.documents)
            assert all(held.marker in passage["text"] for passage in passages), "somebody else's passage came back"
            assert passages, "a ready document was not found"

    @precondition(lambda self: self.holds_something)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        held = self.pick(data, ready=True)
        document_id = data.draw(st.sampled_from(held.documents), label="document")
        reply = self.use(held, "DELETE", f"/documents/{document_id}")
        if reply is not None:
            assert reply.status_code == 200, reply.text
            held.documents.remove(document_id)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), by_hook=st.booleans())
    def sign_out(self, data: st.DataObject, *, by_hook: bool) -> None:
        held = self.pick(data)
        reply = self.world.hook(held.session_id) if by_hook else self.world.request("DELETE", CURRENT, held.token)
        if self.said_yes(held, reply):
            held.receipt, held.ended = reply.json(), True
        elif reply.status_code == 503:
            held.befallen = True  # Deleting waits for no database: it may be over all the same.

    # --- what befalls them -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.holds_something)
    @rule()
    def expire(self) -> None:
        """Let everybody's idle time pass."""
        assert eventually(lambda: all(held.may_be_over for held in self.live), seconds=IDLE_SECONDS + 1)
        for held in self.live:
            held.befallen = True

            def is_over(held: Held = held) -> bool:
                reply = self.world.request("GET", CURRENT, held.token)
                return self.database_is_down or not self.said_yes(held, reply)

            assert eventually(is_over, seconds=SETTLE_SECONDS), f"{held} did not expire"

    @precondition(lambda self: self.live and not self.database_is_down)
    @rule(data=st.data())
    def kill_a_session(self, data: st.DataObject) -> None:
        held = self.pick(data)
        process = inspection.session_process(self.world.service, held.session_id)
        assert process is not None or held.may_be_over, f"{held} has no process"
        held.befallen = True
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):  # It may have expired meanwhile.
                inspection.kill(process)

    @precondition(lambda self: self.live and not self.database_is_down)
    @rule(data=st.data())
    def fill_the_disk(self, data: st.DataObject) -> None:
        """Send an upload to a session whose process may write no byte."""
        held = self.pick(data)
        process = inspection.session_process(self.world.service, held.session_id)
        if process is None:
            assert held.may_be_over, f"{held} has no process"
            return
        with contextlib.suppress(ProcessLookupError), inspection.full_disk(process):  # It may have expired meanwhile.
            files = {"file": (f"{held.marker}.txt", held.sentence().encode(), "text/plain")}
            reply = self.use(held, "POST", "/documents", files=files)
            assert reply is None or (reply.status_code, reply.json()["code"]) == (507, "no_space"), reply.text

    @precondition(lambda self: self.holds_something and not self.database_is_down and self.breaks < _BREAKS_A_LIFE)
    @rule(what=st.sampled_from(["front", "host", "embedder", "jailer", "restart", "crash"]))
    def break_a_part(self, what: str) -> None:
        self.breaks += 1
        if what in {"host", "restart", "crash"}:
            for held in self.live:
                held.befallen = True
        if what in {"restart", "crash"}:
            self.world.restart(crash=what == "crash")
        else:
            self.world.kill(what)

    @precondition(lambda self: self.holds_something and not self.database_is_down and self.breaks < _BREAKS_A_LIFE)
    @rule()
    def lose_the_database(self) -> None:
        self.breaks += 1
        self.world.database.kill()
        self.database_is_down = True

    @precondition(lambda self: self.database_is_down)
    @rule()
    def get_the_database_back(self) -> None:
        self.world.database.start()
        self.database_is_down = False
        self.world.wait_until_ready()

    # --- what must hold after every step -----------------------------------------------------------------------------

    @invariant()
    def dead_tokens_open_nothing(self) -> None:
        for held in [held for held in self.sessions if held.ended][-_LIVE_AT_ONCE:]:
            self.assert_refused(held, self.world.request("GET", CURRENT, held.token))
            for grant in held.grants:
                question = {"text": held.marker}
                self.assert_refused(held, self.world.request("POST", f"{CURRENT}/queries", grant, json=question))

    def assert_refused(self, held: Held, reply: httpx2.Response) -> None:
        assert reply.status_code in ({401, 503} if self.database_is_away else {401}), held

    @invariant()
    def what_lives_holds_what_it_took_and_says_so(self) -> None:
        for held in self.live:
            reply = self.world.request("GET", f"{CURRENT}/documents", held.token)
            if self.said_yes(held, reply):
                told = [(document["document_id"], document["status"]) for document in reply.json()["documents"]]
                assert told == [(document_id, "ready") for document_id in held.documents], held

    @invariant()
    def nothing_is_left_of_what_ended(self) -> None:
        for held in self.sessions:
            if held.receipt is not None:
                assert held.session_id not in self.world.strays(self.live), f"{held} was purged and is still there"
        assert self.world.is_clean(self.live), self.world.strays(self.live)

    @invariant()
    def no_file_holds_a_word(self) -> None:
        assert self.world.in_files(self.marker) == []

    @invariant()
    def no_session_has_two_receipts(self) -> None:
        if not self.database_is_down:
            counted = "SELECT session_id FROM receipts WHERE kind = 'purge' GROUP BY session_id HAVING count(*) > 1"
            assert self.world.rows(counted) == []

    def teardown(self) -> None:
        """End everything, and prove that each session has its one true receipt and has left no word anywhere."""
        if self.database_is_down:
            self.get_the_database_back()
        self.assert_can_be_found()
        key = PublishedKey(**self.world.request("GET", "/v1/receipts/key", None).json())
        for held in self.sessions:
            reply = self.world.hook(held.session_id)
            assert reply.status_code == 200, reply.text
            assert is_valid(reply.json(), key)
            assert held.receipt is None or held.receipt == reply.json(), f"{held} got two receipts"
            surplus = reply.json()["statement"]["documents_purged"] - len(held.documents)
            assert 0 <= surplus <= held.cut_off, f"the receipt of {held} counts {surplus} documents too many"
        assert self.world.is_clean([]), self.world.strays([])
        found = self.world.in_memory(self.marker)
        assert not found, f"its words are still in memory: {found}"
        assert self.world.in_files(self.marker) == []
        assert self.world.in_database_files(self.marker) == []

    def assert_can_be_found(self) -> None:
        """What is not found below in vain must be found while it is there."""
        for held in self.live:
            process = inspection.session_process(self.world.service, held.session_id)
            if held.documents and process is not None:
                found = residue.in_memory([process], self.marker)
                assert found or not process.is_running(), f"no word of {held} is even where it belongs"


def main() -> None:
    """Try lives; the exit status says whether all held."""
    seed = int(os.environ.get("MAYFLY_TEST_SEED") or secrets.randbits(32))
    print(f"MAYFLY_TEST_SEED={seed} MAYFLY_TEST_LIVES={LIVES} MAYFLY_TEST_STEPS={STEPS}", flush=True)  # noqa: T201
    chosen = settings(
        max_examples=LIVES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        print_blob=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        name_addresses(Path(folder) / "hosts", {_SITE: PUBLIC})
        with world(Site({}, address=(PUBLIC, 80)), _SITE) as Life.world:
            run_state_machine_as_test(hypothesis.seed(seed)(Life), settings=chosen)


if __name__ == "__main__":
    sys.exit(main())
