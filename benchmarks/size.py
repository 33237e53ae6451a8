"""How much is measured: ``small`` shows that all works and how things stand, ``full`` is what is published."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers of each kind of work. ``shelves`` are chunks held while questions are asked, ``questions`` a round."""

    name: str
    rounds: int
    texts: int
    documents: tuple[int, ...]
    pages: tuple[int, ...]
    shelves: tuple[int, ...]
    clients: tuple[int, ...]
    questions: int
    busy_pages: int


SMALL = Size("small", 3, 32, (1, 10), (20,), (1_000,), (1, 4, 8), 80, 20)
FULL = Size("full", 5, 96, (1, 10, 100), (20, 300), (1_000, 10_000), (1, 4, 8), 400, 100)
# To try the programs themselves.
TINY = Size("tiny", 1, 4, (1,), (2,), (20,), (1, 2), 8, 2)
SIZES = {size.name: size for size in (TINY, SMALL, FULL)}
