import msgspec
import pytest

from tests.support.hits import SENTENCES, hit
from tests.support.vectors import CARD
from vectorstore.embedder import RelevanceBands
from vectorstore.held import Hit
from vectorstore.relevance import Judge, band_of, language_of

CAREFUL = msgspec.structs.replace(
    CARD, relevance=RelevanceBands(0.5, 0.7, 0.9), relevance_across=RelevanceBands(0.2, 0.3, 0.4), evidence_weight=0.4
)


def found(cosine: float, *, coverage: float = 0.0, language: str | None = "en", quoted: bool = False) -> Hit:
    made = hit("a", cosine, SENTENCES[0])
    return msgspec.structs.replace(made, coverage=coverage, language=language, quoted=quoted)


@pytest.mark.parametrize(
    ("evidence", "band"),
    [(0.79, None), (0.80, "low"), (0.829, "low"), (0.83, "medium"), (0.859, "medium"), (0.86, "high"), (1.0, "high")],
)
def test_relevance_is_named_by_the_model_s_own_bands(evidence: float, band: str | None):
    assert band_of(evidence, RelevanceBands(low=0.80, medium=0.83, high=0.86)) == band


def test_words_that_match_are_evidence_too():
    judge = Judge(CAREFUL, "en")

    assert judge.relevance(found(0.6)) == "low"
    assert judge.relevance(found(0.6, coverage=0.5)) == "medium"
    assert judge.relevance(found(0.6, coverage=1.0)) == "high"


def test_a_chunk_in_another_language_is_held_to_its_own_bands():
    assert Judge(CAREFUL, "en").relevance(found(0.35, language="fr")) == "medium"
    assert Judge(CAREFUL, "en").relevance(found(0.35)) is None


def test_a_question_in_no_language_is_held_to_the_stricter_bands():
    assert Judge(CAREFUL, language_of("17")).relevance(found(0.35, language="fr")) is None


def test_a_chunk_in_no_language_is_held_to_the_stricter_bands_too():
    assert Judge(CAREFUL, "en").relevance(found(0.35, language=None)) is None


def test_of_few_chunks_less_is_asked_than_of_many():
    lenient = msgspec.structs.replace(CAREFUL, chance_evidence=0.02)

    assert Judge(lenient, "en", chunks=10_000).relevance(found(0.65)) == "low"
    assert Judge(lenient, "en", chunks=240).relevance(found(0.65)) == "low"
    assert Judge(lenient, "en", chunks=10).relevance(found(0.65)) == "medium"
    assert Judge(lenient, "en", chunks=1).relevance(found(0.61)) == "low", "one is treated as five"
    assert Judge(lenient, "en", chunks=10).relevance(found(0.29, language="fr")) == "low", "measured in one language"


def test_low_passages_are_given_beside_better_ones_only():
    judge = Judge(CAREFUL, "en")
    low, medium, none = found(0.6), found(0.8), found(0.4)

    assert judge.relevant([low, none]) == []
    assert judge.relevant([low, medium, none]) == [low, medium]


def test_a_chunk_that_has_the_quoted_phrase_is_relevant():
    assert Judge(CAREFUL, "en").relevance(found(0.1, quoted=True)) == "medium"
    assert Judge(CAREFUL, "en").relevance(found(0.95, quoted=True)) == "high"
