"""Counting in the model's own tokens."""

from tests.support.embedders import packaged, prepared
from vectorstore import models
from vectorstore.tokens import TokenCounter


def counter() -> TokenCounter:
    model = prepared()
    return TokenCounter(models.tokenizer_file(model), prefix=model.card.passage_prefix)


def test_the_jailers_count_is_the_embedders_count():
    texts = ["", "One short sentence.", "图书馆的管理员怎样防止书受潮?", "لماذا يطير", "mayflies " * 700]

    assert [counter().count(text) for text in texts] == [packaged().count_tokens(text) for text in texts]


def test_the_overhead_is_the_prefix_and_the_two_special_tokens():
    ours = counter()

    tokens = ours.tokenizer.encode(ours.prefix).tokens

    assert tokens[0] == "<s>"
    assert tokens[-1] == "</s>"
    assert ours.overhead == len(tokens) == 5


def test_a_long_text_is_counted_to_its_end():
    assert counter().count("word " * 2000) > 2000
