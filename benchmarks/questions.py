"""XQuAD beside the checkout: paragraphs, questions, and which paragraph answers which; vectors are made once a run.

The five paragraphs of an article stand in a row. Every fourth question is asked unless another step is given.
"""

import gzip
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.settings import Settings
from ingestion.pipeline import Texts
from models.content import Chunk, Extraction, Page
from vectorstore import models
from vectorstore.centring import centred
from vectorstore.embedder import Embedder, Vectors
from vectorstore.relevance import language_of
from vectorstore.sentences import SentenceVectors

DATA = Path(__file__).resolve().parents[2] / "shared" / "retrieval"
LANGUAGES = ("en", "es", "zh", "ar")
STEP = 4
PARAGRAPHS = 240
ARTICLE_PARAGRAPHS = 5


@dataclass(frozen=True, slots=True)
class Questions:
    """One language: question ``i`` was written for paragraph ``right[i]``."""

    language: str
    paragraphs: tuple[str, ...]
    questions: tuple[str, ...]
    right: NDArray[np.intp]

    def extraction(self) -> Extraction:
        """Return a document with a paragraph a page, each one chunk."""
        pages = tuple(Page(number, text) for number, text in enumerate(self.paragraphs, 1))
        chunks = tuple(Chunk(page.number, 0, len(page.text)) for page in pages)
        return Extraction("text/plain", pages, chunks, self.language)


@cache
def load(language: str, step: int = STEP, paragraphs: int = PARAGRAPHS) -> Questions:
    """Return the first paragraphs of a language, and every ``step``-th question that one of them answers."""
    with gzip.open(DATA / f"xquad.{language}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    held = [row for row in rows if row["t"] == "d"][:paragraphs]
    places = {row["id"]: place for place, row in enumerate(held)}
    asked = [row for row in [row for row in rows if row["t"] == "q"][::step] if row["rel"][0] in places]
    return Questions(
        language=language,
        paragraphs=tuple(row["text"] for row in held),
        questions=tuple(row["text"] for row in asked),
        right=np.array([places[row["rel"][0]] for row in asked]),
    )


@cache
def embedder() -> Embedder:
    """Return the packaged model, on two threads."""
    return models.load(models.prepare("packaged", Settings().model_dir), threads=2)


@cache
def paragraph_vectors(language: str, paragraphs: int = PARAGRAPHS) -> tuple[Vectors, SentenceVectors]:
    """Return the vectors of the paragraphs, ``(n_paragraphs, dim) float32``, and of their sentences."""
    texts = Texts(load(language, STEP, paragraphs).extraction())
    return texts.joined(embedder().embed_passages(texts.texts))


@cache
def question_vectors(language: str, step: int = STEP, paragraphs: int = PARAGRAPHS) -> Vectors:
    """Return ``(n_questions, dim) float32``, as the service searches with them."""
    return searched_with(load(language, step, paragraphs).questions)


def searched_with(questions: Sequence[str]) -> Vectors:
    """Return the vectors of questions, centred as the service does it: ``(n_questions, dim) float32``."""
    card, pairs = embedder().card, zip(questions, vectors_of(questions), strict=True)
    return np.stack([centred(vector, card, language_of(text)) for text, vector in pairs])


def vectors_of(questions: Sequence[str]) -> Vectors:
    """Return the vectors of questions as the model makes them: ``(n_questions, dim) float32``, unit rows."""
    with ThreadPoolExecutor(2) as threads:
        return np.stack(list(threads.map(embedder().embed_query, questions)))


def measures(ranks: list[int | None]) -> dict[str, float]:
    """Return nDCG@10 and recall at 1 and 5 of the places, from 0, of the one right paragraph; ``None`` if missed."""
    gains = [1 / np.log2(rank + 2) if rank is not None and rank < 10 else 0.0 for rank in ranks]
    within = {k: float(np.mean([rank is not None and rank < k for rank in ranks])) for k in (1, 5)}
    return {"ndcg@10": round(float(np.mean(gains)), 4)} | {
        f"recall@{k}": round(share, 4) for k, share in within.items()
    }


def mean(of: list[dict[str, Any]]) -> dict[str, float]:
    """Return the mean of each measure."""
    return {name: round(float(np.mean([one[name] for one in of])), 4) for name in of[0]}


def consecutive(pages: list[int]) -> list[int]:
    """Return pages without repetitions in a row: two passages of one page are one find."""
    return pages[:1] + [later for earlier, later in pairwise(pages) if later != earlier]
