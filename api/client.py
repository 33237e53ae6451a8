"""A small typed client of Mayfly's HTTP interface, for programs, the demonstration and the tests.

Owns the wire format as a caller sees it; refuses to guess: a field that is missing or has the wrong type raises. It
keeps nothing on disk, follows no redirects and takes no proxy from the environment: content goes to the service alone.
"""

import mimetypes
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar

import httpx2
import msgspec

from api.receipts import PublishedKey
from models.content import Answer, DocumentStatus

FINAL: frozenset[DocumentStatus] = frozenset({"ready", "failed"})
MEDIA_TYPES = {".md": "text/markdown", ".webp": "image/webp"}

T = TypeVar("T")


class Problem(Exception):
    """The service refused: its status, its stable ``code``, its ``title`` and, if it gave one, when to try again."""

    def __init__(self, status: int, code: str, title: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(f"{code}: {title}")
        self.status = status
        self.code = code
        self.title = title
        self.retry_after_seconds = retry_after_seconds


class Unreachable(Exception):
    """No service answered at the address, or it went away while it was asked."""


class SignUp(msgspec.Struct, frozen=True, kw_only=True):
    """What a new account needs. Languages are ISO 639-1 codes."""

    username: str
    email: str
    password: str
    primary_language: str = "en"
    target_languages: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "<SignUp>"


class Account(msgspec.Struct, frozen=True):
    """A new account. The recovery code is shown once and never again."""

    user_id: str
    recovery_code: str | None = None

    def __repr__(self) -> str:
        return f"<Account {self.user_id}>"


class SignedIn(msgspec.Struct, frozen=True):
    """An open session and the token that speaks for it. Times are RFC 3339."""

    session_id: str
    token: str
    token_type: str
    expires_at: str
    idle_timeout_seconds: float
    receipt_id: str = ""

    def __repr__(self) -> str:
        return f"<SignedIn {self.session_id}>"


class Timing(msgspec.Struct, frozen=True):
    """One stage of a document: seconds so far, and how many of the pages known are through it."""

    seconds: float
    pages_done: int
    pages_known: int


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One document of a session; ``progress`` runs from 0 to 1, ``error`` is the code of what went wrong.

    With ``commitment_nonce`` one can show later that a receipt is about this very file.
    """

    document_id: str
    status: DocumentStatus
    filename: str = ""
    media_type: str | None = None
    bytes: int = 0
    pages: int = 0
    chunks: int = 0
    language: str | None = None
    progress: float = 0.0
    error: str | None = None
    timings: dict[str, Timing] = {}
    commitment: str | None = None
    commitment_nonce: str = ""

    def __repr__(self) -> str:
        return f"<Document {self.document_id} {self.status}>"


class Progress(msgspec.Struct, frozen=True):
    """How far a document is."""

    status: DocumentStatus
    progress: float
    timings: dict[str, Timing] = {}


class Grant(msgspec.Struct, frozen=True):
    """The tutor's right to ask this one session, until ``expires_at`` (RFC 3339)."""

    token: str
    scope: str
    expires_at: str

    def __repr__(self) -> str:
        return f"<Grant until {self.expires_at}>"


class Question(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is asked, and bounds on the answer; ``max_tokens`` is the tutor's budget for all passages together.

    ``doubtful`` asks for the best passages even when nothing is relevant.
    """

    text: str
    top_k: int = 5
    max_tokens: int | None = None
    document_ids: tuple[str, ...] | None = None
    language: str | None = None
    doubtful: bool = False

    def __repr__(self) -> str:
        return "<Question>"


Receipt = dict[str, Any]
Upload = tuple[str, bytes | IO[bytes], str]


class _Http:
    """One connection pool; turns refusals into ``Problem`` and silence into ``Unreachable``."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        self.pool = httpx2.Client(base_url=url, timeout=timeout_seconds, trust_env=False)

    def call(self, kind: type[T], method: str, path: str, **request: Any) -> T:
        """Send one request and return its JSON answer as ``kind``."""
        return msgspec.json.decode(self._answer(method, path, **request).content, type=kind)

    def text(self, path: str) -> str:
        """Return what a path answers, as text."""
        return self._answer("GET", path).text

    def _answer(self, method: str, path: str, **request: Any) -> httpx2.Response:
        try:
            reply = self.pool.request(method, path, **request)
        except httpx2.TransportError as error:
            raise Unreachable from error
        _raise_for_problem(reply)
        return reply

    def events(self, path: str, headers: dict[str, str]) -> Iterator[Progress]:
        """Yield a document's events until the service ends the stream."""
        try:
            with self.pool.sse(path, headers=headers) as source:
                if source.response.is_error:
                    source.response.read()
                _raise_for_problem(source.response)
                for event in source:
                    yield msgspec.json.decode(event.data, type=Progress)
        except httpx2.TransportError as error:
            raise Unreachable from error


class LearnerSession(AbstractContextManager["LearnerSession"]):
    """What a session token can do. As a context manager it signs out at the end, so that the session is purged."""

    def __init__(self, http: _Http, signed_in: SignedIn) -> None:
        self.session_id = signed_in.session_id
        self.signed_in = signed_in
        self._http = http
        self._headers = {"Authorization": f"Bearer {signed_in.token}"}
        self._receipt: Receipt | None = None

    def held(self) -> dict[str, Any]:
        """Return what the service holds for this session right now: counts, bytes and its end."""
        return self._call(dict[str, Any], "GET", _CURRENT)

    def upload(self, *sources: Path | Upload, idempotency_key: str | None = None) -> tuple[Document, ...]:
        """Send files in one request and return their documents, queued. A path is sent under its own name."""
        keyed = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        with ExitStack() as opened:
            files = [("file", _as_upload(source, opened)) for source in sources]
            sent = self._call(_Documents, "POST", f"{_CURRENT}/documents", files=files, headers=self._headers | keyed)
        return sent.documents

    def link(self, url: str, *, idempotency_key: str | None = None) -> Document:
        """Have a link fetched and return its document, queued."""
        keyed = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self._call(Document, "POST", f"{_CURRENT}/links", json={"url": url}, headers=self._headers | keyed)

    def documents(self) -> tuple[Document, ...]:
        """Return all documents in the order of upload."""
        return self._call(_Documents, "GET", f"{_CURRENT}/documents").documents

    def document(self, document_id: str) -> Document:
        """Return one document."""
        return self._call(Document, "GET", f"{_CURRENT}/documents/{document_id}")

    def watch(self, document_id: str) -> Iterator[Progress]:
        """Yield the progress of a document as the service reports it; the last one is ``ready`` or ``failed``."""
        while True:
            last: Progress | None = None
            for last in self._http.events(f"{_CURRENT}/documents/{document_id}/events", self._headers):
                yield last
            if last is None:
                raise Unreachable
            if last.status in FINAL:
                return

    def wait(self, document_id: str) -> Document:
        """Return the document once it is ``ready`` or ``failed``."""
        for _ in self.watch(document_id):
            pass
        return self.document(document_id)

    def delete(self, document_id: str) -> dict[str, Any]:
        """Remove a document, or stop it while it is read, and return the counts of what was removed."""
        return self._call(dict[str, Any], "DELETE", f"{_CURRENT}/documents/{document_id}")

    def ask(self, question: str | Question) -> Answer:
        """Return the passages that answer a question."""
        return _ask(self._http, self.signed_in.token, question)

    def grant(self, ttl_seconds: int | None = None) -> Grant:
        """Mint the tutor's right to ask this session."""
        wish = {} if ttl_seconds is None else {"ttl_seconds": ttl_seconds}
        return self._call(Grant, "POST", f"{_CURRENT}/grants", json=wish)

    def erase_account(self) -> Receipt:
        """Erase the account with everything durable, which ends all its sessions; return the receipt."""
        self._receipt = self._call(Receipt, "DELETE", "/v1/accounts/me")
        return self._receipt

    def sign_out(self) -> Receipt:
        """End the session and return the signed receipt of its purge; a second call returns the same one."""
        if self._receipt is None:
            self._receipt = self._call(Receipt, "DELETE", _CURRENT)
        return self._receipt

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.sign_out()
        except (Problem, Unreachable):
            if kind is None:
                raise

    def _call(self, kind: type[T], method: str, path: str, **request: Any) -> T:
        return self._http.call(kind, method, path, **({"headers": self._headers} | request))


class Client(AbstractContextManager["Client"]):
    """A service at ``url``. Every method raises ``Problem`` when it refuses and ``Unreachable`` when nobody answers."""

    def __init__(self, url: str, *, timeout_seconds: float = 120.0) -> None:
        self._http = _Http(url, timeout_seconds=timeout_seconds)

    def is_ready(self) -> bool:
        """Say whether the service answers and has done its sweep, its self-check and its model."""
        try:
            return self._http.pool.get("/health/ready").is_success
        except httpx2.TransportError:
            return False

    def sign_up(self, wish: SignUp) -> Account:
        """Make an account."""
        return self._http.call(Account, "POST", "/v1/accounts", json=msgspec.to_builtins(wish))

    def sign_in(self, email: str, password: str) -> LearnerSession:
        """Open a session."""
        signed_in = self._http.call(SignedIn, "POST", "/v1/sessions", json={"email": email, "password": password})
        return LearnerSession(self._http, signed_in)

    def ask(self, grant: str, question: str | Question) -> Answer:
        """Ask with a grant, as the tutor's tool code does."""
        return _ask(self._http, grant, question)

    def receipt(self, receipt_id: str) -> Receipt:
        """Return a receipt that the service keeps."""
        return self._http.call(Receipt, "GET", f"/v1/receipts/{receipt_id}")

    def receipt_key(self) -> PublishedKey:
        """Return the public key that receipts are checked with."""
        return self._http.call(PublishedKey, "GET", "/v1/receipts/key")

    def checkpoint(self) -> str:
        """Return the newest checkpoint of the public log, a signed note."""
        return self._http.text("/v1/log/checkpoint")

    def entries(self, first: int) -> tuple[str, ...]:
        """Return entries of the public log from one on, as many as the service gives at once."""
        return self._http.call(_Entries, "GET", f"/v1/log/entries/{first}").entries

    def assurance(self) -> dict[str, Any]:
        """Return what the host really guarantees."""
        return self._http.call(dict[str, Any], "GET", "/v1/assurance")

    def limits(self) -> dict[str, Any]:
        """Return the limits in force."""
        return self._http.call(dict[str, Any], "GET", "/v1/limits")

    def close(self) -> None:
        """Close all connections."""
        self._http.pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_CURRENT = "/v1/sessions/current"


class _Documents(msgspec.Struct, frozen=True):
    documents: tuple[Document, ...]


class _Entries(msgspec.Struct, frozen=True):
    entries: tuple[str, ...]


class _ProblemBody(msgspec.Struct, frozen=True):
    code: str = "unknown"
    title: str = "The service refused without saying why"


def _ask(http: _Http, token: str, question: str | Question) -> Answer:
    asked = Question(text=question) if isinstance(question, str) else question
    headers = {"Authorization": f"Bearer {token}"}
    return http.call(Answer, "POST", f"{_CURRENT}/queries", json=msgspec.to_builtins(asked), headers=headers)


def _as_upload(source: Path | Upload, opened: ExitStack) -> Upload:
    if not isinstance(source, Path):
        return source
    guessed = MEDIA_TYPES.get(source.suffix.lower()) or mimetypes.guess_type(source.name)[0]
    return source.name, opened.enter_context(source.open("rb")), guessed or "application/octet-stream"


def _raise_for_problem(reply: httpx2.Response) -> None:
    if reply.is_success:
        return
    try:
        body = msgspec.json.decode(reply.content, type=_ProblemBody)
    except msgspec.DecodeError:
        body = _ProblemBody()
    retry_after = reply.headers.get("Retry-After", "")
    seconds = int(retry_after) if retry_after.isdigit() else None
    raise Problem(reply.status_code, body.code, body.title, retry_after_seconds=seconds)
