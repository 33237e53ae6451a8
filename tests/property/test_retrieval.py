"""What holds for every set of hits, every budget, every order."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.content import Chunk, Extraction, Page
from tests.support.vectors import CARD, clustered
from vectorstore.collection import Collection
from vectorstore.fuse import best, fuse
from vectorstore.held import Hit
from vectorstore.pack import estimate_tokens
from vectorstore.quote import quote
from vectorstore.ranking import words_of

_WORDS = st.sampled_from(["mayfly", "river", "蜉蝣", "नदी", "ذبابة", "lives", "一天", "2,500", "."])
_TEXTS = st.lists(_WORDS, min_size=1, max_size=30).map(" ".join)
_FRACTIONS = st.integers(0, 20).map(lambda part: part / 20)


@st.composite
def _pages(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    """A page and its chunks: texts in a row, blank lines between them."""
    texts = draw(st.lists(_TEXTS, min_size=1, max_size=8))
    ends = list(itertools.accumulate(len(text) + 2 for text in texts))
    return "\n\n".join(texts), [(end - len(text) - 2, end - 2) for text, end in zip(texts, ends, strict=True)]


@given(_pages(), st.data())
def test_quotations_are_exact_keep_to_the_budget_and_do_not_overlap(
    made: tuple[str, list[tuple[int, int]]], data: st.DataObject
) -> None:
    page, cuts = made
    order = data.draw(st.permutations(range(len(cuts))))
    budget = data.draw(st.none() | st.integers(1, 400))
    hits = [Hit("a", 1, *cuts[number], page[slice(*cuts[number])], 0.9, number=number) for number in order]

    quotations = quote(hits, budget, lambda _document, _page, start, end: page[start:end])

    assert all(each.text == page[each.start : each.end] for each in quotations)
    assert budget is None or sum(estimate_tokens(each.text) for each in quotations) <= budget
    ordered = sorted(quotations, key=lambda each: each.start)
    assert all(one.end < other.start for one, other in itertools.pairwise(ordered))
    assert budget is not None or sum(len(each.hits) for each in quotations) == len(hits)


@given(st.lists(st.tuples(_FRACTIONS, _FRACTIONS), min_size=1, max_size=40), st.data())
def test_fusion_does_not_depend_on_the_order_of_the_chunks(
    made: list[tuple[float, float]], data: st.DataObject
) -> None:
    cosines, coverages = np.array(made, np.float32).T
    order = np.array(data.draw(st.permutations(range(len(made)))))

    straight = fuse(cosines, coverages, lexical_weight=0.2)
    shuffled = fuse(cosines[order], coverages[order], lexical_weight=0.2)

    assert np.array_equal(straight[order], shuffled)
    k = data.draw(st.integers(1, len(made)))
    assert straight[best(straight, k)].tolist() == sorted(straight.tolist(), reverse=True)[:k]
    assert best(straight, k).tolist() == sorted(range(len(made)), key=lambda place: (-straight[place], place))[:k]


@settings(max_examples=20)
@given(st.lists(_TEXTS, min_size=1, max_size=6), st.lists(_TEXTS, min_size=1, max_size=6), _TEXTS)
def test_what_another_session_or_an_unpublished_document_holds_changes_no_answer(
    texts: list[str], others: list[str], question: str
) -> None:
    alone, beside, another = (Collection(CARD) for _ in range(3))
    for collection in (alone, beside):
        collection.add("a", _extraction(texts), clustered(len(texts)))
        collection.publish("a")
    vector, words = clustered(1, seed=1)[0], words_of(question)
    expected = alone.search(vector, 5, words=words)

    another.add("b", _extraction(others), clustered(len(others), seed=2))
    another.publish("b")
    beside.add("b", _extraction(others), clustered(len(others), seed=2))

    assert alone.search(vector, 5, words=words) == expected
    assert beside.search(vector, 5, words=words) == expected


def _extraction(texts: list[str]) -> Extraction:
    pages = tuple(Page(number, text) for number, text in enumerate(texts, 1))
    return Extraction("text/plain", pages, tuple(Chunk(page.number, 0, len(page.text)) for page in pages), "en")
