"""A record and a host together, as a front has them."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select

from ingestion.jail import JailClient
from models import database as _database
from models.database import Database
from models.documents import service as documents
from models.documents.service import DocumentInfo
from models.errors import SessionExpired
from models.ids import hash_token, new_id, new_token
from models.receipts import log
from models.receipts.signing import Receipt, Signer
from models.receipts.tables import ReceiptRow
from models.sessions import service as sessions
from models.sessions.service import Opening, SessionInfo
from sessions import purge as _purge
from sessions import sweep as _sweep
from sessions.client import HostClient, SessionClient
from sessions.facts import facts_of
from sessions.purge import PurgeParts, PurgeTurns, purge
from tests.support.hosting import KEY, File, Hosting, Session, wait_until
from tests.support.record import NODE
from vectorstore.client import EmbedderClient

# As its receipt names them, in their order.
STEPS = (
    "refuse_new_work",
    "count",
    "stop_jails",
    "drop_queued_texts",
    "kill_session",
    "remove_quarantine",
    "shrink_rows",
    "verify",
)
# What gives up after one second or five: on a machine that stalls for longer, answers that tests count on are lost.
IMPATIENT = ((_purge, "_LOOK_SECONDS"), (_sweep, "_LOOK_SECONDS"), (_database, "TIMEOUT_SECONDS"))
PATIENT_SECONDS = 60
SIGNER = Signer(Ed25519PrivateKey.generate())
TEXT: File = ("notes.txt", b"The mayfly lives for a single day and leaves nothing behind but its eggs.")


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the processes of the test listen."""

    host: Path
    jailer: Path
    embedder: Path
    sessions: Path
    quarantine: Path


def parts_of(database: Database, folders: Folders, signer: Signer) -> PurgeParts:
    """Return what a purge of this machine reaches."""
    return PurgeParts(
        database=database,
        host=HostClient(folders.host, timeout_seconds=PATIENT_SECONDS),
        jail=JailClient(folders.jailer),
        embedder=EmbedderClient(folders.embedder),
        signer=signer,
        sockets=folders,
        node_id=NODE,
    )


class World:
    """What a front can reach, and one learner."""

    def __init__(self, database: Database, host: Hosting, user_id: str) -> None:
        self.database, self.host, self.user_id = database, host, user_id
        self.folders = Folders(
            host=Path(host.config.socket),
            jailer=host.parts.jailer_socket,
            embedder=host.parts.embedder_socket,
            sessions=host.sessions_dir,
            quarantine=host.quarantine_dir,
        )
        self.parts = parts_of(database, self.folders, SIGNER)

    def folder_names(self) -> dict[str, str]:
        """Return where the processes listen, for another process."""
        return {name: str(getattr(self.folders, name)) for name in Folders.__slots__}

    def another_front(self) -> PurgeParts:
        """The same machine as another process sees it, or this one after a restart: it shares no memory."""
        return replace(self.parts, turns=PurgeTurns())

    def open(self, *, node_id: str = NODE) -> Session:
        """Sign in: a live, unlocked session with its row."""
        session = self.host.open()
        self.write_row(session.session_id, node_id=node_id, key_commitment=session.key_commitment)
        return session

    def open_and_lapse(self) -> str:
        """Sign in and stay away until the host has ended the session; return its id."""
        session_id, commitment = new_id(), bytes(32)
        self.host.client.open(session_id, idle_seconds=1, absolute_seconds=3600)
        with suppress(SessionExpired):  # Its second may be over already.
            commitment = SessionClient(self.folders.sessions / f"{session_id}.sock").unlock(KEY, ("en", "fr"))
        self.write_row(session_id, key_commitment=commitment)
        wait_until(lambda: session_id in self.host.client.list().ended)
        return session_id

    def write_row(self, session_id: str, *, node_id: str = NODE, key_commitment: bytes = bytes(32)) -> None:
        """Write an open session into the record and its log."""
        wish = Opening(
            session_id=session_id,
            user_id=self.user_id,
            node_id=node_id,
            host_instance=self.host.client.hello().instance,
            token_hash=hash_token(new_token()),
            idle_seconds=600,
            absolute_seconds=3600,
            receipt_id=new_id(),
        )
        with self.database.transaction() as db:
            info = sessions.open_session(db, wish, max_open=100)
            log.open_session(
                db,
                receipt_id=info.receipt_id or "",
                key_commitment=key_commitment,
                lifetime_seconds=info.absolute_seconds,
                opened_at=info.opened_at,
            )

    def open_with_document(self) -> Session:
        """Sign in and have one document ready."""
        session = self.open()
        self.upload(session)
        session.finished(session.client.documents()[0].document_id)
        return session

    def upload(self, session: Session) -> None:
        """Upload a document and write it into the record as it is then, not yet finished."""
        accepted = session.upload(TEXT)
        facts = [facts_of(state) for state in accepted.documents]
        with self.database.transaction() as db:
            documents.insert(db, facts, user_id=self.user_id, session_id=session.session_id)

    def sign_out(self, session: Session) -> Receipt:
        """Purge as a front does."""
        return purge(session.session_id, "sign_out", self.parts)

    def row(self, session_id: str) -> SessionInfo:
        """Return the session's row."""
        with self.database.transaction() as db:
            info = sessions.get(db, session_id)
        assert info is not None
        return info

    def documents(self, session_id: str) -> list[DocumentInfo]:
        """Return the rows of the session's documents."""
        with self.database.transaction() as db:
            return documents.of_session(db, session_id)

    def receipts(self) -> int:
        """Count the receipts."""
        with self.database.transaction() as db:
            return db.scalar(select(func.count()).select_from(ReceiptRow)) or 0
