import pytest

from ingestion.language import language_of
from models.content import Page
from vectorstore import language


def test_one_identifier_serves_documents_and_questions() -> None:
    language._identifier.cache_clear()

    assert language_of([Page(1, "Die Gezeiten wechseln zweimal am Tag an dieser Küste.")]) == "de"

    assert language._identifier.cache_info().currsize == 1


def test_a_short_korean_text_is_told() -> None:
    assert language_of([Page(1, "저는 학생입니다.")]) == "ko"


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ("zh", "佢哋喺度做緊乜嘢呀？我哋聽日去邊度食飯好呢？"),
        (
            None,
            "Mga tawo sa Bikol an nagtataram kan saindang tataramon, asin an mga aki nag-aadal kaiyan sa eskwelahan.",
        ),
    ],
    ids=["yue", "bcl"],
)
def test_a_variety_has_the_code_of_its_language_or_none(told: str | None, text: str) -> None:
    untold, probability = language._identifier().classify(text)
    assert len(untold) == 3
    assert probability > 0.8

    assert language.identify(text, min_probability=0.8) == told
