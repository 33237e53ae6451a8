"""One learner's session as the search needs it: filled in every way that is open, then ended in one of four."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from http import HTTPStatus
from typing import Literal, TypeVar
from urllib.parse import urlsplit

import httpx2

from api.client import FINAL, Client, Document, LearnerSession, Problem, Receipt, Unreachable, Upload
from api.proving.deployment import Deployment
from api.proving.documents import uploads
from api.proving.markers import Markers
from api.proving.world import Site
from api.throw_away import made_up_learner
from ingestion.quarantine import SEGMENT_BYTES
from proof.keys import key_in_memory

T = TypeVar("T")

Way = Literal["sign-out", "hook", "kill", "expiry"]
WAYS: tuple[Way, ...] = ("sign-out", "hook", "kill")
# What the receipt of a session says that ended in that way.
_REASONS: dict[Way, str] = {"sign-out": "sign_out", "hook": "hook", "kill": "crash", "expiry": "expiry"}
_WAIT_SECONDS = 60.0
_PATIENCE_SECONDS = 300.0
_DRIP_SECONDS = 3.0
_TAG_BYTES = 16
_BOUNDARY = "mayfly-prove"


class ScenarioFailed(Exception):
    """The service did not do what the search needs; the message names the step."""


class Account:
    """A made-up learner, who may come more than once and by several threads; erased in the end."""

    def __init__(self, deployment: Deployment) -> None:
        self._client = Client(deployment.url)
        self._learner = made_up_learner("prove")
        _patiently(lambda: self._client.sign_up(self._learner))

    def sign_in(self) -> LearnerSession:
        """Open a session; where the service says when to come again, come again."""
        return _patiently(lambda: self._client.sign_in(self._learner.email, self._learner.password))

    def receipt_of(self, session: LearnerSession) -> Receipt | None:
        """Return the receipt of a session if it has one, and with it its end."""
        with contextlib.suppress(Problem):
            return self._client.receipt(session.signed_in.receipt_id)
        return None

    def erase(self) -> None:
        """Erase the account and close all connections."""
        with contextlib.suppress(Problem, Unreachable):
            self.sign_in().erase_account()
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


class Visit:
    """A session that will end in the way given. ``seconds`` are those of each step.

    Without an ``account`` it gets one of its own.
    """

    def __init__(self, deployment: Deployment, markers: Markers, way: Way, *, account: Account | None = None) -> None:
        self._deployment = deployment
        self.markers = markers
        self.way: Way = way
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self._account = account or Account(deployment)
        with self._timed("sign in"):
            self.session = self._account.sign_in()
        self._slow: SlowUpload | None = None

    @property
    def idle_seconds(self) -> float:
        """How long the session lives unused."""
        return self.session.signed_in.idle_timeout_seconds

    @property
    def step(self) -> str:
        """What the seconds of the session's end are counted under."""
        return f"expiry, idle for {self.idle_seconds:.0f} s" if self.way == "expiry" else self.way

    def read_note(self) -> None:
        """Upload one sentence under a name that tells, and ask."""
        self._read((f"{self.markers.words['file name']}.txt", self.markers.sentence("body").encode(), "text/plain"))

    def fill(self, *, links_allowed: bool) -> None:
        """Upload, ask, speak and have a link fetched, all beside an upload that never ends.

        That comes first, since it keeps the session alive however long the rest takes.
        """
        self._slow = SlowUpload(self._deployment.url, self.session, self.markers.sentence("slow upload"))
        for upload in uploads(self.markers):
            self._read(upload)
        self._call("POST", "/v1/sessions/current/turns", {"role": "learner", "text": self.markers.sentence("turn")})
        if self._deployment.site is not None:
            self._follow(self._deployment.site)
        elif links_allowed:
            host = self.markers.words["link"]
            with contextlib.suppress(Problem):
                self.session.link(f"https://{host}.invalid/{host}")

    def learn_key(self) -> bytes | None:
        """Find the key of the upload that is still open in the session's memory and return its ciphertext.

        ``None`` when nothing is sealed yet after a minute, or when no key opens it.
        """
        process = self._deployment.session_process(self.session.session_id)
        sealed = self._first_segment()
        if process is None or sealed is None:
            return None
        key = key_in_memory(process, sealed=sealed, nonce=bytes(12), associated=b"\x00")
        if key is None:
            return None
        self.markers.learn_key(key)
        return sealed

    def end(self) -> None:
        """End the session in its way; returns when its token is dead and its receipt says why."""
        with self._timed(self.step):
            self.leave()
            self.await_end()
        self._break_off()
        self._await_receipt()

    def leave(self) -> None:
        """Do what ends the session. One that is left alone ends by itself, its upload broken off in the middle."""
        if self.way == "sign-out":
            self.session.sign_out()
        elif self.way == "hook":
            self._end_by_hook()
        elif self.way == "kill":
            self._kill()
        else:
            self._break_off()

    def await_end(self) -> None:
        """Return when the session's token is dead. Raises ``ScenarioFailed`` when it lives on."""
        patience = _WAIT_SECONDS + (self.idle_seconds if self.way == "expiry" else 0)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            try:
                self.session.held()
            except Problem as problem:
                if problem.status == HTTPStatus.UNAUTHORIZED:
                    return
            time.sleep(0.1 if self.way == "expiry" else 0.01)
        raise ScenarioFailed("the token of an ended session lives on")

    def erase(self) -> None:
        """Erase the account and close all connections, that of an open upload too."""
        self._break_off()
        self._account.erase()

    def close(self) -> None:
        """Close all connections, that of an open upload too."""
        self._break_off()
        self._account.close()

    def _break_off(self) -> None:
        if self._slow is not None:
            self._slow.close()

    def _read(self, upload: Upload) -> None:
        with self._timed("upload until searchable"):
            (document,) = self.session.upload(upload)
            self._await_ready(document)
        with self._timed("question"):
            self.session.ask(f"Where does the {self.markers.words['question']} nest?")

    def _follow(self, site: Site) -> None:
        words = self.markers.words
        link = site.publish(words["link"], title=words["page title"], text=self.markers.sentence("page"))
        with self._timed("link until searchable"):
            self._await_ready(self.session.link(link))

    def _await_ready(self, document: Document) -> None:
        document = self.session.wait(document.document_id)
        if document.status not in FINAL or document.status == "failed":
            raise ScenarioFailed(f"a document was not read: {document.error}")

    def _first_segment(self) -> bytes | None:
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            for file in self._deployment.sealed_files(self.session.session_id):
                data = file.read_bytes()[: SEGMENT_BYTES + _TAG_BYTES]
                if len(data) == SEGMENT_BYTES + _TAG_BYTES:
                    return data
            time.sleep(0.05)
        return None

    def _end_by_hook(self) -> None:
        secret = self._deployment.settings.key_file("hook-secret").read_text(encoding="ascii").strip()
        self._call("POST", f"/v1/sessions/{self.session.session_id}/end", None, token=secret)

    def _kill(self) -> None:
        process = self._deployment.session_process(self.session.session_id)
        if process is None:
            raise ScenarioFailed("the session's process was not found")
        os.kill(process.pid, signal.SIGKILL)

    def _await_receipt(self) -> None:
        deadline = time.monotonic() + _WAIT_SECONDS
        while (receipt := self._account.receipt_of(self.session)) is None:
            if time.monotonic() > deadline:
                raise ScenarioFailed("an ended session has no receipt")
            time.sleep(0.05)
        if receipt["statement"]["reason"] != _REASONS[self.way]:
            raise ScenarioFailed(f"the receipt of a session that ended by {self.way} says otherwise")

    def _call(self, method: str, path: str, body: object, *, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token or self.session.signed_in.token}"}
        reply = httpx2.request(
            method, self._deployment.url + path, json=body, headers=headers, trust_env=False, timeout=_WAIT_SECONDS
        )
        if reply.is_error:
            raise ScenarioFailed(f"{method} was answered with {reply.status_code}")

    @contextlib.contextmanager
    def _timed(self, step: str) -> Generator[None]:
        began = time.monotonic()
        yield
        self.seconds[step].append(time.monotonic() - began)


