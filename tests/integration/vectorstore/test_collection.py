import threading
from typing import Any

import msgspec
import numpy as np
import pytest

from models.errors import EmbeddingFailed, NoSuchThing, QuotaExceeded
from tests.support.vectors import CARD, DIM, clustered, extraction
from vectorstore.collection import Collection
from vectorstore.ranking import words_of
from vectorstore.sentences import joined

# Made-up vectors lie further apart than a model's: words would weigh nothing beside them.
WORDY = msgspec.structs.replace(CARD, lexical_weight=30.0)


def filled(chunks: int, *, seed: int = 0, **options: Any) -> tuple[Collection, np.ndarray]:
    collection, vectors = Collection(WORDY, **options), clustered(chunks, seed=seed)
    collection.add("a", extraction(chunks), vectors)
    collection.publish("a")
    return collection, vectors


@pytest.mark.parametrize("chunks", [1, 7, 50, 51, 1000])
def test_search_finds_what_an_exact_scan_finds(chunks: int):
    collection, vectors = filled(chunks)
    questions = clustered(20, seed=1)
    k = min(20, chunks)

    recalls: list[float] = []
    for question in questions:
        exact = {f"mayfly {index}." for index in np.argsort(-(vectors @ question))[:k]}
        found = {hit.text for hit in collection.search(question, k)}
        recalls.append(len(exact & found) / k)

    assert np.mean(recalls) >= 0.99


@pytest.mark.slow
def test_recall_of_the_index_at_the_chunk_limit_is_at_least_99_percent_even_for_questions_from_elsewhere():
    collection, vectors = filled(10_000, exact_chunks=0)
    recalls: list[float] = []
    for question in clustered(50, seed=1):
        worst_wanted = np.sort(vectors @ question)[-48]
        hits = collection.search(question, 48)
        recalls.append(sum(hit.cosine >= worst_wanted - 1e-5 for hit in hits) / 48)

    assert np.mean(recalls) >= 0.99


def test_hits_are_exact_quotations_with_their_cosine_best_first():
    collection, vectors = filled(120)
    made_of = extraction(120)

    hits = collection.search(vectors[77], 5)

    assert hits[0].text == "mayfly 77."
    assert hits[0].cosine == pytest.approx(1.0, abs=1e-4)
    assert [hit.cosine for hit in hits] == sorted((hit.cosine for hit in hits), reverse=True)
    for hit in hits:
        number = int(hit.text.removeprefix("mayfly ").rstrip("."))
        assert hit.text == made_of.pages[hit.page - 1].text[hit.start : hit.end]
        assert hit.cosine == pytest.approx(float(vectors[number] @ vectors[77]), abs=1e-4)


def test_a_chunk_fits_by_what_all_of_it_and_what_its_best_sentence_says():
    collection, own, question = Collection(CARD), clustered(300), clustered(1, seed=1)[0]
    means, sentences = joined([3] * 100, own)
    collection.add("a", extraction(100), means, sentences=sentences)
    collection.publish("a")

    found = {hit.text: hit.cosine for hit in collection.search(question, 100)}

    best = (own @ question).reshape(100, 3).max(axis=1)
    wanted = {f"mayfly {index}.": cosine for index, cosine in enumerate(0.3 * (means @ question) + 0.7 * best)}
    assert found == pytest.approx(wanted, abs=2e-3)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_a_document_is_found_only_after_it_is_published():
    collection, vectors = Collection(CARD), clustered(60)
    collection.add("a", extraction(60), vectors)
    assert collection.search(vectors[3], 5) == []
    assert not collection.has_ready()

    collection.publish("a")

    assert collection.search(vectors[3], 5)[0].text == "mayfly 3."


def test_an_unpublished_document_never_hides_a_published_one():
    collection, vectors = Collection(CARD), clustered(60)
    for name in ("a", "b"):
        collection.add(name, extraction(60, word=name), vectors)
    collection.publish("b")

    hits = collection.search(vectors[3], 60)

    assert len(hits) == 60
    assert {hit.document_id for hit in hits} == {"b"}


