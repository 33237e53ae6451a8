"""The launcher: starts the processes of a service, replaces what dies, and ends them in order.

Owns the listening socket, the locks on the service's folders, and the last word: at the end it purges every session
while the host still lives. Knows no content and serves no request. ``python -m api.launcher`` with settings from the
environment.
"""

import contextlib
import http.client
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType

import msgspec

from api import folders, logging, weaknesses
from api.children import Child, ChildRefused, hand_over
from api.preparation import Prepared, Wish
from api.recipes import cross_encoder, endpoint_config, recipes
from api.settings import Settings
from models.database import Database, DatabaseRefused
from models.errors import MayflyError, PartUnavailable
from models.keyfile import KeyFileRefused
from models.scenarios.service import seed
from processes.hardening import child_environment, harden, state
from sessions.tracer import SECRET_BYTES

_TICK_SECONDS = 0.1
_FRONT_GRACE_SECONDS = 15.0
_PART_GRACE_SECONDS = 5.0
_BACKLOG = 512


class LaunchFailed(Exception):
    """The service cannot start; the reason is for the operator and holds no secret."""


class Launcher:
    """One service on this machine. ``run`` returns when it has stopped."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._started_at = time.monotonic()
        self._is_ready = False
        self._told = set[str]()
        self._tracer_secret = secrets.token_bytes(SECRET_BYTES) if settings.sessions.tracer else b""

    def stop(self) -> None:
        """Ask ``run`` to end the service in order. Safe in a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Start everything, keep it running, and on ``stop`` purge every session before the last process goes.

        Must run in the main thread: the children die with the thread that started them. Raises ``LaunchFailed``,
        ``HostTooWeak``, ``ChildRefused``, ``FolderRefused``, ``DatabaseRefused``, ``KeyFileRefused`` or
        ``PartUnavailable`` (the database) when the service cannot start; nothing is left running then.
        """
        with folders.claimed(self._settings), _listen(self._settings) as listener:
            self._insist(weaknesses.of_host(self._settings))
            self._insist(weaknesses.of_process("launcher", state(), scrubbing=False))
            _make_keys(self._settings)
            _migrate(self._settings)
            prepared = self._prepare_model()
            if prepared is None:
                return
            wanted = recipes(self._settings, prepared, listener.fileno(), tracer_secret=self._tracer_secret)
            children = [Child(recipe) for recipe in wanted]
            try:
                self._supervise(children, listener)
            finally:
                listener.close()
                self._end(children)

    def _prepare_model(self) -> Prepared | None:
        """Return the prepared model, or ``None`` when asked to stop meanwhile. The first time, this takes a while."""
        logging.get().info("preparing_model")
        with _preparation(self._settings) as work:
            while work.poll() is None:
                if self._stopping.wait(_TICK_SECONDS):
                    work.kill()
                    return None
            answer = work.stdout.read() if work.stdout else b""
        if work.returncode != 0:
            raise LaunchFailed("the model could not be prepared")
        return msgspec.json.decode(answer, type=Prepared)

    def _supervise(self, children: Sequence[Child], listener: socket.socket) -> None:
        for child in children:
            child.start()
        while not self._stopping.wait(_TICK_SECONDS):
            for child in children:
                child.tend()
            if not self._is_ready and all(child.is_listening() for child in children):
                self._insist(_weaknesses_of_parts(self._settings, children))
                with contextlib.suppress(PartUnavailable):  # Then it is asked again before the service is ready.
                    self._insist_on_jail(_weaknesses_of_jail(self._settings))
                    self._note_ready(listener)

    def _insist(self, found: Sequence[str]) -> None:
        """Refuse what is weak, or warn of it once where the operator allows it. Raises ``HostTooWeak``."""
        weaknesses.insist(self._settings, found)
        self._warn("weak_host", found)

    def _insist_on_jail(self, found: Sequence[str]) -> None:
        """Do the same for what is missing around a parser, which has a leave of its own."""
        weaknesses.insist_on_jail(self._settings, found)
        self._warn("weak_jail", found)

    def _warn(self, event: str, found: Sequence[str]) -> None:
        for weakness in found:
            if weakness not in self._told:
                self._told.add(weakness)
                logging.get().warning(event, problem=weakness.replace(" ", "_"))  # A log line takes no spaces.

    def _note_ready(self, listener: socket.socket) -> None:
        address = listener.getsockname()
        self._is_ready = _answers_ready(address, self._settings.trusted_hosts[0])
        if self._is_ready:
            took = round((time.monotonic() - self._started_at) * 1000)
            logging.get().info("ready", port=address[1], duration_ms=took)

    def _end(self, children: Sequence[Child]) -> None:
        *parts, front = children
        logging.get().info("stopping")
        front.stop(grace_seconds=_FRONT_GRACE_SECONDS)
        _purge_all(self._settings, self._tracer_secret)
        for part in reversed(parts):
            part.stop(grace_seconds=_PART_GRACE_SECONDS)
        logging.get().info("stopped")


_REFUSALS = (
    LaunchFailed,
    weaknesses.HostTooWeak,
    ChildRefused,
    folders.FolderRefused,
    DatabaseRefused,
    KeyFileRefused,
    MayflyError,
)


def launch(settings: Settings) -> int:
    """Serve until SIGTERM or Ctrl-C and return the exit code: 0 stopped in order, 1 could not start."""
    harden(die_with_parent=False)
    logging.configure(settings.log)
    logging.catch_crashes()
    launcher = Launcher(settings)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        launcher.stop()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        launcher.run()
    except _REFUSALS as error:
        logging.get().error("start_refused", error=type(error).__name__)
        sys.stderr.write(f"mayfly cannot start: {error}\n")
        return 1
    return 0


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise LaunchFailed(f"cannot listen on {settings.host} port {settings.port}: {error.strerror}") from error
    logging.get().info("listening", port=listener.getsockname()[1])
    return listener


def _preparation(settings: Settings) -> subprocess.Popen[bytes]:
    embedding = settings.embedding
    endpoint, judge = endpoint_config(settings), cross_encoder(settings)
    wish = Wish(embedding.model, str(settings.model_dir), embedding.backend, endpoint, judge)
    work = subprocess.Popen(
        [sys.executable, "-m", "api.preparation"],
        env=child_environment(settings.sockets.temporary, scrubbing=False),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,  # One short line, which a pipe holds until it is read.
        start_new_session=True,
    )
    hand_over(work, msgspec.json.encode(wish))
    return work


def _make_keys(settings: Settings) -> None:
    """Read every key, or make it, before a child needs it. Raises ``KeyFileRefused`` for one that is unfit."""
    from api.resources import hook_secret
    from models.accounts.lookup import LookupKey
    from models.receipts.signing import Signer

    hook_secret(settings)
    Signer.load(settings.key_file("receipt-key"))
    LookupKey.load(settings.key_file("record-key"))


def _migrate(settings: Settings) -> None:
    database = Database(settings.resolved_database_url, ca_file=settings.database_ca_file)
    try:
        database.migrate()
        database.check()
        with database.transaction() as db:
            seed(db)
    finally:
        database.dispose()


def _weaknesses_of_parts(settings: Settings, children: Sequence[Child]) -> list[str]:
    from sessions.client import HostClient
    from vectorstore.client import EmbedderClient

    found = [weakness for child in children for weakness in weaknesses.of_core_limit(child.name, child.pid)]
    with contextlib.suppress(PartUnavailable):  # It is not ready then, and is asked again.
        found += weaknesses.of_process("host", HostClient(settings.sockets.host).hello().hardening, scrubbing=False)
        found += weaknesses.of_process("embedder", EmbedderClient(settings.sockets.embedder).ping(), scrubbing=True)
    return list(dict.fromkeys(found))


def _weaknesses_of_jail(settings: Settings) -> list[str]:
    from ingestion.jail import JailClient

    return weaknesses.of_jail(JailClient(settings.sockets.jailer).level())


def _answers_ready(address: tuple[str, int], host_header: str) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0])  # noqa: S104  # Compared, not bound.
    connection = http.client.HTTPConnection(host, address[1], timeout=5)
    try:
        connection.request("GET", "/health/ready", headers={"Host": host_header.replace("*", "localhost")})
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def _purge_all(settings: Settings, tracer_secret: bytes) -> None:
    """Purge every session, twice if need be; what is left over then is finished by the next start's sweep."""
    from api.alarm import raise_alarm
    from api.resources import purge_parts
    from sessions.sweep import purge_all

    parts = purge_parts(settings, tracer_secret, raise_alarm)
    try:
        swept = purge_all(parts, "shutdown")
        if swept.unfinished:
            swept = purge_all(parts, "shutdown")
        logging.get().info("sessions_purged", count=len(swept.receipts), attempt=len(swept.unfinished))
    except MayflyError as error:
        logging.get().error("purge_failed", error=type(error).__name__)
    finally:
        parts.database.dispose()


def main() -> None:
    """Serve with settings from the environment."""
    raise SystemExit(launch(Settings()))


if __name__ == "__main__":
    main()
