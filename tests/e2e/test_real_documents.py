"""A learner uploads a document, asks, and gets the passage with its page, with every real part at work."""

from collections.abc import Callable

import pytest

from api.client import LearnerSession
from models.content import Passage
from tests.support import library
from tests.support.library import Upload


def best_passage(session: LearnerSession, upload: Upload, question: str) -> Passage:
    (document,) = session.upload((upload.name, upload.data, upload.media_type))
    ready = session.wait(document.document_id)
    assert (ready.status, ready.error) == ("ready", None)
    answer = session.ask(question)
    assert not answer.nothing_relevant
    return answer.passages[0]


def test_an_english_pdf_answers_with_the_page(learner: LearnerSession) -> None:
    found = best_passage(learner, library.pdf(library.ENGLISH), library.ENGLISH_QUESTION)

    assert found.page == library.ENGLISH_PAGE
    assert library.ENGLISH_ANSWER in found.text
    assert found.filename == "book.pdf"


def test_a_french_web_page_answers_a_french_question(learner: LearnerSession) -> None:
    found = best_passage(learner, library.html(library.FRENCH, title="Le village"), library.FRENCH_QUESTION)

    assert library.FRENCH_ANSWER in found.text
    assert found.page == 1


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_a_chinese_text_in_any_encoding_answers_a_chinese_question(learner: LearnerSession, encoding: str) -> None:
    upload = library.text(library.CHINESE, name="gushi.txt", encoding=encoding)

    found = best_passage(learner, upload, library.CHINESE_QUESTION)

    assert library.CHINESE_ANSWER in found.text


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_a_japanese_text_in_any_encoding_answers_a_japanese_question(learner: LearnerSession, encoding: str) -> None:
    upload = library.text(library.JAPANESE, name="hanashi.md", encoding=encoding)

    found = best_passage(learner, upload, library.JAPANESE_QUESTION)

    assert library.JAPANESE_ANSWER in found.text


def test_a_scanned_pdf_answers_with_the_page(learner: LearnerSession) -> None:
    found = best_passage(learner, library.scanned_pdf(library.ENGLISH[6:10]), library.ENGLISH_QUESTION)

    assert found.page == 3
    assert "ice crystals" in found.text


def test_a_photo_held_sideways_answers(learner: LearnerSession) -> None:
    found = best_passage(learner, library.photo(library.ENGLISH[8]), library.ENGLISH_QUESTION)

    assert "ice crystals" in found.text


def test_a_question_in_another_language_finds_the_passage(learner: LearnerSession) -> None:
    question = "Pourquoi le sang du poisson de l'Antarctique ne gèle-t-il pas ?"

    found = best_passage(learner, library.pdf(library.ENGLISH), question)

    assert found.page == library.ENGLISH_PAGE


@pytest.mark.slow
def test_a_book_of_three_hundred_pages_answers_with_the_page(learner: LearnerSession) -> None:
    fact = "The quartermaster hid the spare compass needle inside a hollow loaf of ginger bread."
    book = library.long_pdf(300, fact=fact, on_page=217)

    found = best_passage(learner, book, "Where was the spare needle of the compass hidden?")

    assert found.page == 217
    assert "ginger bread" in found.text


def test_every_passage_is_an_exact_quotation_of_its_page(learner: LearnerSession) -> None:
    best_passage(learner, library.pdf(library.ENGLISH), library.ENGLISH_QUESTION)

    answer = learner.ask(library.ENGLISH_QUESTION)

    for passage in answer.passages:
        page = " ".join(library.ENGLISH[passage.page - 1].split())
        assert passage.end - passage.start == len(passage.text)
        assert " ".join(passage.text.split()) in page


def test_a_question_that_no_document_answers_is_told_so(learner: LearnerSession) -> None:
    best_passage(learner, library.pdf(library.ENGLISH), library.ENGLISH_QUESTION)

    answer = learner.ask("SELECT count(*) FROM kubernetes_pods WHERE namespace = 'kube-system';")

    assert answer.nothing_relevant
    assert answer.passages == ()


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda: Upload("a.pdf", "application/pdf", b""), "empty_document"),
        (lambda: Upload("a.pdf", "application/pdf", b"%PDF-1.7\n" + b"\x00\xff" * 300), "parser_failed"),
        (lambda: Upload("a.exe", "application/octet-stream", b"MZ\x90\x00" + bytes(600)), "unsupported_type"),
        (lambda: library.text(("   ", "\n"), name="blank.txt"), "empty_document"),
    ],
)
def test_what_cannot_be_read_fails_with_one_clear_code(
    learner: LearnerSession, spoil: Callable[[], Upload], code: str
) -> None:
    upload = spoil()
    (document,) = learner.upload((upload.name, upload.data, upload.media_type))

    failed = learner.wait(document.document_id)

    assert (failed.status, failed.error, failed.chunks) == ("failed", code, 0)