def test_a_removed_document_is_not_found_and_its_room_is_free():
    collection, vectors = filled(60)
    collection.add("b", extraction(60, word="b"), clustered(60, seed=2))
    collection.publish("b")
    assert collection.search(vectors[3], 1)[0].document_id == "a"

    removed = collection.remove("a")

    assert (removed.pages, removed.chunks) == (15, 60)
    assert {hit.document_id for hit in collection.search(vectors[3], 120)} == {"b"}
    assert collection.count() == 60
    assert collection.remove("a").chunks == 0


def test_search_keeps_to_the_documents_and_the_language_asked_for():
    collection = Collection(CARD)
    for name, language in (("a", "en"), ("b", "fr"), ("c", None)):
        collection.add(name, extraction(10, language=language, word=name), clustered(10))
        collection.publish(name)
    question = clustered(10)[0]

    def found(**filters: object) -> set[str]:
        return {hit.document_id for hit in collection.search(question, 30, **filters)}  # type: ignore[arg-type]

    assert found() == {"a", "b", "c"}
    assert found(document_ids=("a", "c")) == {"a", "c"}
    assert found(language="fr") == {"b"}
    assert found(document_ids=("a",), language="fr") == set()
    assert found(document_ids=()) == set()


@pytest.mark.parametrize(("chunks", "fits"), [(39, True), (40, True), (41, False)])
def test_the_chunk_quota_is_exact_and_counts_all_documents(chunks: int, fits: bool):
    collection = Collection(CARD, max_chunks=100)
    collection.add("a", extraction(60), clustered(60))
    assert collection.room() == 40

    if fits:
        collection.add("b", extraction(chunks), clustered(chunks))
    else:
        with pytest.raises(QuotaExceeded):
            collection.add("b", extraction(chunks), clustered(chunks))

    assert collection.count() == (60 + chunks if fits else 60)


@pytest.mark.parametrize("shape", [(9, DIM), (11, DIM), (10, DIM - 1)])
def test_vectors_that_do_not_fit_the_chunks_are_refused_and_leave_nothing(shape: tuple[int, int]):
    collection = Collection(CARD)

    with pytest.raises(EmbeddingFailed):
        collection.add("a", extraction(10), np.ones(shape, np.float32))

    assert collection.count() == 0


def test_a_stop_between_batches_leaves_nothing():
    collection, vectors = filled(60)
    batches = iter([None, None, KeyError()])

    def stop_at_the_third() -> None:
        if error := next(batches):
            raise error

    with pytest.raises(KeyError):
        collection.add("b", extraction(200, word="b"), clustered(200), on_batch=stop_at_the_third)

    assert collection.count() == 60
    assert collection.search(vectors[0], 260)[0].text == "mayfly 0."
    assert len(collection.search(vectors[0], 260)) == 60


def test_removing_a_document_while_it_is_added_leaves_nothing():
    collection, _ = filled(60)
    begun, removed = threading.Event(), threading.Event()
    outcome: list[BaseException] = []

    def pause_between_batches() -> None:
        if collection._engine._chroma.count() > 60:  # A batch of it is in the engine.
            begun.set()
            assert removed.wait(60)

    def add() -> None:
        try:
            collection.add("b", extraction(2000, word="b"), clustered(2000), on_batch=pause_between_batches)
        except NoSuchThing as error:
            outcome.append(error)

    adding = threading.Thread(target=add)
    adding.start()
    assert begun.wait(60)
    collection.remove("b")
    removed.set()
    adding.join(60)

    assert len(outcome) == 1
    assert collection.count() == 60
    assert {hit.document_id for hit in collection.search(clustered(1)[0], 2000)} == {"a"}


def test_chunks_are_found_by_their_words_where_their_meaning_says_nothing():
    collection, _ = filled(120)
    anything = clustered(1, seed=5)[0]

    best = collection.search(anything, 5, words=words_of("What does mayfly 77 say?"))[0]

    assert best.text == "mayfly 77."
    assert best.score == pytest.approx(best.cosine + WORDY.lexical_weight * best.coverage, abs=1e-4)