def _patiently(act: Callable[[], T]) -> T:
    """Do something; where the service says when to come again, wait so long and try again, for some minutes."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return act()
        except Problem as problem:
            if problem.retry_after_seconds is None or time.monotonic() > deadline:
                raise
            time.sleep(problem.retry_after_seconds)


class SlowUpload:
    """An upload that has sent more than one sealed segment and then drips on without an end."""

    def __init__(self, url: str, session: LearnerSession, sentence: str) -> None:
        place = urlsplit(url)
        line = f"{sentence}\n".encode()
        content = line * (2 * SEGMENT_BYTES // len(line))
        part = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="slow.txt"\r\n\r\n'.encode()
        head = (
            f"POST /v1/sessions/current/documents HTTP/1.1\r\nHost: {place.netloc}\r\n"
            f"Authorization: Bearer {session.signed_in.token}\r\n"
            f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\nContent-Length: {10 * len(content)}\r\n\r\n"
        )
        self._connection = socket.create_connection((place.hostname or "", place.port or 80), timeout=30)
        self._connection.sendall(head.encode() + part + content)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._drip, args=(line,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Break off."""
        self._over.set()
        self._thread.join()
        self._connection.close()

    def _drip(self, line: bytes) -> None:
        while not self._over.wait(_DRIP_SECONDS):
            try:
                self._connection.sendall(line)
            except OSError:
                return  # The service cut it off.
