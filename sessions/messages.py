"""The typed messages between fronts, the host and session processes.

Every message is a tagged struct; a union per listener is what its ``Connection`` decodes. Fields that hold content or
secrets never show in a ``repr``.
"""

from typing import Literal

import msgspec

from models.content import Answer, DocumentStatus
from processes.hardening import Hardening
from processes.ipc import Message

EndedBy = Literal["idle", "absolute", "died", "killed"]

Role = Literal["learner", "tutor"]

# Something of the learner's own under his key.
Sealed = bytes
# A SHA-256, and what was hashed before a document so that nobody can try files against it.
Hash = bytes
Nonce = bytes
# What a document's name is sealed for, under the learner's key.
FILENAME_PURPOSE = "filename"
# What the link it came from is sealed for.
SOURCE_LINK_PURPOSE = "source link"
# What the tutor's suggestions are sealed for.
SUGGESTION_PURPOSE = "suggestion"


# --- front -> host ---------------------------------------------------------------------------------------------------


class Hello(Message, frozen=True):
    """Ask the host who it is."""


class OpenSession(Message, frozen=True):
    """Fork a session process and lease it. Lease times are seconds of the host's monotonic clock."""

    session_id: str
    idle_seconds: int
    absolute_seconds: int


class RenewLease(Message, frozen=True):
    """Somebody used the session: its idle time starts anew. The absolute end does not move."""

    session_id: str


class KillSession(Message, frozen=True):
    """SIGKILL the session process, reap it, remove its socket and its quarantine. Idempotent."""

    session_id: str


class ListSessions(Message, frozen=True):
    """Ask which sessions live, and how the others ended."""


HostRequest = Hello | OpenSession | RenewLease | KillSession | ListSessions

# --- host -> front ---------------------------------------------------------------------------------------------------


class HostHello(Message, frozen=True):
    """The host's identity: ``instance`` is new at every start of the host.

    ``sessions_without_network``: every session process lives in a network namespace of its own, with nothing in it.
    ``hardening`` is the host's own; its sessions inherit it.
    """

    instance: str
    live: int
    capacity: int
    hardening: Hardening
    sessions_without_network: bool = False


class Leased(Message, frozen=True):
    """The session lives; seconds until each end."""

    idle_seconds_left: float
    absolute_seconds_left: float


class Killed(Message, frozen=True):
    """The session process is dead and reaped. ``existed`` is false when it was gone already."""

    existed: bool
    quarantine_files: int


class LiveSessions(Message, frozen=True):
    """All leases, and how sessions that ended without being asked to ended (kept until ``KillSession`` names them)."""

    live: tuple[str, ...]
    ended: dict[str, EndedBy]


class Refused(Message, frozen=True):
    """The request failed; ``slug`` names an error of ``models.errors``."""

    slug: str
    retry_after_seconds: int | None = None


HostReply = HostHello | Leased | Killed | LiveSessions | Refused

# --- front -> session process ----------------------------------------------------------------------------------------


class Unlock(Message, frozen=True):
    """First message of a session: the learner's key (32 bytes) and the languages to expect (ISO 639-1, best first)."""

    learner_key: bytes
    languages: tuple[str, ...]


class BeginUpload(Message, frozen=True):
    """The connection now carries one upload request: files follow, then ``CommitUpload``; closing it aborts."""

    idempotency_key: str | None = None


class BeginFile(Message, frozen=True):
    """A file starts. Its name and type are what the client claims."""

    untrusted_filename: str
    untrusted_media_type: str | None = None


class FileData(Message, frozen=True):
    """Some bytes of the current file. Not answered."""

    data: bytes


class EndFile(Message, frozen=True):
    """The current file is complete. Answered with ``Done`` or ``Refused``; after ``Refused`` the upload is void."""


class CommitUpload(Message, frozen=True):
    """All files are in: queue them, all or none. Answered with ``Accepted`` or ``Refused``."""


class StartResumable(Message, frozen=True):
    """Make room for an upload of ``length`` bytes that may come in parts, over any number of connections."""

    untrusted_filename: str
    untrusted_media_type: str | None
    length: int
    untrusted_metadata: str = ""


class ResumeUpload(Message, frozen=True):
    """The connection now carries bytes of a resumable upload from ``offset`` on; they are kept when it closes."""

    upload_id: str
    offset: int


class SuspendUpload(Message, frozen=True):
    """No more bytes for now. An upload that is complete is queued, as ``CommitUpload`` does it."""


class GetResumable(Message, frozen=True):
    """How far a resumable upload is."""

    upload_id: str


class DropResumable(Message, frozen=True):
    """Forget a resumable upload. What is not complete is destroyed; the document of a complete one stays."""

    upload_id: str


class FetchLink(Message, frozen=True):
    """Make a document of what a link points to. Answered with ``Accepted`` before the site is asked, or ``Refused``."""

    untrusted_url: str
    idempotency_key: str | None = None


class ListDocuments(Message, frozen=True):
    """All documents, in the order of upload."""


class GetDocument(Message, frozen=True):
    """One document."""

    document_id: str


class AskTracer(Message, frozen=True):
    """Has the session's tracer been everywhere that content goes? Answered with ``Tracer``."""


class WatchDocument(Message, frozen=True):
    """One document, as soon as its ``version`` is greater than ``after_version`` or ``timeout_seconds`` have passed."""

    document_id: str
    after_version: int
    timeout_seconds: float


class DeleteDocument(Message, frozen=True):
    """Cancel what runs, remove everything of the document."""

    document_id: str


class TakeBack(Message, frozen=True):
    """An upload that was accepted could not be written down: forget its key, delete its documents. Idempotent."""

    document_ids: tuple[str, ...]


