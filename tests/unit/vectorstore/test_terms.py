import numpy as np
import pytest

from vectorstore.terms import fold, grams_of, occurrences, terms_of, terms_of_each


def common(one: str, other: str) -> int:
    return len(np.intersect1d(terms_of(one), terms_of(other)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "STRASSE"),
        ("ﬁnal", "final"),
        ("Ｍａｙｆｌｙ", "mayfly"),
        ("الْعَرَبِيَّة", "العربية"),
        ("a\n \tb", "A b"),
    ],
)
def test_spellings_that_differ_in_form_only_are_the_same_terms(one: str, other: str):
    assert fold(one) == fold(other)
    assert np.array_equal(terms_of(one), terms_of(other))


def test_a_word_keeps_its_combining_marks():
    # \w would cut this word at its vowel signs and leave single consonants.
    assert len(terms_of("हिन्दी")) == 1 + 4  # the word and its trigrams
    assert common("हिन्दी", "हनद") == 0


def test_inflections_share_trigrams_and_different_words_do_not():
    assert common("mayflies", "mayfly") >= 3
    assert common("mayfly", "basalt") == 0


def test_scripts_without_blanks_are_cut_into_characters_and_pairs():
    assert len(terms_of("蜉蝣飛")) == 3 + 2
    assert common("我们看蜉蝣飞", "蜉蝣") == 3
    assert len(terms_of("ดี")) == 2 + 1
    assert common("학교에서", "학교는") == 3


def test_words_do_not_run_into_each_other():
    assert common("may fly", "mayfly") == 2  # the trigrams "may" and "fly", and none across the blank
    assert common("ab cd", "abcd") == 0


def test_every_occurrence_is_told_with_its_text():
    terms, places = occurrences(["la la", "", "la"])

    assert len(set(terms.tolist())) == 1
    assert sorted(places.tolist()) == [0, 0, 2]


@pytest.mark.parametrize("texts", [[], [""], ["", "la", ""], ["one two", "", "蜉蝣", "two one two"]])
def test_many_texts_in_one_pass_have_the_terms_of_each(texts: list[str]):
    assert [each.tolist() for each in terms_of_each(texts)] == [terms_of(text).tolist() for text in texts]


@pytest.mark.parametrize("text", ["", " ", "\ud800", "!?", "\U0001f98b", "a" * 100_000])
def test_any_text_has_terms(text: str):
    assert len(terms_of(text)) <= 2


@pytest.mark.parametrize(
    ("phrase", "text"), [("haus", "im Haushalt"), ("蝣飛", "蜉蝣飛水"), ("fly li", "mayfly lives")]
)
def test_the_grams_of_a_phrase_are_in_every_text_that_contains_it(phrase: str, text: str):
    assert phrase in fold(text)
    assert len(grams_of(phrase))
    assert np.isin(grams_of(phrase), terms_of(text)).all()
