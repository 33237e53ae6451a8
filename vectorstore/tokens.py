"""Counting text in the embedder's own tokens, without the embedder.

Imports the tokenizer library only: a jail that cuts chunks needs the count and must not load a model.
"""

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer


def open_tokenizer(tokenizer_file: Path) -> Tokenizer:
    """Load a ``tokenizer.json`` that cuts nothing, pads nothing and remembers no word it has seen."""
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    forget_words(tokenizer)
    return tokenizer


def forget_words(tokenizer: Any) -> None:
    """Switch off the tokenizer's cache: it keeps the words of earlier texts where no session's end reaches them."""
    resize = getattr(tokenizer.model, "_resize_cache", None)  # WordPiece models have no cache and no such method.
    if resize is not None:
        resize(0)


def remember_words(tokenizer: Any, words: int) -> None:
    """Switch the cache on again, for so many words. Only for a process that ends with the one text it reads."""
    resize = getattr(tokenizer.model, "_resize_cache", None)
    if resize is not None:
        resize(words)


class TokenCounter:
    """Counts tokens as the embedder will see them: special tokens and ``prefix`` included.

    ``overhead`` is what an empty text takes; a chunk may hold ``max_tokens - overhead`` tokens of its own.
    """

    def __init__(self, tokenizer_file: Path, *, prefix: str = "") -> None:
        self.tokenizer = open_tokenizer(tokenizer_file)
        self.prefix = prefix
        self.overhead = self.count("")

    def count(self, text: str) -> int:
        """Return how many tokens the text takes as a passage, special tokens and prefix included."""
        return len(self.tokenizer.encode(self.prefix + text).ids)
