import math

import numpy as np
import pytest

from tests.support.hits import SENTENCES
from vectorstore import lexical
from vectorstore.lexical import K1, B, coverage, having_all, index
from vectorstore.terms import occurrences, terms_of


def by_the_book(texts: list[str], question: str) -> list[float]:
    """BM25 over its ideal, written as in the paper, term by term and text by text."""
    words = [list(occurrences([text])[0]) for text in texts]
    asked, mean = list(terms_of(question)), sum(map(len, words)) / len(texts)
    scores, ideal = [0.0] * len(texts), 0.0
    for term in asked:
        having = sum(term in text for text in words)
        idf = math.log(1 + (len(texts) + 20 - having + 0.5) / (having + 0.5))
        ideal += idf * (K1 + 1)
        for place, text in enumerate(words):
            often = text.count(term)
            scores[place] += idf * often * (K1 + 1) / (often + K1 * (1 - B + B * len(text) / mean))
    return [score / ideal for score in scores]


@pytest.mark.parametrize("question", ["How long does the mayfly live?", "river river", "Versailles 1614", "quartz"])
def test_coverage_is_bm25_over_its_ideal(question: str):
    texts = [*SENTENCES, SENTENCES[0] * 3]

    (scores,) = coverage([index(texts)], terms_of(question))

    assert scores == pytest.approx(by_the_book(texts, question), abs=1e-5)
    assert 0 <= scores.min() <= scores.max() <= 1


def test_how_texts_are_spread_over_documents_changes_no_score(monkeypatch: pytest.MonkeyPatch):
    texts = [f"{SENTENCES[number % 8]} {number % 7}" for number in range(130)]
    terms = terms_of("When did the estates meet at Versailles 3?")
    (whole,) = coverage([index(texts)], terms)
    monkeypatch.setattr(lexical, "_SEGMENT_CHUNKS", 60)

    parts = coverage([index(texts[:70]), index([]), index(texts[70:])], terms)

    assert np.array_equal(np.concatenate(parts), whole)


def test_a_stop_between_batches_stops():
    batches = iter([None, KeyError()])

    def stop_at_the_second() -> None:
        if error := next(batches):
            raise error

    with pytest.raises(KeyError):
        index(["a"] * 51, on_batch=stop_at_the_second)


@pytest.mark.parametrize(
    ("text", "places"), [("lives for one", [0]), ("one", [0, 3]), ("quartz", []), ("", [0, 1, 2, 3])]
)
def test_chunks_that_have_all_terms_are_found(text: str, places: list[int]):
    assert having_all(index(SENTENCES[:4]), terms_of(text)).tolist() == places


def test_no_documents_and_no_terms_cover_nothing():
    assert coverage([], terms_of("a")) == []
    assert coverage([index(["a", "b"])], terms_of(""))[0].tolist() == [0, 0]
    assert coverage([index([])], terms_of("a"))[0].tolist() == []
