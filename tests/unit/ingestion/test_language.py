from ingestion.language import language_of
from models.content import Page
from vectorstore import language


def test_one_identifier_serves_documents_and_questions() -> None:
    language._identifier.cache_clear()

    assert language_of([Page(1, "Die Gezeiten wechseln zweimal am Tag an dieser Küste.")]) == "de"

    assert language._identifier.cache_info().currsize == 1
