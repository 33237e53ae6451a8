"""One learner's session as the search needs it: filled in every way that is open, then ended in one of three."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Generator
from http import HTTPStatus
from typing import Literal
from urllib.parse import urlsplit

import httpx2

from api.client import FINAL, Client, LearnerSession, Problem, Unreachable, Upload
from api.proving.deployment import Deployment
from api.proving.documents import uploads
from api.proving.markers import Markers
from api.throw_away import made_up_learner
from ingestion.quarantine import SEGMENT_BYTES
from proof.keys import key_in_memory

Way = Literal["sign-out", "hook", "kill"]
WAYS: tuple[Way, ...] = ("sign-out", "hook", "kill")
_WAIT_SECONDS = 60.0
_DRIP_SECONDS = 3.0
_TAG_BYTES = 16
_BOUNDARY = "mayfly-prove"


class ScenarioFailed(Exception):
    """The service did not do what the search needs; the message names the step."""


class Visit:
    """A session that will end in the way given. ``seconds`` collects how long each step took."""

    def __init__(self, deployment: Deployment, markers: Markers, way: Way) -> None:
        self._deployment = deployment
        self._client = Client(deployment.url)
        self.markers = markers
        self.way: Way = way
        self.seconds = dict[str, float]()
        self._learner = made_up_learner("prove")
        self._client.sign_up(self._learner)
        with self._timed("sign in"):
            self.session = self._client.sign_in(self._learner.email, self._learner.password)
        self._slow: SlowUpload | None = None

    def read_note(self) -> None:
        """Upload one sentence and ask for it."""
        self._read(uploads(self.markers)[0])

    def fill(self, *, links_allowed: bool) -> None:
        """Upload, ask, speak, and leave an upload open that never ends."""
        for upload in uploads(self.markers):
            self._read(upload)
        self._call("POST", "/v1/sessions/current/turns", {"role": "learner", "text": self.markers.sentence("turn")})
        if links_allowed:
            host = self.markers.words["link"]
            with contextlib.suppress(Problem):
                self.session.link(f"https://{host}.invalid/{host}")
        self._slow = SlowUpload(self._deployment.url, self.session, self.markers.sentence("slow upload"))

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
        """End the session in its way; returns when its token is dead."""
        with self._timed(self.way):
            if self.way == "sign-out":
                self.session.sign_out()
            elif self.way == "hook":
                self._end_by_hook()
            else:
                self._kill()
            self._await_dead_token()
        if self._slow is not None:
            self._slow.close()

    def erase(self) -> None:
        """Erase the account and close all connections."""
        with contextlib.suppress(Problem, Unreachable):
            self._client.sign_in(self._learner.email, self._learner.password).erase_account()
        self.close()

    def close(self) -> None:
        """Close all connections, that of an open upload too."""
        if self._slow is not None:
            self._slow.close()
        self._client.close()

    def _read(self, upload: Upload) -> None:
        with self._timed("upload until searchable"):
            (document,) = self.session.upload(upload)
            document = self.session.wait(document.document_id)
        if document.status not in FINAL or document.status == "failed":
            raise ScenarioFailed(f"a document was not read: {document.error}")
        with self._timed("question"):
            self.session.ask(f"Where does the {self.markers.words['question']} nest?")

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

    def _await_dead_token(self) -> None:
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            try:
                self.session.held()
            except Problem as problem:
                if problem.status == HTTPStatus.UNAUTHORIZED:
                    return
            time.sleep(0.01)
        raise ScenarioFailed("the token of an ended session lives on")

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
        self.seconds[step] = time.monotonic() - began


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
