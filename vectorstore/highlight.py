"""Which sentence of a passage answers a question best."""

from collections.abc import Sequence

import numpy as np

from models.content import Span
from vectorstore import lexical
from vectorstore.collection import Collection
from vectorstore.embedder import Vectors
from vectorstore.quote import Quotation
from vectorstore.ranking import Words
from vectorstore.sentences import split

_MIN_COVERAGE = 0.1  # A sentence that shares a word of grammar with the question stands out by nothing.


def highlights(
    quotations: Sequence[Quotation], vector: Vectors, words: Words, collection: Collection
) -> list[Span | None]:
    """Return one sentence of each quotation's best chunk, as offsets in its page; ``None`` where none stands out.

    By meaning and words where the sentences have vectors, else by words alone.
    """
    spans = [_spans(quotation) for quotation in quotations]
    texts = [
        quotation.text[start - quotation.start : end - quotation.start]
        for quotation, own in zip(quotations, spans, strict=True)
        for start, end in own
    ]
    (coverages,) = lexical.coverage([lexical.index(texts)], words.terms)
    found: list[Span | None] = []
    for quotation, own in zip(quotations, spans, strict=True):
        covered, coverages = coverages[: len(own)], coverages[len(own) :]
        cosines = _cosines(quotation, vector, collection)
        found.append(_best(own, covered, cosines, collection.card.lexical_weight))
    return found


def _best(
    spans: Sequence[tuple[int, int]], covered: lexical.Scores, cosines: Vectors | None, weight: float
) -> Span | None:
    if not spans:
        return None
    if cosines is None or len(cosines) != len(spans):
        return Span(*spans[int(covered.argmax())]) if covered.max() >= _MIN_COVERAGE else None
    return Span(*spans[int((cosines + weight * covered).argmax())])


def _spans(quotation: Quotation) -> list[tuple[int, int]]:
    """Return the sentences of the best chunk that are quoted whole."""
    best = quotation.best
    spans = [(best.start + start, best.start + end) for start, end in split(best.text)]
    return [(start, end) for start, end in spans if quotation.start <= start and end <= quotation.end]


def _cosines(quotation: Quotation, vector: Vectors, collection: Collection) -> Vectors | None:
    sentences = collection.sentences(quotation.best.document_id)
    return None if sentences is None else np.asarray(sentences.cosines(quotation.best.number, vector))
