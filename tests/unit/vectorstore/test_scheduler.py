"""The queue before the model: order, fairness, bounds, and letting go."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from models.errors import EmbeddingFailed, PartUnavailable, QueueFull, SessionExpired
from tests.support.embedders import GatedEmbedder, toy_vector
from vectorstore.embedder import Batching, Vectors
from vectorstore.scheduler import Scheduler


@pytest.fixture
def model() -> GatedEmbedder:
    return GatedEmbedder()


@pytest.fixture
def scheduler(model: GatedEmbedder) -> Iterator[Scheduler]:
    scheduler = Scheduler(model, threads=1, queue_texts=8)
    yield scheduler
    model.allow(100)
    scheduler.close()


@pytest.fixture
def busy(model: GatedEmbedder, scheduler: Scheduler) -> Scheduler:
    """A scheduler whose only thread is at work on the text ``in work`` of the session ``zero``."""
    scheduler.submit("zero", "passage", ["in work"])
    model.wait_until_started(1)
    return scheduler


def test_a_part_that_is_unavailable_is_told_from_a_text_that_failed_and_its_error_holds_no_text():
    class Gone(GatedEmbedder):
        def embed_passages(self, texts: Sequence[str]) -> Vectors:  # noqa: ARG002  # It is an ``Embedder``.
            raise PartUnavailable

    scheduler = Scheduler(Gone(), threads=1, queue_texts=4)

    error = scheduler.submit("a", "passage", ["text"]).future.exception(timeout=60)

    assert isinstance(error, PartUnavailable)
    assert error.__traceback__ is None
    scheduler.close()


def test_a_model_that_gives_too_few_rows_fails_the_ticket_and_the_thread_goes_on():
    class Short(GatedEmbedder):
        def embed_passages(self, texts: Sequence[str]) -> Vectors:
            return np.stack([toy_vector(text) for text in texts])[1:]

    scheduler = Scheduler(Short(), threads=1, queue_texts=4)

    errors = [scheduler.submit("a", "passage", ["text"]).future.exception(timeout=60) for _ in range(2)]

    assert [type(error) for error in errors] == [EmbeddingFailed] * 2
    scheduler.close()


def test_vectors_come_back_in_the_order_of_the_texts(model: GatedEmbedder, scheduler: Scheduler):
    ticket = scheduler.submit("a", "passage", ["x", "y", "z"])
    model.allow(3)

    vectors = ticket.future.result(timeout=60)

    assert vectors.shape == (3, 8)
    assert np.array_equal(vectors, np.stack([toy_vector(text) for text in "xyz"]))


def test_a_question_overtakes_every_passage_that_waits(model: GatedEmbedder, busy: Scheduler):
    book = busy.submit("a", "passage", ["p1", "p2", "p3"])
    question = busy.submit("b", "question", ["q"])
    model.allow(10)
    question.future.result(timeout=60)
    book.future.result(timeout=60)

    assert model.started == ["in work", "q", "p1", "p2", "p3"]


def test_sessions_take_turns_text_by_text(model: GatedEmbedder, busy: Scheduler):
    tickets = [
        busy.submit("a", "passage", ["a1", "a2", "a3"]),
        busy.submit("b", "passage", ["b1", "b2"]),
        busy.submit("c", "passage", ["c1"]),
    ]
    model.allow(10)
    for ticket in tickets:
        ticket.future.result(timeout=60)

    assert model.started[1:] == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_what_does_not_fit_the_queue_is_refused_and_leaves_no_part_of_itself(busy: Scheduler):
    busy.submit("a", "passage", ["p"] * 6)

    with pytest.raises(QueueFull) as refusal:
        busy.submit("b", "passage", ["p"] * 3)

    assert refusal.value.retry_after_seconds is not None
    assert busy.waiting() == 6


def test_a_question_is_taken_although_the_passages_fill_their_queue(model: GatedEmbedder, busy: Scheduler):
    busy.submit("a", "passage", ["p"] * 8)

    question = busy.submit("b", "question", ["q"])

    model.allow(2)
    assert question.future.result(timeout=60).shape == (1, 8)


def test_dropping_a_session_fails_its_waiting_texts_and_nobody_elses(model: GatedEmbedder, busy: Scheduler):
    dropped = [busy.submit("a", "passage", ["a1", "a2"]), busy.submit("a", "question", ["a3"])]
    kept = busy.submit("b", "passage", ["b1"])

    assert busy.drop("a") == 3

    model.allow(10)
    assert kept.future.result(timeout=60).shape == (1, 8)
    for ticket in dropped:
        assert isinstance(ticket.future.exception(timeout=60), SessionExpired)
    assert model.started == ["in work", "b1"]


def test_dropping_waits_for_the_text_in_work(model: GatedEmbedder, scheduler: Scheduler):
    ticket = scheduler.submit("a", "passage", ["one", "two"])
    model.wait_until_started(1)
    finished_before_the_gate_opened: list[bool] = []
    ticket.future.add_done_callback(lambda _: model.allow())

    # The ticket fails, and so opens the gate, only when the waiting text is out; drop must then wait for the other.
    finished_before_the_gate_opened.append(ticket.future.done())
    dropped = scheduler.drop("a")

    assert finished_before_the_gate_opened == [False]
    assert dropped == 1
    assert scheduler._in_work["a"] == 0


def test_a_cancelled_ticket_is_settled_at_once_and_its_texts_are_not_begun(model: GatedEmbedder, busy: Scheduler):
    cancelled = busy.submit("a", "passage", ["a1", "a2"])
    kept = busy.submit("a", "passage", ["a3"])

    busy.cancel(cancelled)

    assert isinstance(cancelled.future.exception(timeout=0), SessionExpired)
    model.allow(10)
    kept.future.result(timeout=60)
    assert model.started == ["in work", "a3"]


def test_a_text_that_breaks_the_model_fails_its_own_ticket_only(model: GatedEmbedder, busy: Scheduler):
    model.failing.add("bad")
    broken = busy.submit("a", "passage", ["bad", "never begun"])
    whole = busy.submit("b", "passage", ["good"])
    model.allow(10)

    error = broken.future.exception(timeout=60)

    assert isinstance(error, EmbeddingFailed)
    assert error.__cause__ is None, "a cause could quote the text"
    assert whole.future.result(timeout=60).shape == (1, 8)
    assert "never begun" not in model.started


def test_a_closed_scheduler_fails_what_waits_and_takes_nothing_more(model: GatedEmbedder):
    scheduler = Scheduler(model, threads=1, queue_texts=8)
    in_work = scheduler.submit("a", "passage", ["one"])
    model.wait_until_started(1)
    waiting = scheduler.submit("a", "passage", ["two"])
    waiting.future.add_done_callback(lambda _: model.allow())

    scheduler.close()

    assert in_work.future.result(timeout=0).shape == (1, 8)
    assert isinstance(waiting.future.exception(timeout=0), PartUnavailable)
    with pytest.raises(PartUnavailable):
        scheduler.submit("a", "passage", ["three"])


class Batched(GatedEmbedder):
    """Takes up to four texts a call; ``calls`` lists them. A call begins at one ``allow``."""

    batching = Batching(texts=4, tokens=1000)

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[str]] = []

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(list(texts))
        self.embed_query(texts[0])
        if self.failing.intersection(texts):
            raise ValueError(texts)
        return np.stack([toy_vector(text) for text in texts])


@pytest.fixture
def batched() -> Batched:
    return Batched()


@pytest.fixture
def batching(batched: Batched) -> Iterator[Scheduler]:
    """A scheduler over a model that takes several texts a call, at work on the text ``in work``."""
    scheduler = Scheduler(batched, threads=1, queue_texts=16)
    scheduler.submit("zero", "passage", ["in work"])
    batched.wait_until_started(1)
    yield scheduler
    batched.allow(100)
    scheduler.close()


def test_texts_of_several_sessions_share_a_call_and_each_gets_its_own_vectors(batched: Batched, batching: Scheduler):
    tickets = {name: batching.submit(name, "passage", [f"{name}1", f"{name}2", f"{name}3"]) for name in "ab"}
    batched.allow(3)

    for name, ticket in tickets.items():
        expected = np.stack([toy_vector(f"{name}{number}") for number in (1, 2, 3)])
        assert np.array_equal(ticket.future.result(timeout=60), expected)
    assert [len(call) for call in batched.calls] == [1, 4, 2]


def test_a_question_overtakes_calls_that_wait(batched: Batched, batching: Scheduler):
    book = batching.submit("a", "passage", ["p"] * 8)
    question = batching.submit("b", "question", ["q"])
    batched.allow(4)
    question.future.result(timeout=60)
    book.future.result(timeout=60)

    assert batched.started == ["in work", "q", "p", "p"]


def test_a_text_that_breaks_a_call_fails_its_own_ticket_only(batched: Batched, batching: Scheduler):
    batched.failing.add("bad")
    broken = batching.submit("a", "passage", ["bad"])
    whole = batching.submit("b", "passage", ["good", "better"])
    batched.allow(10)

    assert isinstance(broken.future.exception(timeout=60), EmbeddingFailed)
    assert np.array_equal(whole.future.result(timeout=60), np.stack([toy_vector("good"), toy_vector("better")]))


def test_a_model_that_takes_one_call_at_once_keeps_its_other_threads_for_questions():
    class Alone(GatedEmbedder):
        batching = Batching(calls=1)

    model = Alone()
    scheduler = Scheduler(model, threads=2, queue_texts=8)
    book = scheduler.submit("a", "passage", ["p1", "p2"])
    model.wait_until_started(1)
    question = scheduler.submit("b", "question", ["q"])
    model.wait_until_started(2)

    assert model.started == ["p1", "q"]

    model.allow(3)
    question.future.result(timeout=60)
    book.future.result(timeout=60)
    assert model.started == ["p1", "q", "p2"]
    scheduler.close()
