"""How much is measured: ``small`` shows that all works and how things stand, ``full`` is what is published."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers of each kind of work.

    ``shelves`` are chunks held while questions are asked. ``ingest_seconds`` bounds all rounds of ingesting together,
    ``service_seconds`` the whole part: what takes long is repeated only while there is time for it. ``ask_seconds`` is
    how long each number of clients asks in each round. ``paragraphs`` and ``question_step`` cut the sets that quality
    is judged by.
    """

    name: str
    rounds: int
    texts: int
    documents: tuple[int, ...]
    pages: tuple[int, ...]
    ingest_seconds: float
    service_seconds: float
    shelves: tuple[int, ...]
    clients: tuple[int, ...]
    ask_seconds: float
    busy_pages: int
    paragraphs: int
    question_step: int


SMALL = Size("small", 2, 16, (1, 10), (20,), 60, 120, (10, 1_000), (1, 4, 8), 1.0, 5, 40, 8)
FULL = Size("full", 3, 32, (1, 10, 100), (20, 300), 240, 600, (10, 1_000, 10_000), (1, 4, 8), 1.0, 10, 240, 8)
# To try the programs themselves.
TINY = Size("tiny", 1, 4, (1,), (2,), 10, 60, (10,), (1, 2), 0.2, 2, 10, 16)
SIZES = {size.name: size for size in (TINY, SMALL, FULL)}
