from tests.support.hits import SENTENCES, hit
from vectorstore.held import Hit
from vectorstore.quote import Quotation, quote

PAGE = "\n\n".join(SENTENCES)


def chunk(number: int, *, document: str = "a", page: int = 1) -> Hit:
    return hit(document, 0.9, SENTENCES[number], number=number, start=PAGE.index(SENTENCES[number]), page=page)


def read(document_id: str, page: int, start: int, end: int) -> str | None:
    return None if document_id == "removed" else PAGE[start:end]


def texts(quotations: list[Quotation]) -> list[str]:
    return [quotation.text for quotation in quotations]


def test_neighbours_of_one_page_are_joined_at_the_place_of_the_better_one():
    found = quote([chunk(3), chunk(0), chunk(2), chunk(4)], None, read)

    assert texts(found) == ["\n\n".join(SENTENCES[2:5]), SENTENCES[0]]
    assert [part.number for part in found[0].hits] == [2, 3, 4]
    assert found[0].best.number == 3


def test_a_chunk_between_two_quotations_joins_them():
    found = quote([chunk(0), chunk(2), chunk(1)], None, read)

    assert texts(found) == ["\n\n".join(SENTENCES[:3])]


def test_neighbours_in_number_on_two_pages_or_in_two_documents_stay_apart():
    found = quote([chunk(0), chunk(1, page=2), chunk(1, document="b")], None, read)

    assert len(found) == 3


def test_what_was_removed_while_we_searched_is_not_joined():
    found = quote([chunk(0, document="removed"), chunk(1, document="removed")], None, read)

    assert texts(found) == [SENTENCES[0]]


def test_a_passage_that_does_not_fit_makes_room_for_a_shorter_one_behind_it():
    long, short = chunk(2), chunk(6)
    budget = chunk(0).tokens + short.tokens

    assert texts(quote([chunk(0), long, short], budget, read)) == [SENTENCES[0], SENTENCES[6]]


def test_when_nothing_fits_the_beginning_of_the_best_is_quoted_exactly():
    (quoted,) = quote([chunk(2), chunk(4)], 8, read)

    assert quoted.tokens <= 8
    assert quoted.text == PAGE[quoted.start : quoted.end]
    assert SENTENCES[2].startswith(quoted.text)
