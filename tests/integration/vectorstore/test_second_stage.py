"""A cross-encoder beside the embedder, in its process: what it changes, and what a question gets without it."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from models.content import Answer, Chunk, Extraction, Page
from models.errors import PartUnavailable, SessionExpired
from processes import ipc
from tests.support.cross_encoders import write_cross_encoder
from tests.support.embedders import embedder_process, packaged
from tests.support.library import ENGLISH, ENGLISH_QUESTION
from vectorstore import messages
from vectorstore.client import EmbedderClient
from vectorstore.collection import Collection
from vectorstore.cross_encoder import CrossEncoderJudge, adopt
from vectorstore.embedder import Vectors
from vectorstore.held import Hit
from vectorstore.rerank import CrossEncoding, Reranker
from vectorstore.retrieve import Question, Retrieval
from vectorstore.server import EmbedderServer

SESSION = "a"
QUESTION = Question(ENGLISH_QUESTION, top_k=5, doubtful=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cross_encoder(tmp_path_factory.mktemp("models") / "tiny-judge")


class Held(CrossEncoderJudge):
    """The real model; while ``open`` is not set it hangs. ``begun`` tells that it was asked."""

    def __init__(self, folder: Path) -> None:
        self.open, self.begun = threading.Event(), threading.Event()
        self.open.set()
        super().__init__(folder, threads=1)

    def scores(self, questions: Sequence[str], passages: Sequence[str]) -> Vectors:
        self.begun.set()
        assert self.open.wait(60)
        return super().scores(questions, passages)


@pytest.fixture(scope="module")
def judge(folder: Path) -> Held:
    return Held(folder)


@pytest.fixture(scope="module")
def client(judge: Held, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbedderClient]:
    """The server of the embedder process, here in a thread, with the packaged model and the judge."""
    path = tmp_path_factory.mktemp("embedder") / "embedder.sock"
    server, listener = EmbedderServer(packaged(), threads=2, queue_texts=64, judge=judge), ipc.listen(path)
    thread = threading.Thread(target=ipc.serve, args=(listener, messages.EmbedderRequest, server.handle))
    thread.start()
    yield EmbedderClient(path)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(timeout=10)


@pytest.fixture
def collection(client: EmbedderClient) -> Collection:
    made = Collection(client.card())
    pages = tuple(Page(number, text) for number, text in enumerate(ENGLISH, 1))
    chunks = tuple(Chunk(page.number, 0, len(page.text)) for page in pages)
    made.add("book", Extraction("text/plain", pages, chunks, "en"), client.embed_passages(ENGLISH, session=SESSION))
    made.publish("book")
    return made


@pytest.fixture
def ask(client: EmbedderClient, collection: Collection) -> Callable[[Reranker | None], Answer]:
    def ask(reranker: Reranker | None) -> Answer:
        retrieval = Retrieval(
            collection, client, session=SESSION, filename_of=lambda _: "book.txt", reranker=reranker
        )  # fmt: skip
        return retrieval.answer(QUESTION)

    return ask


class Spy:
    """The real second stage, and a look at what goes in and what comes out; ``before`` runs before it is asked."""

    def __init__(self, stage: CrossEncoding, before: Callable[[], object] = lambda: None) -> None:
        self._stage, self._before = stage, before
        self.given: list[Hit] = []
        self.returned: list[Hit] = []

    def rerank(self, question: str, hits: Sequence[Hit]) -> list[Hit]:
        self.given = list(hits)
        self._before()
        self.returned = self._stage.rerank(question, hits)
        return self.returned


def test_passages_come_in_the_order_of_the_models_scores(
    folder: Path, client: EmbedderClient, ask: Callable[[Reranker | None], Answer]
):
    spy = Spy(CrossEncoding(client, session=SESSION, max_seconds=60))

    answer = ask(spy)

    texts = [hit.text for hit in spy.given]
    scores = CrossEncoderJudge(folder, threads=1).scores([QUESTION.text] * len(texts), texts)
    assert [hit.text for hit in spy.returned] == [texts[place] for place in np.argsort(-scores, kind="stable")]
    assert spy.returned != spy.given, "the order is the same, so nothing was shown"
    assert answer.second_stage == "done"


def test_it_changes_the_order_and_no_passages_evidence(
    client: EmbedderClient, ask: Callable[[Reranker | None], Answer]
):
    spy = Spy(CrossEncoding(client, session=SESSION, max_seconds=60))
    plain, again = ask(None), ask(spy)

    relevance = {hit.text: (hit.cosine, hit.coverage, hit.score) for hit in spy.given}
    assert {hit.text: (hit.cosine, hit.coverage, hit.score) for hit in spy.returned} == relevance
    bands = {passage.text: passage.relevance for passage in plain.passages}
    common = [passage for passage in again.passages if passage.text in bands]
    assert common
    assert all(passage.relevance == bands[passage.text] for passage in common)
    assert again.nothing_relevant == plain.nothing_relevant


def test_later_hits_stay_behind_the_judged_ones(client: EmbedderClient):
    hits = [Hit("d", 1, n, n + 1, f"word {'abcdefgh'[n % 8] * (n % 5 + 1)}", cosine=0.5, number=n) for n in range(30)]

    again = CrossEncoding(client, session=SESSION, max_seconds=60).rerank("which word", hits)

    assert again[20:] == hits[20:]
    assert sorted(hit.number for hit in again[:20]) == list(range(20))


def test_a_second_stage_that_hangs_leaves_the_first_order_after_its_time(
    judge: Held, client: EmbedderClient, ask: Callable[[Reranker | None], Answer]
):
    plain = ask(None)
    judge.begun.clear()
    judge.open.clear()

    for seconds in (0.3, 3, 30):  # A machine that stalls may not come to ask in a short time.
        answer = ask(CrossEncoding(client, session=SESSION, max_seconds=seconds))
        if judge.begun.is_set():
            break

    judge.open.set()
    assert answer.second_stage == "skipped"
    assert judge.begun.is_set(), "it was never asked"
    assert answer.took_ms >= 300, "it was not the time that ended it"
    assert [passage.text for passage in answer.passages] == [passage.text for passage in plain.passages]
    assert ask(CrossEncoding(client, session=SESSION, max_seconds=60)).second_stage == "done", "it goes on afterwards"


def test_a_question_is_answered_while_pairs_wait(judge: Held, client: EmbedderClient):
    judge.begun.clear()
    judge.open.clear()
    with ThreadPoolExecutor(1) as threads:
        pairs = threads.submit(client.rank, "which word", ["lake"] * 30, session="other", timeout_seconds=60)
        assert judge.begun.wait(60)

        assert client.embed_query("Why?", session=SESSION).shape == (384,)
        assert not pairs.done()

        judge.open.set()
        assert pairs.result(60).shape == (30,)


def test_pairs_of_a_dropped_session_are_not_judged(judge: Held, client: EmbedderClient):
    judge.begun.clear()
    judge.open.clear()
    with ThreadPoolExecutor(2) as threads:
        pairs = threads.submit(client.rank, "which word", ["lake"] * 30, session="doomed", timeout_seconds=60)
        assert judge.begun.wait(60)
        dropped = threads.submit(client.drop, "doomed")
        assert isinstance(pairs.exception(60), SessionExpired)
        assert not dropped.done(), "it must wait for the call in work"
        judge.open.set()

        assert dropped.result(60) == 30 - judge.batching.texts


def test_an_embedder_that_dies_before_the_second_stage_leaves_the_first_order(tmp_path: Path, collection: Collection):
    with embedder_process(tmp_path) as (path, process):
        own = EmbedderClient(path)

        def kill() -> None:
            process.kill()
            process.wait(60)

        spy = Spy(CrossEncoding(own, session=SESSION, max_seconds=60), before=kill)
        answer = Retrieval(
            collection, own, session=SESSION, filename_of=lambda _: "book.txt", reranker=spy
        ).answer(QUESTION)  # fmt: skip

    assert answer.second_stage == "skipped"
    assert answer.passages[0].text == spy.given[0].text


def test_an_embedder_without_a_cross_encoder_leaves_the_first_order(tmp_path: Path):
    server, listener = EmbedderServer(packaged(), threads=1, queue_texts=64), ipc.listen(tmp_path / "plain.sock")
    thread = threading.Thread(target=ipc.serve, args=(listener, messages.EmbedderRequest, server.handle))
    thread.start()
    client = EmbedderClient(tmp_path / "plain.sock")

    with pytest.raises(PartUnavailable):
        client.rank("which word", ["lake"], session=SESSION, timeout_seconds=60)

    assert client.judge() is None
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(timeout=10)


def test_its_card_tells_the_weights(folder: Path, client: EmbedderClient):
    assert client.judge() == adopt(folder)
