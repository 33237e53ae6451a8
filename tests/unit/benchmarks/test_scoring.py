from collections import Counter

import pytest

from benchmarks.corpus import all_made
from benchmarks.scoring import agreed, in_order, landmarks_in_order, marks, words

TRUTH = words("one two three four five six")


@pytest.mark.parametrize(
    ("read", "found", "foreign", "order"),
    [
        ("one two three four five six", 1, 0, 1),
        ("", 0, 0, 0),
        ("menu one two three login four five six imprint", 1, 1 / 3, 1),
        ("four five six one two three", 1, 0, 0.5),
        ("one two three one two three", 0.5, 0.5, 0.5),
    ],
)
def test_reading_nothing_dumping_everything_and_mixing_all_up_cost_marks(
    read: str, found: float, foreign: float, order: float
) -> None:
    given = marks(words(read), Counter(TRUTH), [TRUTH])

    assert (given.found, given.foreign, given.order) == pytest.approx((found, foreign, order))


def test_a_landmark_that_is_missing_is_out_of_order() -> None:
    assert landmarks_in_order(("one two", "four", "nine", "six"), "One two, four six.") == 0.75
    assert landmarks_in_order(("one", "two"), "") == 0


def test_words_that_repeat_are_lined_up() -> None:
    assert in_order(words("a b a b"), words("a b a b")) == 1
    assert in_order(words("a b a b"), ()) == 0


def test_two_readers_make_a_reference() -> None:
    texts = [Counter(words(text)) for text in ("a a b", "a a c", "a c c")]

    assert agreed(texts) == Counter("aac")


def test_every_document_that_is_made_says_what_a_person_sees_of_it() -> None:
    documents = list(all_made())

    assert len({document.name for document in documents}) == len(documents)
    assert all(document.data and words("\n".join(document.truth)) for document in documents)
