import itertools

import pytest

from tests.support.hits import SENTENCES, hit
from vectorstore.choose import choose
from vectorstore.held import Hit


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
    ranked = [hit(name, 0.9 - index / 100, SENTENCES[index]) for index, name in enumerate(hits)]

    chosen = choose(ranked, places)

    assert sorted(documents(chosen)) == sorted(shares)
    assert all(one.cosine > other.cosine for one, other in itertools.pairwise(chosen)), "best first"


def test_a_near_duplicate_is_dropped_and_the_better_one_stays():
    original = "The mayfly lives for one day, and the river runs on for a thousand years."
    near = original.upper().replace(" ", "  ") + " 12"
    hits = [hit("a", 0.9, original), hit("b", 0.8, near), hit("c", 0.7, SENTENCES[1])]

    assert documents(choose(hits, 5)) == "ac"


def test_different_sentences_are_no_duplicates():
    hits = [hit("a", 0.9, text) for text in SENTENCES]

    assert len(choose(hits, 20)) == len(SENTENCES)


def test_a_part_of_a_longer_passage_is_no_duplicate_of_it():
    hits = [hit("a", 0.9, " ".join(SENTENCES)), hit("b", 0.8, SENTENCES[0])]

    assert documents(choose(hits, 5)) == "ab"


def test_a_document_made_to_be_near_every_question_gets_its_share_and_no_more():
    for question in range(100):
        stuffed = [hit("stuffed", 0.99 - place / 1000, f"{SENTENCES[place]} {question}") for place in range(5)]
        honest = [hit("honest", 0.5 - place / 1000, SENTENCES[-1 - place]) for place in range(2)]

        chosen = documents(choose([*stuffed, *honest], 5))

        assert chosen.count("stuffed") == 3, "it was found best five times, and would have taken all places"
        assert chosen.count("honest") == 2
