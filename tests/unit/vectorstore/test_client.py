import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.jail import Cancelled, Job
from models.errors import PartUnavailable
from processes import ipc
from tests.support.embedders import CARD
from vectorstore import client, messages
from vectorstore.client import EmbedderClient


class Silent:
    """An embedder that says which model it is and then nothing more."""

    def __init__(self, path: Path) -> None:
        self.asked = threading.Event()
        self.listener = ipc.listen(path)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        ipc.serve(self.listener, messages.EmbedderRequest, self._handle)

    def _handle(self, connection: ipc.Connection) -> None:
        while request := connection.receive():
            if isinstance(request, messages.Describe):
                connection.send(messages.Described(card=CARD))
            else:
                self.asked.set()


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Silent]:
    silent = Silent(tmp_path / "embedder.sock")
    yield silent
    silent.listener.shutdown(socket.SHUT_RDWR)
    silent.listener.close()


def test_a_silent_embedder_is_unavailable_before_the_front_loses_patience(
    silent: Silent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client._QUERY_TIMEOUT_SECONDS < 30
    monkeypatch.setattr(client, "_QUERY_TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(client, "_PASSAGES_TIMEOUT_SECONDS", 0.1)
    embedder = EmbedderClient(tmp_path / "embedder.sock")

    with pytest.raises(PartUnavailable):
        embedder.embed_query("q", session="s")
    with pytest.raises(PartUnavailable):
        embedder.embed_passages(["p"], session="s")

    assert silent.asked.wait(60)


def test_cancelling_a_job_ends_its_wait_for_the_embedder(silent: Silent, tmp_path: Path) -> None:
    job, ends = Job(), list[BaseException]()
    embedder = EmbedderClient(tmp_path / "embedder.sock")

    def wait() -> None:
        try:
            embedder.embed_passages(["p"], session="s", job=job)
        except PartUnavailable as error:
            ends.append(error)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    assert silent.asked.wait(60)

    job.cancel()

    waiting.join(60)
    assert len(ends) == 1
    with pytest.raises(Cancelled):
        embedder.embed_passages(["p"], session="s", job=job)
