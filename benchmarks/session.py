"""What a session costs: time to ready, private memory, search time by number of chunks, time to kill.

Run ``python -m benchmarks.session [--sessions 20] [--chunks 10,1000,10000]``. It starts a host of its own; vectors are
made up (clustered unit rows) so that the embedder's time does not hide the rest. Times are milliseconds of wall clock.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import psutil

from benchmarks.machine import describe
from tests.support.hosting import Parts, Session, hosting
from tests.support.vectors import CARD, clustered, extraction
from vectorstore.collection import Collection

K = 48
QUESTIONS = 200


def milliseconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    last = ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]
    return {"p50": round(statistics.median(ordered), 2), "p99": round(last, 2)}


def private_mb(pid: int) -> float:
    return round(psutil.Process(pid).memory_full_info().uss / 1e6, 1)


def lives(parts: Parts, sessions: int) -> dict[str, object]:
    """Open, unlock, measure and kill sessions that are all alive at once."""
    opened: list[Session] = []
    with hosting(parts, capacity=sessions) as host:
        ready = [milliseconds(lambda: opened.append(host.open())) for _ in range(sessions)]
        memory = [private_mb(session.pid) for session in opened]
        calls = [milliseconds(opened[0].client.summarise) for _ in range(QUESTIONS)]
        killed = [milliseconds(lambda s=session: host.client.kill(s.session_id)) for session in opened]
    return {
        "ready": spread(ready),
        "private_mb_empty": spread(memory),
        "round_trip": spread(calls),
        "kill_and_reap": spread(killed),
    }


def searches(chunks: int) -> dict[str, object]:
    """Fill a collection of two documents and search it with and without naming one of them."""
    collection, vectors = Collection(CARD, max_chunks=chunks), clustered(chunks)
    half = max(1, chunks // 2)
    adding = milliseconds(lambda: collection.add("a", extraction(half), vectors[:half]))
    adding += milliseconds(lambda: collection.add("b", extraction(chunks - half), vectors[half:]))
    for name in ("a", "b"):
        collection.publish(name)
    questions = clustered(QUESTIONS, seed=1)
    recalls = [_recall(collection, vectors, question) for question in questions[:50]]
    return {
        "chunks": chunks,
        "add_seconds": round(adding / 1000, 2),
        "search": spread([milliseconds(lambda q=q: collection.search(q, K)) for q in questions]),
        "search_one_document": spread([milliseconds(lambda q=q: collection.search(q, K, ("a",))) for q in questions]),
        "recall_at_48": round(float(np.mean(recalls)), 4),
        "worst_recall": round(float(min(recalls)), 4),
    }


def _recall(collection: Collection, vectors: np.ndarray, question: np.ndarray) -> float:
    k = min(K, len(vectors))
    exact = np.sort(vectors @ question)[-k]
    hits = collection.search(question, k)
    return sum(hit.cosine >= exact - 1e-5 for hit in hits) / k


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--chunks", default="10,1000,10000")
    arguments = parser.parse_args()
    parts = Parts()
    try:
        parts.start()
        result = lives(parts, arguments.sessions)
    finally:
        parts.stop()
    result["searches"] = [searches(int(chunks)) for chunks in arguments.chunks.split(",")]
    result["machine"] = describe()
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
