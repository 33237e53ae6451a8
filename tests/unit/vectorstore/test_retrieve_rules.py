import itertools

import pytest

from vectorstore.collection import Hit
from vectorstore.embedder import RelevanceBands
from vectorstore.retrieve import fit, relevance_of, share, without_duplicates

SENTENCES = [
    "The mayfly lives for one day above the river.",
    "Photosynthesis turns light into sugar inside the leaf.",
    "In 1789 the estates met at Versailles for the first time since 1614.",
    "A prime number has exactly two divisors, one and itself.",
    "Tectonic plates drift a few centimetres in a year.",
    "The subjunctive follows expressions of doubt and desire.",
]


def hit(document: str, cosine: float, text: str | None = None, *, tokens: int = 10) -> Hit:
    words = text if text is not None else f"{document} at {cosine}"
    return Hit(document_id=document, page=1, start=5, end=5 + len(words), text=words, cosine=cosine, tokens=tokens)


def documents(hits: list[Hit]) -> str:
    return "".join(found.document_id for found in hits)


@pytest.mark.parametrize(
    ("hits", "places", "shares"),
    [
        ("aaaaaaab", 5, "aaaab"),  # b cannot fill two places, so a takes one back
        ("aaaaaabb", 5, "aaabb"),
        ("aaaaaabc", 5, "aaabc"),
        ("aaaaaa", 5, "aaaaa"),
        ("abababab", 4, "abab"),
        ("aab", 1, "a"),
        ("aab", 2, "ab"),
        ("aaa", 5, "aaa"),
        ("", 5, ""),
    ],
)
def test_one_document_gets_three_fifths_of_the_places_while_others_have_hits(hits: str, places: int, shares: str):
    ranked = [hit(name, 0.9 - index / 100) for index, name in enumerate(hits)]

    chosen = share(ranked, places)

    assert sorted(documents(chosen)) == sorted(shares)
    assert all(one.cosine > other.cosine for one, other in itertools.pairwise(chosen)), "best first"


def test_a_near_duplicate_is_dropped_and_the_better_one_stays():
    original = "The mayfly lives for one day, and the river runs on for a thousand years."
    near = original.upper().replace(" ", "  ") + " 12"
    hits = [hit("a", 0.9, original), hit("b", 0.8, near), hit("c", 0.7, SENTENCES[1])]

    assert documents(without_duplicates(hits)) == "ac"


def test_different_sentences_are_no_duplicates():
    hits = [hit("a", 0.9, text) for text in SENTENCES]

    assert len(without_duplicates(hits)) == len(SENTENCES)


def test_a_part_of_a_longer_passage_is_no_duplicate_of_it():
    hits = [hit("a", 0.9, " ".join(SENTENCES)), hit("b", 0.8, SENTENCES[0])]

    assert documents(without_duplicates(hits)) == "ab"


def test_when_nothing_fits_the_beginning_of_the_best_is_quoted_exactly():
    page = "xxxxx" + SENTENCES[0]
    best = hit("a", 0.9, SENTENCES[0], tokens=16)

    (quoted,) = fit([best, hit("b", 0.8, SENTENCES[1], tokens=18)], 8)

    assert quoted.tokens <= 8
    assert quoted.text == page[quoted.start : quoted.end]
    assert SENTENCES[0].startswith(quoted.text)


@pytest.mark.parametrize(
    ("cosine", "band"),
    [(0.80, "low"), (0.829, "low"), (0.83, "medium"), (0.859, "medium"), (0.86, "high"), (1.0, "high")],
)
def test_relevance_is_named_by_the_model_s_own_bands(cosine: float, band: str):
    assert relevance_of(cosine, RelevanceBands(low=0.80, medium=0.83, high=0.86)) == band
