"""Made-up documents with made-up vectors, for tests of what happens to vectors after they were made."""

import numpy as np

from models.content import Chunk, Extraction, Page
from vectorstore.embedder import ModelCard, RelevanceBands, Vectors

DIM = 384
CARD = ModelCard(
    name="made-up",
    backend="none",
    sha256="0" * 64,
    dim=DIM,
    max_tokens=512,
    query_prefix="",
    passage_prefix="",
    relevance=RelevanceBands(low=0.2, medium=0.5, high=0.8),
    relevance_across=RelevanceBands(low=0.2, medium=0.5, high=0.8),
)


def clustered(count: int, *, seed: int = 0, clusters: int = 50) -> Vectors:
    """Return ``(count, DIM) float32`` unit rows around a few centres, as the embeddings of real texts lie."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(clusters, DIM))
    rows = centres[random.integers(0, clusters, count)] + 0.8 * random.normal(size=(count, DIM))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def extraction(chunks: int, *, language: str | None = "en", word: str = "mayfly", per_page: int = 4) -> Extraction:
    """Return a document of that many chunks, ``per_page`` on each page; chunk ``n`` says ``word n.``."""
    pages: list[Page] = []
    cuts: list[Chunk] = []
    for first in range(0, chunks, per_page):
        number, text = len(pages) + 1, ""
        for index in range(first, min(first + per_page, chunks)):
            sentence = f"{word} {index}."
            cuts.append(Chunk(page=number, start=len(text), end=len(text) + len(sentence)))
            text += sentence + "\n"
        pages.append(Page(number=number, text=text))
    return Extraction(media_type="text/plain", pages=tuple(pages), chunks=tuple(cuts), language=language)
