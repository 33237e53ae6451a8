"""Counting in the model's own tokens."""

import pytest

from tests.support import library
from tests.support.embedders import packaged, prepared
from vectorstore import models
from vectorstore.container import Container
from vectorstore.convert import build_tokenizer
from vectorstore.packaged import weights_file
from vectorstore.tokens import JsonTokenizer, TokenCounter

VOCABULARY = Container(weights_file()).vocabulary


def counter() -> TokenCounter:
    model = prepared()
    return TokenCounter(models.tokenizer_file(model), prefix=model.card.passage_prefix)


def test_the_jailers_count_is_the_embedders_count():
    texts = ["", "One short sentence.", "图书馆的管理员怎样防止书受潮?", "لماذا يطير", "mayflies " * 700]

    assert [counter().count(text) for text in texts] == [packaged().count_tokens(text) for text in texts]


def test_the_overhead_is_the_prefix_and_the_two_special_tokens():
    ours = counter()

    ids = ours.tokenizer.ids(ours.prefix)

    assert (ids[0], ids[-1]) == (VOCABULARY.start, VOCABULARY.end)
    assert ours.overhead == len(ids) == 4


def test_a_long_text_is_counted_to_its_end():
    assert counter().count("word " * 2000) > 2000


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> JsonTokenizer:
    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    build_tokenizer(VOCABULARY).save(str(file))
    return JsonTokenizer(file)


@pytest.mark.parametrize("language", ["ENGLISH", "FRENCH", "CHINESE", "JAPANESE"])
def test_two_tokenizer_libraries_agree_on_ids_and_on_where_tokens_begin(language: str, other: JsonTokenizer):
    ours = counter().tokenizer

    for text in getattr(library, language):
        assert ours.ids(text) == other.ids(text)
        assert ours.starts(text) == other.starts(text)


@pytest.mark.parametrize("text", ["", " a  b ", "\u200d \u200d", "\n", "ﬁne Ａ"])
def test_two_tokenizer_libraries_agree_on_blanks_and_compatible_forms(text: str, other: JsonTokenizer):
    assert counter().tokenizer.ids(text) == other.ids(text)


@pytest.mark.parametrize("text", ["</s>", "<pad> and <mask>", "a <s> b"])
def test_a_special_token_that_a_learner_writes_is_text(text: str):
    own = counter().tokenizer.ids(text)[1:-1]

    assert own
    assert not {VOCABULARY.start, VOCABULARY.end, VOCABULARY.padding} & set(own)


@pytest.mark.parametrize(
    "text", ["", " ", "\n\n", "a\x00b", "\u200d", "e\u0301" * 5000, "\U00013000" * 5000, "\ud7ff\ufffd"]
)
def test_odd_texts_have_tokens_that_begin_inside_them(text: str):
    starts = counter().tokenizer.starts(text)

    assert starts == sorted(starts)
    assert all(0 <= start < len(text) for start in starts)
    assert len(counter().tokenizer.ids(text)) == len(starts) + 2
