"""What a collection holds of one document, and how one of its chunks is told."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.content import Chunk, Extraction, Page
from vectorstore.embedder import Vectors
from vectorstore.lexical import Postings
from vectorstore.pack import estimate_tokens
from vectorstore.sentences import SentenceVectors


class Hit(msgspec.Struct, frozen=True):
    """A chunk that was found: ``text`` is ``[start:end]`` of the page, ``number`` its place in the document.

    ``cosine`` is its likeness to the question, by all of it and by its best sentence; ``coverage`` is how much of the
    question its words cover, ``score`` both; ``quoted`` says that it contains a phrase which the question puts in
    quotation marks.
    """

    document_id: str
    page: int
    start: int
    end: int
    text: str
    cosine: float
    heading: tuple[str, ...] = ()
    ocr_confidence: float | None = None
    language: str | None = None
    page_label: str | None = None
    seconds: tuple[float, float] | None = None
    coverage: float = 0.0
    score: float = 0.0
    number: int = 0
    quoted: bool = False

    def __repr__(self) -> str:
        return "<Hit>"

    @property
    def tokens(self) -> int:
        """About how many tokens the text takes."""
        return estimate_tokens(self.text)


class Document(msgspec.Struct):
    """One document; chunk ``i`` has the number ``first_id + i`` in the engine and the row ``i`` in ``vectors``."""

    document_id: str
    extraction: Extraction
    pages: dict[int, Page]
    first_id: int
    vectors: Vectors
    postings: Postings
    sentences: SentenceVectors | None = None
    published: bool = False
    removed: bool = False

    def __repr__(self) -> str:
        return "<Document>"

    def __len__(self) -> int:
        return len(self.extraction.chunks)

    def ids(self) -> range:
        """Return the numbers of its chunks in the engine."""
        return range(self.first_id, self.first_id + len(self))

    def language(self, chunk: Chunk) -> str | None:
        """Return a chunk's language, ISO 639-1: its own, else the document's."""
        return chunk.language or self.extraction.language

    def has_language(self, language: str) -> NDArray[np.bool_]:
        """Say which chunks are in a language, ``(n_chunks,)``."""
        return np.array([self.language(chunk) == language for chunk in self.extraction.chunks], np.bool_)

    def text(self, chunk: Chunk) -> str:
        """Return the chunk's text."""
        return self.pages[chunk.page].text[chunk.start : chunk.end]

    def read(self, chunk: Chunk) -> str:
        """Return what is said of a chunk in words: the headings above it, then its text."""
        return "\n".join([*chunk.heading, self.text(chunk)])
