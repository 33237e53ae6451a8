import numpy as np
import pytest

from tests.support.vectors import clustered
from vectorstore.sentences import pack_vectors, split


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in split(text)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["The mayfly lives for one day above the river.", "Does it eat anything at all in this time? (No.)"],
        ["蜉蝣的成虫只活一天，在水面上飞舞并产卵。", "它们在这段时间里什么也不吃，只是繁殖后代。"],
        ["यह कीट केवल एक दिन तक नदी के ऊपर जीवित रहता है।", "इस समय में यह कुछ भी नहीं खाता है और मर जाता है।"],
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


def test_rounded_vectors_are_about_as_near_as_the_vectors_were():
    vectors, question = clustered(5), clustered(1, seed=1)[0]
    packed = pack_vectors([2, 0, 3], [(0, 1)] * 5, vectors)

    assert packed.cosines(0, question) == pytest.approx(vectors[:2] @ question, abs=2e-3)
    assert len(packed.cosines(1, question)) == 0
    assert packed.cosines(2, question) == pytest.approx(vectors[2:] @ question, abs=2e-3)
    assert packed.rows.dtype == np.int8
