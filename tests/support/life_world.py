"""What the state machine of sessions acts on: a whole service, its database, a site, and what a model knows of each."""

import contextlib
import secrets
import tempfile
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests.conftest import serving
from tests.support import inspection, mariadb, residue
from tests.support.mariadb import Server
from tests.support.service import Service, eventually
from tests.support.sites import Site, page

CURRENT = "/v1/sessions/current"
PASSWORD = "correct horse battery"
IDLE_SECONDS = 8
SETTLE_SECONDS = 60.0
USERS = 2


@dataclass
class Held:
    """A session as its learner knows it. ``used_at`` is when he last began a request that kept it alive."""

    user: int
    number: int
    session_id: str
    token: str = field(repr=False)
    used_at: float = field(repr=False)
    marker: str = field(repr=False, default_factory=residue.new_marker)
    documents: list[str] = field(repr=False, default_factory=list[str])
    grants: list[str] = field(repr=False, default_factory=list[str])
    cut_off: int = 0  # Uploads that its end caught on their way: its receipt may count them.
    receipt: dict[str, Any] | None = field(repr=False, default=None)
    befallen: bool = field(repr=False, default=False)
    ended: bool = field(repr=False, default=False)

    @property
    def may_be_over(self) -> bool:
        """Whether there is a reason for a refusal: an end, a blow, or too long a silence."""
        return self.ended or self.befallen or time.monotonic() - self.used_at >= IDLE_SECONDS

    def sentence(self) -> str:
        """Return what only this session's documents say."""
        return f"The {self.marker} is a bird that nests only in the bell tower of the old observatory."


class World:
    """A service on MariaDB, with two accounts, and a site that links lead to where there is one."""

    def __init__(self, service: Service, database: Server, url: str, site: Site | None, site_name: str) -> None:
        self.service, self.database, self.site, self.site_name = service, database, site, site_name
        self.took_seconds = 0.0
        self.emails = [f"{secrets.token_hex(6)}@example.org" for _ in range(USERS)]
        self._engine = create_engine(url.replace("mariadb://", "mariadb+mariadbconnector://"), poolclass=NullPool)
        # No connection is kept: a front that was killed would leave a broken one behind.
        self._http = service.client(limits=httpx2.Limits(max_keepalive_connections=0))
        for email in self.emails:
            account = {"username": email, "email": email, "password": PASSWORD, "primary_language": "en"}
            assert self.request("POST", "/v1/accounts", None, json=account).status_code == 201

    def request(self, method: str, path: str, token: str | None, **options: Any) -> httpx2.Response:
        """Send one request as whoever holds the token; ``took_seconds`` tells how long the last one took."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        began = time.monotonic()
        reply = self._http.request(method, path, headers=headers, **options)
        self.took_seconds = time.monotonic() - began
        return reply

    def hook(self, session_id: str) -> httpx2.Response:
        """Call the session-end hook."""
        return self.request("POST", f"/v1/sessions/{session_id}/end", self.service.hook_secret)

    def close(self) -> None:
        """Close what is kept open between requests."""
        self._http.close()

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the record itself."""
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    def publish(self, path: str, sentence: str) -> str:
        """Put a page on the site and return its link."""
        assert self.site is not None
        body = f"<html><body><article><p>{sentence}</p></article></body></html>"
        self.site.answers[path] = page(body.encode())
        return f"http://{self.site_name}{path}"

    def wait_until_ready(self) -> None:
        """Return when the service serves again."""
        inspection.wait_until(self.service, lambda: inspection.is_ready(self.service), seconds=SETTLE_SECONDS)

    def kill(self, role: str) -> None:
        """Kill a process of the service and return when another one does its work."""
        doomed = inspection.process(self.service, role)
        inspection.kill(doomed)

        def is_back() -> bool:
            return inspection.process(self.service, role).pid != doomed.pid and inspection.is_ready(self.service)

        inspection.wait_until(self.service, is_back, seconds=SETTLE_SECONDS)

    def restart(self, *, crash: bool) -> None:
        """Stop the service, or pull its plug, and start it again."""
        if crash:
            inspection.crash(self.service)
        else:
            self.service.stop()
        self.service.start()

    def in_files(self, marker: str) -> list[str]:
        """Return the files of the service that hold a marker, its log included."""
        return residue.in_files([self.service.folder], marker)

    def in_database_files(self, marker: str) -> list[str]:
        """Return the database's own files that hold a marker."""
        return residue.in_files([self.database.folder], marker)

    def in_memory(self, marker: str) -> dict[str, int]:
        """Return the processes of the service whose memory holds a marker."""
        return residue.in_memory(inspection.processes(self.service), marker)

    def strays(self, alive: Iterable[Held]) -> list[str]:
        """Return what belongs to no session that may live: processes, sockets, folders of sealed files."""
        ids = {held.session_id for held in alive}
        folders = [entry.name for entry in (self.service.runtime_dir / "quarantine").iterdir()]
        sockets = [entry.stem for entry in (self.service.runtime_dir / "sessions").iterdir()]
        too_many = max(0, len(inspection.session_processes(self.service)) - len(ids))
        return sorted({*folders, *sockets} - ids) + ["a session process"] * too_many

    def is_clean(self, alive: list[Held]) -> bool:
        """Say whether there are soon no strays: what ended by itself is cleaned up in a moment."""
        return eventually(lambda: not self.strays(alive), seconds=SETTLE_SECONDS)


@contextlib.contextmanager
def world(site: Site | None, site_name: str) -> Generator[World]:
    """Run a world, whose sessions end soon when nobody uses them."""
    with tempfile.TemporaryDirectory() as folder, mariadb.running(Path(folder)) as database:
        url = database.new_database()
        settings = {
            "MAYFLY_DATABASE_URL": url,
            "MAYFLY_SESSIONS_IDLE_SECONDS": str(IDLE_SECONDS),
            "MAYFLY_SESSIONS_SWEEP_SECONDS": "0.2",
            "MAYFLY_LINKS_ALLOWED": "true",
        }
        with (
            serving(**settings) as service,
            contextlib.closing(World(service, database, url, site, site_name)) as world,
        ):
            yield world
