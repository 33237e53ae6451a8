"""What an embedder is: texts in, unit vectors out, and a card that says which model made them; and a judge of pairs."""

import hashlib
from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class RelevanceBands(msgspec.Struct, frozen=True):
    """From which evidence a passage counts as low, medium or high; below ``low`` it is not relevant. Set per model.

    Evidence is a hit's cosine plus ``evidence_weight`` times the share of the question that the passage's words cover.
    """

    low: float
    medium: float
    high: float


# For a model nobody has measured here: typical of models trained with a cosine loss at temperature 0.05.
UNMEASURED = RelevanceBands(low=0.25, medium=0.4, high=0.55)


class ModelCard(msgspec.Struct, frozen=True):
    """Which model made a vector. Published in ``GET /v1/assurance``.

    ``sha256`` is the hash of the weights' source file, or for an endpoint that of its address and its model's name;
    ``max_tokens`` is the window, special tokens and prefix included. ``relevance`` holds where question and passage
    share a language, ``relevance_across`` where not. ``lexical_weight`` is what a full match of words adds to a cosine
    when chunks are put in order, ``evidence_weight`` when their relevance is judged; both grow with how far the model's
    cosines lie apart. ``chance_evidence`` is how much more evidence the best of e times as many wrong chunks has.
    ``common_weight`` is how much of what all questions have in common is taken from a question's vector.
    """

    name: str
    backend: str
    sha256: str
    dim: int
    max_tokens: int
    query_prefix: str
    passage_prefix: str
    relevance: RelevanceBands
    relevance_across: RelevanceBands
    lexical_weight: float = 0.2
    evidence_weight: float = 0.4
    chance_evidence: float = 0.0
    common_weight: float = 0.0

    @property
    def identity(self) -> str:
        """What two models differ in whose vectors must not meet in one collection."""
        parts = (self.name, self.backend, self.sha256, str(self.dim), self.query_prefix, self.passage_prefix)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


class Batching(msgspec.Struct, frozen=True):
    """What one call to a model best takes: at most so many texts, and tokens together with what padding adds.

    ``calls`` is how many calls make sense at once; 0 is as many as there are threads.
    """

    texts: int = 1
    tokens: int = 0
    calls: int = 0


class Embedder(Protocol):
    """A model behind one face, whatever runs it. ``batching`` says how it likes its passages."""

    card: ModelCard
    batching: Batching

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return ``(n_texts, dim) float32``, unit rows, in the order given. A text beyond the window is cut at it."""
        ...

    def embed_query(self, text: str) -> Vectors:
        """Return ``(dim,) float32`` of unit length."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return how many tokens the text takes as a passage, special tokens and prefix included."""
        ...


class JudgeCard(msgspec.Struct, frozen=True):
    """Which model judges pairs. ``sha256`` is the hash of its weights, ``max_tokens`` its window for both texts."""

    name: str
    sha256: str
    max_tokens: int


class PairJudge(Protocol):
    """What judges how well a passage answers a question.

    A protocol although one type fits it today: that type brings a library of a gigabyte.
    """

    card: JudgeCard
    batching: Batching

    def scores(self, questions: Sequence[str], passages: Sequence[str]) -> Vectors:
        """Return one number a pair, ``(n_pairs,) float32``, the higher the better."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return about how many tokens a passage takes."""
        ...
