import numpy as np

from vectorstore.fuse import best, fuse


def test_words_lift_a_chunk_and_without_them_the_order_by_meaning_stands():
    cosines, nothing = np.array([0.85, 0.84, 0.8], np.float32), np.zeros(3, np.float32)
    covered = np.array([0.0, 0.3, 0.1], np.float32)

    assert best(fuse(cosines, nothing, lexical_weight=0.2), 3).tolist() == [0, 1, 2]
    assert best(fuse(cosines, covered, lexical_weight=0.2), 3).tolist() == [1, 0, 2]


def test_of_equal_scores_the_earlier_comes_first_even_at_the_edge():
    scores = np.array([1, 3, 2, 3, 2, 2], np.float32)

    assert best(scores, 4).tolist() == [1, 3, 2, 4]
    assert best(scores, 9).tolist() == [1, 3, 2, 4, 5, 0]
    assert best(scores[:0], 3).tolist() == []
