"""How long until a book can be searched, beside the time that embedding it takes alone.

Run ``python -m benchmarks.ingest [--pages 300] [--rounds 3]``. It starts a service and uploads a PDF with a text
layer over HTTP. Each round then sends the very passages of that book to the same embedder, in the same batches, with
nothing else going on; the ratio is taken within a round. Times are seconds of wall clock.
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence

from api.client import Client, LearnerSession
from benchmarks.machine import describe
from ingestion.pipeline import EMBED_TEXTS, Texts
from tests.conftest import new_learner
from tests.support import library
from tests.support.jails import running_jailer
from tests.support.service import Service, running
from vectorstore.client import EmbedderClient

GOAL = 1.3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.pages, arguments.rounds), indent=2))


def measure(pages: int, rounds: int) -> dict[str, object]:
    """Return the times of every round and the median ratio."""
    book = library.pdf([page_text(number) for number in range(1, pages + 1)], name="book.pdf")
    with running_jailer() as reader:
        extraction = reader.extract(book.data, book.name)
    texts = Texts(extraction).texts
    with running() as service, Client(service.url, timeout_seconds=600) as client, new_learner(client) as learner:
        warm = EmbedderClient(service.runtime_dir / "embedder.sock")
        embed(warm, texts[:64])
        found = [one_round(service, learner, book, texts) for _ in range(rounds)]
    return {
        "machine": describe(),
        "pages": pages,
        "chunks": len(extraction.chunks),
        "texts": len(texts),
        "rounds": found,
        "ratio": round(statistics.median(each["searchable"] / each["embedding_alone"] for each in found), 3),
        "goal": GOAL,
    }


def one_round(
    service: Service, learner: LearnerSession, book: library.Upload, texts: Sequence[str]
) -> dict[str, float]:
    """Time one upload until it is ready, then embedding the same passages alone."""
    started = time.perf_counter()
    (document,) = learner.upload((book.name, book.data, book.media_type))
    ready = learner.wait(document.document_id)
    searchable = time.perf_counter() - started
    assert ready.status == "ready", ready.error
    learner.delete(document.document_id)
    alone = embed(EmbedderClient(service.runtime_dir / "embedder.sock"), texts)
    stages = {stage: timing.seconds for stage, timing in ready.timings.items()}
    return {"searchable": round(searchable, 2), "embedding_alone": round(alone, 2), **stages}


def embed(embedder: EmbedderClient, texts: Sequence[str]) -> float:
    """Return how long the embedder takes for these passages when nobody else asks."""
    started = time.perf_counter()
    for start in range(0, len(texts), EMBED_TEXTS):
        embedder.embed_passages(texts[start : start + EMBED_TEXTS], session="benchmark")
    return time.perf_counter() - started


def page_text(number: int) -> str:
    """Return a page of prose that no other page repeats."""
    paragraphs = library.ENGLISH
    chosen = [paragraphs[(number * 7 + step) % len(paragraphs)] for step in range(4)]
    return f"Page {number} of the log book, written on day {number * 3}. " + " ".join(chosen)


if __name__ == "__main__":
    main()
