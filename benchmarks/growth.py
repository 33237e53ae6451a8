"""What grows with a session: search, adding, memory, stalls, up to ten thousand chunks; what opening one costs.

A collection in this process and, for opening and killing, a host with its warm template (``benchmarks/session.py``).
Vectors are made up, so that the embedder's time does not hide the rest; beside ours, the index inside Chroma, which
peers search, with the same vectors and no texts.
"""

import chromadb
from chromadb.config import Settings

from benchmarks import session
from benchmarks.results import OURS, Tally, percentile
from benchmarks.size import Size
from tests.support.hosting import Parts
from tests.support.vectors import clustered

TITLE = "What grows with a session"
ADD_STALL = "longest stall of another thread while adding"
_CHROMA = "chromadb as installed, vectors alone"
_SESSIONS = 10
_ROUNDS = 2  # Ten thousand chunks take a while to add.
_ADD = 5_000
_SETTINGS = Settings(anonymized_telemetry=False)


def measure(size: Size, tally: Tally) -> None:
    """Note the rows of a collection by its chunks, and of a session process."""
    for _ in range(min(size.rounds, _ROUNDS)):
        for chunks in size.shelves:
            _collection(chunks, tally)
            _chroma(chunks, tally)
    parts = Parts()
    try:
        parts.start()
        for _ in range(size.rounds):
            _processes(session.lives(parts, _SESSIONS), tally)
    finally:
        parts.stop()


def _collection(chunks: int, tally: Tally) -> None:
    found = session.searches(chunks)
    for name in ("p50", "p99"):
        tally.note(search(chunks, name), OURS, found.search[name], "ms")
    tally.note(f"search one document of ten, {chunks:,} chunks, p50", OURS, found.search_one_document["p50"], "ms")
    tally.note(f"add {chunks:,} chunks", OURS, found.add_seconds, "s")
    tally.note(f"{ADD_STALL} {chunks:,} chunks", OURS, found.longest_stall, "ms")
    tally.note(f"private memory of {chunks:,} chunks", OURS, found.private_mb, "MB")


def _chroma(chunks: int, tally: Tally) -> None:
    """Do the same with Chroma alone, as its documentation shows it: everything added in as few calls as it takes."""
    client = chromadb.EphemeralClient(_SETTINGS)
    made = client.create_collection("beside", embedding_function=None)
    vectors, questions = clustered(chunks), clustered(session.QUESTIONS, seed=1)
    ids = [str(number) for number in range(chunks)]
    with session.stalls() as late:
        adding = sum(
            session.milliseconds(lambda at=at: made.add(ids=ids[at : at + _ADD], embeddings=vectors[at : at + _ADD]))
            for at in range(0, chunks, _ADD)
        )
    took = [
        session.milliseconds(lambda one=one: made.query(query_embeddings=[one], n_results=min(session.K, chunks)))
        for one in questions
    ]
    client.delete_collection("beside")
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        tally.note(search(chunks, name), _CHROMA, percentile(took, share), "ms")
    tally.note(f"add {chunks:,} chunks", _CHROMA, adding / 1000, "s")
    tally.note(f"{ADD_STALL} {chunks:,} chunks", _CHROMA, max(late), "ms")


def _processes(found: session.Lives, tally: Tally) -> None:
    for work, spread in (
        ("open and unlock a session process", found.ready),
        ("round trip to a session process", found.round_trip),
        ("kill and reap a session process", found.kill_and_reap),
    ):
        for name in ("p50", "p99"):
            tally.note(f"{work}, {name}", OURS, spread[name], "ms")
    tally.note("private memory of an empty session", OURS, found.private_mb_empty["p50"], "MB")


def search(chunks: int, name: str) -> str:
    """Return what a row of searches is called."""
    return f"search by meaning and words, {chunks:,} chunks, {name}"