class Ask(Message, frozen=True):
    """Retrieve. ``grant`` is the secret of a grant, or ``None`` when the session's own token asked.

    ``doubtful`` asks for the best passages even when none is relevant.
    """

    text: str
    top_k: int
    max_tokens: int | None = None
    document_ids: tuple[str, ...] | None = None
    language: str | None = None
    grant: bytes | None = None
    doubtful: bool = False


class MintGrant(Message, frozen=True):
    """Make a grant: a secret that is good for ``Ask`` until it expires."""

    ttl_seconds: int


class Summarise(Message, frozen=True):
    """Ask what is held right now."""


class SealedText(Message, frozen=True):
    """A text of the learner's own as the record keeps it; ``purpose`` is what it was sealed for."""

    purpose: str
    sealed: bytes


class AppendTurn(Message, frozen=True):
    """Hold one more turn of the current conversation."""

    role: Role
    text: str


class ReadTurns(Message, frozen=True):
    """The turns that are held."""


class ClearTurns(Message, frozen=True):
    """Forget the turns."""


class Seal(Message, frozen=True):
    """Seal a text under the learner's key, for the record."""

    purpose: str
    text: str


class Unseal(Message, frozen=True):
    """Open texts that were sealed under the learner's key, for the learner's own export."""

    texts: tuple[SealedText, ...]


SessionRequest = (
    Unlock
    | BeginUpload
    | BeginFile
    | FileData
    | EndFile
    | CommitUpload
    | StartResumable
    | ResumeUpload
    | SuspendUpload
    | GetResumable
    | DropResumable
    | FetchLink
    | ListDocuments
    | GetDocument
    | AskTracer
    | WatchDocument
    | DeleteDocument
    | TakeBack
    | Ask
    | MintGrant
    | Summarise
    | AppendTurn
    | ReadTurns
    | ClearTurns
    | Seal
    | Unseal
)

# --- session process -> front ----------------------------------------------------------------------------------------


class Done(Message, frozen=True):
    """Understood and carried out."""


class Unlocked(Message, frozen=True):
    """The session takes work. ``key_commitment`` is the hash of its data key that may be published (32 bytes)."""

    key_commitment: bytes


class Timing(msgspec.Struct, frozen=True):
    """One stage of a document: how long it took or has taken so far, and how many of the pages known are through it."""

    seconds: float
    pages_done: int = 0
    pages_known: int = 0


class DocumentState(Message, frozen=True):
    """One document as its learner may see it, and the facts the record keeps of it.

    ``sealed_filename`` is the name under the learner's key (AES-256-GCM), the only form that may reach SQL.
    ``progress`` runs from 0 to 1; ``version`` grows with every change; ``timings`` tells of each stage so far.
    ``sealed_source_link`` is the link it came from, under the learner's key. ``commitment`` is the SHA-256 of ``nonce``
    and the upload's bytes, once they are all in; the nonce is the learner's, and is kept nowhere else.
    """

    document_id: str
    filename: str
    sealed_filename: Sealed
    media_type: str | None
    bytes: int
    pages: int = 0
    chunks: int = 0
    language: str | None = None
    status: DocumentStatus = "queued"
    progress: float = 0.0
    version: int = 1
    error: str | None = None
    ocr_pages: int = 0
    ocr_confidence: float | None = None
    attachments: int = 0
    sealed_source_link: Sealed | None = None
    timings: dict[str, Timing] = msgspec.field(default_factory=dict[str, Timing])
    commitment: Hash | None = None
    nonce: Nonce = b""


class Documents(Message, frozen=True):
    """Documents in the order of upload."""

    documents: tuple[DocumentState, ...]


class Accepted(Message, frozen=True):
    """The upload is queued; ``replayed`` when an earlier request with the same key had done it already."""

    documents: tuple[DocumentState, ...]
    replayed: bool = False


class Resumable(Message, frozen=True):
    """A resumable upload: ``offset`` of ``length`` bytes are sealed.

    ``document`` is what it became, all bytes being in; until then ``seconds_left`` says when it is given up.
    ``untrusted_metadata`` is what its client said of it, as it was said.
    """

    upload_id: str
    offset: int
    length: int
    untrusted_metadata: str = ""
    seconds_left: float | None = None
    document: DocumentState | None = None


class Deleted(Message, frozen=True):
    """What was removed."""

    document_id: str
    pages: int
    chunks: int
    bytes: int


class Answered(Message, frozen=True):
    """The passages."""

    answer: Answer


class Granted(Message, frozen=True):
    """A grant's secret (32 bytes) and its life in seconds."""

    secret: bytes
    ttl_seconds: int


class Held(Message, frozen=True):
    """What the session holds right now."""

    documents: int
    pages: int
    chunks: int
    bytes: int
    quarantined_files: int
    turns: int = 0


class Tracer(Message, frozen=True):
    """``went``: the tracer was sealed, read in a jail, embedded and held, and a question has found it."""

    went: bool


class Turn(Message, frozen=True):
    """What one side said."""

    role: Role
    text: str


class Turns(Message, frozen=True):
    """The turns that are held, the oldest first, and the bytes of their texts."""

    turns: tuple[Turn, ...]
    bytes: int


class Unsealed(Message, frozen=True):
    """The texts in the order asked; ``None`` where the seal does not fit the learner's key."""

    texts: tuple[str | None, ...]


SessionReply = (
    Done
    | Unlocked
    | SealedText
    | DocumentState
    | Documents
    | Accepted
    | Resumable
    | Deleted
    | Answered
    | Granted
    | Held
    | Tracer
    | Turns
    | Unsealed
    | Refused
)
