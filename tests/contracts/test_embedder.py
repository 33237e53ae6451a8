"""What every embedder does, whatever runs it: one suite over all backends."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.embedders import packaged, prepared
from tests.support.endpoint import embedding_with, serving
from tests.support.library import CHINESE, ENGLISH, FRENCH
from vectorstore.embedder import Embedder
from vectorstore.endpoint import EndpointConfig
from vectorstore.endpoint_backend import EndpointEmbedder
from vectorstore.models import BackendChoice, tokenizer_file

TEXTS = (ENGLISH[0], FRENCH[0], CHINESE[0], "", "A", "\u200d \u200d")


@pytest.fixture(params=["onnx", "endpoint", pytest.param("sentence-transformers", marks=pytest.mark.slow)])
def embedder(request: pytest.FixtureRequest) -> Iterator[Embedder]:
    if request.param == "endpoint":
        with serving(embedding_with(packaged())) as server:
            yield endpoint_embedder(server.url)
    else:
        backend: BackendChoice = request.param
        yield packaged(backend)


def endpoint_embedder(url: str) -> Embedder:
    """Return the packaged model behind a server that knows nothing of its prefixes."""
    card = packaged().card
    config = EndpointConfig(
        url=url,
        model=card.name,
        max_tokens=card.max_tokens,
        max_seconds=60.0,
        query_prefix=card.query_prefix,
        passage_prefix=card.passage_prefix,
    )
    return EndpointEmbedder(config, tokenizer_file(prepared()))


def test_every_text_gets_one_unit_row(embedder: Embedder):
    vectors = embedder.embed_passages(TEXTS)

    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), embedder.card.dim)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)


def test_a_query_is_one_unit_vector(embedder: Embedder):
    vector = embedder.embed_query("How deep is the lake?")

    assert vector.dtype == np.float32
    assert vector.shape == (embedder.card.dim,)
    assert np.isclose(np.linalg.norm(vector), 1.0, atol=1e-4)


def test_its_vectors_are_those_of_the_reference_backend(embedder: Embedder):
    vectors = embedder.embed_passages(TEXTS)

    assert (vectors * packaged().embed_passages(TEXTS)).sum(axis=1).min() >= 0.99
    assert embedder.embed_query(ENGLISH[0]) @ packaged().embed_query(ENGLISH[0]) >= 0.99


def test_no_texts_give_no_rows(embedder: Embedder):
    assert embedder.embed_passages([]).shape == (0, embedder.card.dim)


def test_a_vector_does_not_depend_on_its_neighbours_or_its_place(embedder: Embedder):
    together = embedder.embed_passages(TEXTS)
    reversed_rows = embedder.embed_passages(TEXTS[::-1])[::-1]
    alone = np.concatenate([embedder.embed_passages([text]) for text in TEXTS])

    assert np.array_equal(together, alone)
    assert np.array_equal(together, reversed_rows)


def test_a_question_and_a_passage_of_the_same_words_differ(embedder: Embedder):
    text = "How deep is the lake?"

    assert embedder.embed_query(text) @ embedder.embed_passages([text])[0] < 0.9999


def test_a_text_beyond_the_window_is_cut_at_it(embedder: Embedder):
    window = "lake " * 600
    assert embedder.count_tokens(window) > embedder.card.max_tokens

    cut, longer = embedder.embed_passages([window, window + "volcano " * 50])

    assert np.array_equal(cut, longer)


def test_the_prefix_and_special_tokens_are_counted(embedder: Embedder):
    assert embedder.count_tokens("lake lake") == embedder.count_tokens("lake") + 1
    assert embedder.count_tokens("lake") >= 4, "two special tokens, the prefix, the word"


def test_a_french_question_finds_the_english_sentence_that_answers_it(embedder: Embedder):
    sentences = [
        "The ferry to the island leaves every morning at seven.",
        "Her grandmother baked the bread in an oven of clay.",
        "An adult mayfly lives for a single day, then lays its eggs and dies.",
        "The price of copper fell for the third month.",
        "Snow closed the pass between the two valleys until April.",
    ]

    question = embedder.embed_query("Combien de temps vit un éphémère adulte ?")

    assert int(np.argmax(embedder.embed_passages(sentences) @ question)) == 2
