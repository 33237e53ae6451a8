"""What lives as long as the front: built once in the lifespan, frozen, reached through ``api.dependencies``."""

import secrets
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from api.alarm import raise_alarm
from api.flights import Flights
from api.leasebook import LeaseBook
from api.metrics import Metrics
from api.settings import Settings
from api.throttle import Throttle
from ingestion.jail import JailClient
from models import keyfile
from models.accounts.erasure_keys import ErasureKeys
from models.accounts.lookup import LookupKey
from models.accounts.passwords import Passwords
from models.accounts.service import Accounts
from models.database import Database
from models.ids import new_id
from models.receipts.signing import Receipt, Signer
from models.scenarios.service import Catalogue
from sessions.client import HostClient, SessionClient
from sessions.purge import Alarm, PurgeParts
from sessions.residue import Places, ResidueSearch
from sessions.tracer import Tracers
from vectorstore.client import EmbedderClient

_MIN_HOOK_SECRET_BYTES = 16
_STANDARD_ERROR = 2


class Progress:
    """How far this front's start-up is, and how its sweeper does. Shared between threads."""

    def __init__(self) -> None:
        self._swept = threading.Event()
        self._stopping = threading.Event()
        self.last_sweep_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the start-up sweep is done, so that requests may be served."""
        return self._swept.is_set()

    @property
    def is_stopping(self) -> bool:
        """Whether the front was asked to stop, so that streams should end."""
        return self._stopping.is_set()

    def note_stop(self) -> None:
        """Remember that the front was asked to stop."""
        self._stopping.set()

    def note_sweep(self) -> None:
        """Remember that a sweep succeeded."""
        self.last_sweep_at = time.monotonic()
        self._swept.set()


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything a request can reach. Holds no content and no learner's key."""

    settings: Settings
    database: Database
    accounts: Accounts
    catalogue: Catalogue
    host: HostClient
    jail: JailClient
    embedder: EmbedderClient
    signer: Signer
    purge_parts: PurgeParts
    metrics: Metrics
    throttle: Throttle
    leases: LeaseBook
    sign_outs: Flights[Receipt]
    node_id: str
    hook_secret: bytes = field(repr=False)

    def session(self, session_id: str) -> SessionClient:
        """Return the way to one session process. The id must come from the record, or look like one of ours."""
        return SessionClient(self.session_socket(session_id))

    def session_socket(self, session_id: str) -> Path:
        """Return where a session process listens."""
        return self.settings.sockets.sessions / f"{session_id}.sock"


def build(settings: Settings, metrics: Metrics, tracer_secret: bytes = b"") -> Resources:
    """Open everything a front needs. Makes the secret files on the first start; connects to nothing yet."""
    passwords = Passwords(
        memory_kib=settings.accounts.argon2_memory_kib,
        passes=settings.accounts.argon2_passes,
        concurrent=settings.accounts.concurrent_hashes,
    )
    parts = purge_parts(settings, tracer_secret, partial(raise_alarm, metrics=metrics))
    return Resources(
        settings=settings,
        database=parts.database,
        accounts=Accounts(
            passwords, LookupKey.load(settings.key_file("record-key")), ErasureKeys(settings.erasure_keys)
        ),
        catalogue=Catalogue(parts.database),
        host=parts.host,
        jail=parts.jail,
        embedder=parts.embedder,
        signer=parts.signer,
        purge_parts=parts,
        metrics=metrics,
        throttle=Throttle(settings.accounts),
        leases=LeaseBook(),
        sign_outs=Flights(),
        node_id=node_id(settings),
        hook_secret=hook_secret(settings),
    )


def purge_parts(settings: Settings, tracer_secret: bytes, alarm: Alarm) -> PurgeParts:
    """Return what a purge needs. The launcher uses it too, at the end."""
    sockets = settings.sockets
    database = Database(settings.resolved_database_url, ca_file=settings.database_ca_file)
    return PurgeParts(
        database=database,
        host=HostClient(sockets.host),
        jail=JailClient(sockets.jailer),
        embedder=EmbedderClient(sockets.embedder),
        signer=Signer.load(settings.key_file("receipt-key")),
        sockets=sockets,
        node_id=node_id(settings),
        search=_search(settings, tracer_secret, database),
        alarm=alarm,
    )


def _search(settings: Settings, tracer_secret: bytes, database: Database) -> ResidueSearch | None:
    """Return what looks for tracers in all that the service writes; its log is where standard error leads."""
    tracers, sockets = Tracers.of(tracer_secret), settings.sockets
    if tracers is None:
        return None
    places = Places(
        runtime=settings.runtime_dir, quarantine=sockets.quarantine, temporary=sockets.temporary, log=_STANDARD_ERROR
    )
    return ResidueSearch(tracers, places, database)


def node_id(settings: Settings) -> str:
    """Return this machine's name in the record: random, kept in the data directory, so it outlives a host name."""
    return keyfile.load_or_create(settings.key_file("node-id"), lambda: new_id().encode()).decode().strip()


def hook_secret(settings: Settings) -> bytes:
    """Return the secret of the session-end hook; made on the first start unless a file is configured.

    Raises ``KeyFileRefused`` for one that is blank or short enough to guess.
    """
    path = settings.key_file("hook-secret")
    secret = keyfile.load_or_create(path, lambda: secrets.token_urlsafe(32).encode()).strip()
    if len(secret) < _MIN_HOOK_SECRET_BYTES:
        raise keyfile.KeyFileRefused(f"{path.name} must hold a secret of at least {_MIN_HOOK_SECRET_BYTES} bytes")
    return secret
