import pytest

from ingestion.language import language_of, tagged
from models.content import Chunk, Page
from vectorstore import language


def test_one_identifier_serves_documents_and_questions() -> None:
    language._identifier.cache_clear()

    assert language_of([Page(1, "Die Gezeiten wechseln zweimal am Tag an dieser Küste.")]) == "de"

    assert language._identifier.cache_info().currsize == 1


def test_a_short_korean_text_is_told() -> None:
    assert language_of([Page(1, "저는 학생입니다.")]) == "ko"


def test_a_book_is_told_by_its_text_whether_it_has_one_page_or_hundreds() -> None:
    contents = "1.2.3 ........ 4 -- § 5 " * 200
    text = "Die Gezeiten wechseln zweimal am Tag an dieser Küste, und jeder Fischer kennt die Stunde der Flut. " * 300

    assert language_of([Page(1, contents + text)]) == "de"
    assert language_of([Page(1 + at // 40, text[at : at + 40]) for at in range(0, len(text), 40)]) == "de"


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


def test_chunks_in_another_language_than_their_document_say_so() -> None:
    texts = [
        "The tides change twice a day along this coast, and every fisherman knows the hour of high water by heart.",
        "Die Gezeiten wechseln zweimal am Tag an dieser Küste, und jeder Fischer kennt die Stunde der Flut auswendig.",
        "潮汐在这片海岸每天变化两次，每个渔夫都清楚地记得涨潮的时刻，因为他们世世代代都住在这里。",
        "Gezeiten",
    ]
    chunks = [Chunk(1, start, start + len(text)) for start, text in zip((0, 200, 400, 600), texts, strict=True)]
    page = Page(1, "".join(text.ljust(200) for text in texts))

    found = tagged(chunks, [page], "en")

    assert [chunk.language for chunk in found] == [None, "de", "zh", None]
    assert [(chunk.start, chunk.end) for chunk in found] == [(chunk.start, chunk.end) for chunk in chunks]
