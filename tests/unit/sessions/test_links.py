"""Setting off for a link, with a real fetcher in a thread, when what should bring the document cannot be had."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestion.fetch.messages import Fetch
from ingestion.fetch.site import Bounds
from ingestion.fetch.worker import Fetcher
from models.errors import PartUnavailable, QueueFull
from processes import ipc
from sessions import messages as m
from sessions.limits import SessionLimits
from sessions.workspace import Workspace, WorkspaceConfig
from tests.support.hosting import KEY, wait_until
from tests.support.sites import world

BOUNDS = Bounds(max_bytes=1000, max_seconds=60, redirects=0)
REQUEST = m.FetchLink(untrusted_url="http://site.example/", idempotency_key="k")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Any]:
    """A session with room for one file, and a fetcher with one place, whose only site never answers."""
    held = list[socket.socket]()

    def hold(sock: socket.socket) -> None:
        held.append(sock)
        sock.recv(1)

    with world({"/": hold}) as here:
        listener = ipc.listen(tmp_path / "fetcher")
        fetcher = Fetcher(here.network, BOUNDS, fetches=1)
        threading.Thread(target=ipc.serve, args=(listener, Fetch, fetcher.handle), daemon=True).start()
        config = WorkspaceConfig(
            session_id="session",
            quarantine_dir=str(tmp_path / "quarantine"),
            jailer_socket="none",
            embedder_socket="none",
            limits=SessionLimits(files=1),
            fetcher_socket=str(tmp_path / "fetcher"),
        )

        def are_over() -> bool:
            for sock in held:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            return not any(thread.name.startswith("link") for thread in threading.enumerate())

        yield Workspace(config)
        wait_until(are_over)
        listener.close()


@pytest.mark.parametrize("missing", ["a thread", "the learner's key"])
def test_a_link_that_nobody_can_bring_leaves_nothing(
    workspace: Any, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    start = threading.Thread.start

    def no_link(thread: threading.Thread) -> None:
        if thread.name.startswith("link"):
            raise RuntimeError
        start(thread)

    workspace._key = None if missing == "the learner's key" else KEY
    with monkeypatch.context() as patched:
        if missing == "a thread":
            patched.setattr(threading.Thread, "start", no_link)
        for _ in range(3):
            wait_until(lambda: is_told_to_come_back(workspace))
            assert workspace.shelf.states() == ()
            assert list((workspace._quarantine.folder).iterdir()) == []

    workspace._key = KEY
    wait_until(lambda: fetches(workspace))
    (state,) = workspace.shelf.states()
    assert state.status == "queued"


def is_told_to_come_back(workspace: Any) -> bool:
    """Fail to fetch; false while the fetcher is still at the one before."""
    with pytest.raises((PartUnavailable, QueueFull)) as caught:
        workspace.links.fetch(REQUEST)
    assert caught.value.retry_after_seconds
    return caught.type is PartUnavailable


def fetches(workspace: Any) -> bool:
    with contextlib.suppress(QueueFull):
        return not workspace.links.fetch(REQUEST).replayed
    return False
