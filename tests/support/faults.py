"""Breaking a real service on purpose: failpoints in its processes, and what must hold whatever broke."""

import sqlite3
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from api.client import Client, LearnerSession, Problem, Unreachable, Upload
from tests.conftest import new_learner, serving
from tests.support.failpoints.sitecustomize import POINTS, SETTING
from tests.support.inspection import end_by_hook
from tests.support.service import Service, eventually

_FOLDER = Path(__file__).parent / "failpoints"
_SECONDS = 60


class Failpoints:
    """The points of one service; ``folder`` is where its processes look for what is armed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def arm(self, point: str, action: str, *, passing: int = 0) -> None:
        """Let whoever reaches the point next do the action, after ``passing`` others went by unharmed."""
        assert point in POINTS, point
        for number in range(passing):
            (self.folder / f"{point}.pass.{number}").touch()
        prepared = self.folder / f"{point}.prepared"
        prepared.write_text(action, encoding="ascii")
        prepared.rename(self.folder / point)

    def await_reached(self, point: str) -> None:
        """Return when a process was there."""
        assert eventually((self.folder / f"{point}.reached").exists, seconds=_SECONDS), f"nobody came to {point}"

    def release(self, point: str) -> None:
        """Let whoever is held at the point go on."""
        (self.folder / f"{point}.reached").unlink(missing_ok=True)

    def reached(self, point: str) -> bool:
        """Say whether the point has struck since it was armed."""
        return (self.folder / f"{point}.reached").exists()

    def disarm(self) -> None:
        """Take back whatever did not strike, and release whoever is held."""
        for file in self.folder.iterdir():
            file.unlink(missing_ok=True)


def environment(folder: Path) -> Mapping[str, str]:
    """Return what loads the failpoints into a process."""
    return {"PYTHONPATH": str(_FOLDER), SETTING: str(folder)}


@contextmanager
def breakable(folder: Path, **settings: str) -> Generator[tuple[Service, Failpoints]]:
    """Run a service with failpoints in it, which it must be allowed to have.

    No tracer goes unless the settings say so: it passes the same points as a document, and would trip over them.
    """
    points = Failpoints(folder / "failpoints")
    wanted: dict[str, Any] = {"MAYFLY_SESSIONS_TRACER": "false"} | dict(environment(points.folder)) | settings
    with serving(MAYFLY_ALLOW_WEAK_HOST="true", MAYFLY_SESSIONS_SWEEP_SECONDS="0.5", **wanted) as service:
        yield service, points
        points.disarm()


@contextmanager
def ready_sessions(service: Service, count: int, document: Upload) -> Generator[list[LearnerSession]]:
    """Sign in as so many learners, each with a document that is ready; end what is left of them afterwards."""
    with ExitStack() as clients:
        sessions = [new_learner(clients.enter_context(Client(service.url))) for _ in range(count)]
        for session in sessions:
            (held,) = session.upload(document)
            assert session.wait(held.document_id).status == "ready"
        yield sessions
        for session in sessions:
            end_by_hook(service, session.session_id)


def assert_ended_once(service: Service, session_id: str, reason: str) -> dict[str, Any]:
    """Prove that a session is over for good and return what its one receipt says."""
    statement = end_by_hook(service, session_id)
    assert statement["reason"] == reason
    assert not (service.runtime_dir / "sessions" / f"{session_id}.sock").exists()
    assert not (service.runtime_dir / "quarantine" / session_id).exists()
    assert in_record(service, session_id) == ("ended", reason, 1)
    return statement


def in_record(service: Service, session_id: str) -> tuple[str, str | None, int]:
    """Return a session's state and reason in a service's SQLite record, and how many receipts it has."""
    with closing(sqlite3.connect(f"file:{service.data_dir / 'record.sqlite'}?mode=ro", uri=True, timeout=10)) as record:
        row = record.execute("SELECT state, end_reason FROM sessions WHERE session_id = ?", (session_id,)).fetchone()
        asked = record.execute("SELECT count(*) FROM receipts WHERE session_id = ?", (session_id,))
        return row[0], row[1], asked.fetchone()[0]


def refusal(act: Callable[[], object]) -> str | None:
    """Return the code with which something is refused, ``None`` when it is done."""
    try:
        act()
    except Problem as problem:
        return problem.code
    except Unreachable:
        return "unreachable"
    return None
