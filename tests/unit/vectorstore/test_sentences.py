import numpy as np
import pytest

from tests.support.vectors import clustered
from vectorstore.sentences import best_cosines, joined, pack_vectors, split


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in split(text)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["The mayfly lives for one day above the river.", "Does it eat anything at all in this time? (No.)"],
        ["蜉蝣的成虫只活一天，在水面上飞舞并产卵。", "它们在这段时间里什么也不吃，只是繁殖后代。"],
        ["यह कीट केवल एक दिन तक नदी के ऊपर जीवित रहता है।", "इस समय में यह कुछ भी नहीं खाता है और मर जाता है।"],
        ["川の上を飛ぶカゲロウの成虫は一日しか生きない。", "その間は何も食べず、卵を産むだけで死んでしまう。"],
        ["تعيش ذبابة مايو ليوم واحد فقط فوق النهر الكبير.", "هل تأكل شيئا في هذا الوقت القصير من حياتها؟"],
    ],
)
def test_sentences_end_where_their_script_ends_them(sentences: list[str]):
    blank = "" if "。" in sentences[0] else " "
    assert cut(blank.join(sentences)) == sentences


def test_short_sentences_stay_with_the_next_and_a_short_end_with_the_last():
    text = "Yes. No. The mayfly lives for 1.5 days at most, says Dr. Ada. So it is."

    assert cut(text) == [text]


@pytest.mark.parametrize(("text", "pieces"), [("", []), (" \n ", []), ("  no end mark  ", ["no end mark"])])
def test_blanks_around_sentences_are_left_out(text: str, pieces: list[str]):
    assert cut(text) == pieces


def test_a_dot_after_an_initial_or_before_a_small_letter_ends_nothing():
    sentences = [
        "The lake was drawn by the painter J. B. Lamb for the U.S. Army in spring.",
        "It holds many kinds of fish, e.g. pike, approx. forty, and is deep.",
    ]

    assert cut(" ".join(sentences)) == sentences


def test_thai_which_has_no_marks_is_cut_at_blanks_that_are_far_enough_apart():
    clause = "แมลงชีปะขาวตัวเต็มวัยมีชีวิตอยู่เพียงวันเดียวเหนือแม่น้ำ"

    assert cut(f"{clause} {clause} {clause} {clause}") == [f"{clause} {clause}"] * 2
    assert cut(f"{clause} {clause}") == [f"{clause} {clause}"]


def test_a_chunk_means_the_mean_of_its_sentences():
    vectors = clustered(6)

    means, sentences = joined([2, 1, 3], vectors)

    question = clustered(1, seed=1)[0]
    assert means @ question == pytest.approx([
        (vectors[:2] @ question).mean(), vectors[2] @ question, (vectors[3:] @ question).mean()
    ], abs=1e-5)  # fmt: skip
    assert means[1] == pytest.approx(vectors[1 + 1], abs=1e-6), "a single sentence is the chunk"
    assert sentences.first.tolist() == [0, 2, 2, 5], "and needs no vector besides"
    assert sentences.cosines(2, vectors[4]).argmax() == 1


def test_the_best_sentences_of_many_chunks_are_those_of_each():
    vectors, question = clustered(9), clustered(1, seed=1)[0]
    one, other = pack_vectors([2, 0, 3], vectors[:5]), pack_vectors([4], vectors[5:])

    found = best_cosines([(other, 0), (one, 1), (None, 0), (one, 2)], question, np.array([0, 0.25, 0.5, 0], np.float32))

    assert found == pytest.approx([other.cosines(0, question).max(), 0.25, 0.5, one.cosines(2, question).max()])


def test_rounded_vectors_are_about_as_near_as_the_vectors_were():
    vectors, question = clustered(5), clustered(1, seed=1)[0]
    packed = pack_vectors([2, 0, 3], vectors)

    assert packed.cosines(0, question) == pytest.approx(vectors[:2] @ question, abs=2e-3)
    assert len(packed.cosines(1, question)) == 0
    assert packed.cosines(2, question) == pytest.approx(vectors[2:] @ question, abs=2e-3)
    assert packed.rows.dtype == np.int8