def test_words_of_a_removed_or_hidden_document_are_not_found():
    collection, vectors = filled(20)
    for name in ("hidden", "removed"):
        collection.add(name, extraction(20, word=name), vectors)
    collection.publish("removed")
    assert collection.search(vectors[0], 1, words=words_of("removed 3"))[0].text == "removed 3."

    collection.remove("removed")

    for word in ("hidden 3", "removed 3"):
        assert all(hit.text.startswith("mayfly") for hit in collection.search(vectors[0], 60, words=words_of(word)))


def test_a_document_is_found_as_if_only_the_documents_asked_for_were_there():
    alone, beside = Collection(CARD), Collection(CARD)
    for collection in (alone, beside):
        collection.add("a", extraction(20), clustered(20))
        collection.publish("a")
    beside.add("b", extraction(20), clustered(20, seed=3))
    beside.publish("b")
    question, words = clustered(1, seed=1)[0], words_of("mayfly 3")

    assert beside.search(question, 9, ("a",), words=words) == alone.search(question, 9, words=words)


def test_each_chunk_has_its_own_language():
    made = extraction(4)
    chunks = [
        msgspec.structs.replace(chunk, language="fr" if place == 2 else None) for place, chunk in enumerate(made.chunks)
    ]
    collection = Collection(CARD)
    collection.add("a", msgspec.structs.replace(made, chunks=tuple(chunks)), clustered(4))
    collection.publish("a")

    def found(language: str) -> list[str]:
        return [hit.text for hit in collection.search(clustered(4)[2], 9, language=language)]

    assert found("fr") == ["mayfly 2."]
    assert sorted(found("en")) == ["mayfly 0.", "mayfly 1.", "mayfly 3."]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ('Who says "MAYFLY  7."?', ["mayfly 7."]),
        ("Who says «mayfly 7»?", ["mayfly 7."]),
        ("„ly 1“ 「9.」", ["mayfly 19."]),  # both phrases in one chunk
        ('"mayfly 3." "mayfly 4."', ["mayfly 3.", "mayfly 4."]),  # either, as no chunk has both
    ],
)
def test_a_quoted_phrase_must_be_in_the_chunk_as_it_stands(question: str, found: list[str]):
    collection, vectors = filled(20)

    hits = collection.search(vectors[0], 20, words=words_of(question))

    assert sorted(hit.text for hit in hits) == found
    assert all(hit.quoted for hit in hits)


def test_a_phrase_that_no_chunk_has_rules_nothing_out():
    collection, vectors = filled(20)

    hits = collection.search(vectors[0], 20, words=words_of('"basalt" and "x"'))

    assert len(hits) == 20
    assert not any(hit.quoted for hit in hits)


def test_beyond_the_exact_limit_the_engine_and_the_words_name_the_candidates():
    exact, beyond = (Collection(CARD, exact_chunks=limit) for limit in (1000, 100))
    vectors = clustered(600)
    for collection in (exact, beyond):
        for name, rows in (("a", vectors[:300]), ("b", vectors[300:])):
            collection.add(name, extraction(300, word=name), rows)
            collection.publish(name)
    words = words_of("What says b 299?")

    for question in clustered(5, seed=1):
        expected, found = (collection.search(question, 10, words=words) for collection in (exact, beyond))
        assert found == expected
        assert beyond.search(question, 5, ("b",)) == exact.search(question, 5, ("b",))


def test_the_engine_holds_vectors_and_numbers_and_no_word():
    collection, vectors = filled(60)

    held = collection._engine._chroma.get(include=["documents", "metadatas", "uris", "embeddings"])

    assert np.allclose(np.asarray(held["embeddings"]), vectors, atol=1e-6), "it is not the engine in use"
    assert held["documents"] == [None] * 60
    assert not any(held["uris"] or [])
    assert all(name.isdecimal() for name in held["ids"])
    assert held["metadatas"] is not None
    assert {(key, type(value)) for row in held["metadatas"] for key, value in row.items()} == {("page", int)}
