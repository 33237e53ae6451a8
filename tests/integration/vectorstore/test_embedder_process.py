"""The embedder as it runs in service: a process of its own, reached over its socket."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest

from models.errors import EmbeddingFailed, MayflyError, ModelChanged, PartUnavailable, SessionExpired
from processes import ipc
from processes.hardening import state
from tests.support import residue
from tests.support.embedders import GatedEmbedder, embedder_process, packaged
from tests.support.library import CHINESE, ENGLISH
from vectorstore import messages
from vectorstore.client import EmbedderClient
from vectorstore.server import EmbedderServer


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    with embedder_process(tmp_path_factory.mktemp("embedder")) as running:
        yield running


@pytest.fixture
def client(running: tuple[Path, subprocess.Popen[bytes]]) -> EmbedderClient:
    return EmbedderClient(running[0])


def test_vectors_over_the_socket_are_the_models_own(client: EmbedderClient):
    texts = [*ENGLISH[:3], *CHINESE[:3], ""]

    assert np.array_equal(client.embed_passages(texts, session="a"), packaged().embed_passages(texts))
    assert np.array_equal(client.embed_query("Why?", session="a"), packaged().embed_query("Why?"))
    assert client.embed_passages([], session="a").shape == (0, client.card().dim)
    assert client.card() == packaged().card


def test_many_sessions_at_once_get_their_own_vectors(client: EmbedderClient):
    texts = [f"Session {number} read about the number {number * 7}." for number in range(12)]
    with ThreadPoolExecutor(6) as threads:
        vectors = list(threads.map(lambda text: client.embed_passages([text], session=text)[0], texts))

    assert np.array_equal(np.stack(vectors), packaged().embed_passages(texts))


def test_text_that_is_no_unicode_is_refused_without_being_quoted(client: EmbedderClient):
    with pytest.raises(EmbeddingFailed) as error:
        client.embed_query("lone \ud800 surrogate", session="a")

    assert error.value.__cause__ is None


def test_nothing_of_a_session_is_left_in_the_embedders_memory(
    running: tuple[Path, subprocess.Popen[bytes]], client: EmbedderClient
):
    """Positive control: while texts wait, the search finds them."""
    marker = residue.new_marker()
    process = psutil.Process(running[1].pid)
    texts = [f"{ENGLISH[0]} {marker} {number}" for number in range(60)]
    waiting = threading.Thread(target=_until_dropped, args=(client, texts))
    waiting.start()
    found: dict[str, int] = {}
    while not found:
        found = residue.in_memory([process], marker)

    while waiting.is_alive():
        client.drop("doomed")

    assert found, "never found, so its absence below would prove nothing"
    assert residue.in_memory([process], marker) == {}


def _until_dropped(client: EmbedderClient, texts: list[str]) -> None:
    with contextlib.suppress(SessionExpired):
        while True:
            client.embed_passages(texts, session="doomed")


def test_a_text_that_was_embedded_is_not_remembered(
    running: tuple[Path, subprocess.Popen[bytes]], client: EmbedderClient
):
    marker = residue.new_marker()

    client.embed_passages([f"The {marker} flew."], session="a")
    client.embed_query(f"Where did the {marker} fly?", session="a")
    client.drop("a")

    assert residue.in_memory([psutil.Process(running[1].pid)], marker) == {}


def test_a_dead_embedder_is_named_as_unavailable(tmp_path: Path):
    with embedder_process(tmp_path, threads=1) as (path, process):
        client = EmbedderClient(path)
        client.ping()
        process.kill()
        process.wait(timeout=60)

        with pytest.raises(PartUnavailable):
            client.embed_query("Why?", session="a")


def test_a_model_that_cannot_be_prepared_is_reported_by_kind_and_never_listens(tmp_path: Path):
    config = {
        "socket": str(tmp_path / "e.sock"), "model": "no_such_model", "model_dir": str(tmp_path),
        "backend": "auto", "threads": 1, "queue_texts": 16,
    }  # fmt: skip

    finished = subprocess.run(
        [sys.executable, "-m", "vectorstore.server"],
        input=json.dumps(config).encode(), capture_output=True, check=False, timeout=60,
    )  # fmt: skip

    assert finished.returncode != 0
    assert finished.stdout == b""
    assert json.loads(finished.stderr)["error"] == "UnreadableModel"
    assert not (tmp_path / "e.sock").exists()


# --- the server's manners, with a model whose every step the test controls -------------------------------------------


@pytest.fixture
def model() -> Iterator[GatedEmbedder]:
    model = GatedEmbedder()
    yield model
    model.allow(100)


@pytest.fixture
def gated(model: GatedEmbedder, tmp_path: Path) -> Iterator[tuple[Path, EmbedderServer]]:
    server = EmbedderServer(model, threads=1, queue_texts=16)
    path = tmp_path / "gated.sock"
    listener = ipc.listen(path)
    thread = threading.Thread(target=ipc.serve, args=(listener, messages.EmbedderRequest, server.handle))
    thread.start()
    yield path, server
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(timeout=10)


def test_hanging_up_takes_the_waiting_texts_out(gated: tuple[Path, EmbedderServer], model: GatedEmbedder):
    path, server = gated
    caller = ipc.connect(path, messages.EmbedderReply)
    caller.send(messages.EmbedPassages(session="a", texts=("in work", "waiting 1", "waiting 2")))
    model.wait_until_started(1)

    assert server._scheduler.waiting() == 2
    caller.close()
    while server._scheduler.waiting():
        os.sched_yield()  # Ends when the server has noticed; the suite's time limit fails the test if it never does.
    model.allow()
    other = ThreadPoolExecutor(1).submit(EmbedderClient(path).embed_passages, ["next"], session="b")
    model.wait_until_started(2)
    model.allow()

    assert other.result(timeout=60).shape == (1, 8)
    assert model.started == ["in work", "next"]


def test_a_frame_that_is_no_message_ends_the_connection_and_nothing_else(gated: tuple[Path, EmbedderServer]):
    path, _ = gated
    with ipc.connect(path, messages.EmbedderReply) as stranger:
        stranger.sock.sendall(b"\x00\x00\x00\x04junk")

        assert stranger.receive() is None

    EmbedderClient(path).ping()


@pytest.mark.parametrize(
    "reply",
    [
        messages.Embedded(model=GatedEmbedder.card.identity, rows=1, dim=4, data=np.ones(4, "<f4").tobytes()),
        messages.Embedded(model=GatedEmbedder.card.identity, rows=1, dim=8, data=np.ones(8, "<f4").tobytes()),
        messages.Embedded(model=GatedEmbedder.card.identity, rows=1, dim=8, data=np.full(8, np.nan, "<f4").tobytes()),
        messages.Embedded(model=GatedEmbedder.card.identity, rows=1, dim=8, data=b"\x00" * 31),
        messages.Embedded(
            model=GatedEmbedder.card.identity, rows=2, dim=8, data=np.tile(np.eye(8, dtype="<f4")[0], 2).tobytes()
        ),
        messages.Pong(hardening=state()),
        messages.Refused(slug="embedding_failed"),
    ],
    ids=["short vector", "not unit length", "not a number", "cut off", "too many rows", "other message", "refusal"],
)
def test_an_unusable_answer_is_an_embedding_that_failed(tmp_path: Path, reply: messages.EmbedderReply):
    path = tmp_path / "odd.sock"
    listener = ipc.listen(path)
    described = messages.Described(card=GatedEmbedder.card)

    def answer(connection: ipc.Connection) -> None:
        while (request := connection.receive()) is not None:
            connection.send(described if isinstance(request, messages.Describe) else reply)

    threading.Thread(target=ipc.serve, args=(listener, messages.EmbedderRequest, answer), daemon=True).start()
    client = EmbedderClient(path)
    assert client.card().dim == 8

    with pytest.raises(EmbeddingFailed):
        client.embed_passages(["text"], session="a")

    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_vectors_of_another_model_are_refused_after_a_restart(tmp_path: Path):
    """The session was opened with one model; the embedder comes back with another of the same length."""
    path = tmp_path / "embedder.sock"
    first, second = GatedEmbedder(), GatedEmbedder()
    second.card = msgspec.structs.replace(GatedEmbedder.card, sha256="1" * 64)
    client = EmbedderClient(path)
    with _serving(path, first):
        first.allow(1)
        assert client.embed_query("q", session="a").shape == (8,)

    with _serving(path, second):
        second.allow(3)
        with pytest.raises(ModelChanged):
            client.embed_query("q", session="a")
        with pytest.raises(ModelChanged):
            client.embed_passages(["p"], session="a")
        assert EmbedderClient(path).embed_query("q", session="b").shape == (8,), "a new session gets the new model"


@contextlib.contextmanager
def _serving(path: Path, model: GatedEmbedder) -> Generator[None]:
    server, listener = EmbedderServer(model, threads=1, queue_texts=16), ipc.listen(path)
    threading.Thread(target=ipc.serve, args=(listener, messages.EmbedderRequest, server.handle), daemon=True).start()
    yield
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    server._scheduler.close()


def test_a_refusal_keeps_its_name_and_its_waiting_time(gated: tuple[Path, EmbedderServer], model: GatedEmbedder):
    with pytest.raises(MayflyError) as refusal:
        EmbedderClient(gated[0]).embed_passages(["text"] * 17, session="a")

    assert refusal.value.slug == "queue_full"
    assert refusal.value.retry_after_seconds is not None
    assert model.started == []
