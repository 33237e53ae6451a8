"""Counting text in the embedder's own tokens, without the embedder.

Imports tokenizer libraries only: a jail that cuts chunks needs the count and must not load a model.
"""

from pathlib import Path
from typing import Any, Protocol

PIECES_FILE = "tokenizer.model"
# It was a blank in the table the packaged model was trained with; today's table deletes it.
JOINER = "\u200d"


class Tokenizer(Protocol):
    """Cuts text into tokens, all of it, and remembers none of it."""

    def ids(self, text: str) -> list[int]:
        """Return the ids of a text's tokens, special tokens included."""
        ...

    def starts(self, text: str) -> list[int]:
        """Return where each token begins, in characters, ascending; no special tokens."""
        ...

    def remember_words(self, words: int) -> None:
        """Keep the tokens of so many words, where that saves time. For a process that ends with the text it reads."""
        ...


class PieceTokenizer:
    """A sentencepiece model. The packaged model's takes a fifth of the memory of ``JsonTokenizer``, and is faster."""

    def __init__(self, model_file: Path) -> None:
        from sentencepiece import SentencePieceProcessor

        self._pieces: Any = SentencePieceProcessor(model_file=str(model_file))

    def ids(self, text: str) -> list[int]:
        """See ``Tokenizer``."""
        return self._pieces.encode_as_ids(_as_trained(text), add_bos=True, add_eos=True)

    def starts(self, text: str) -> list[int]:
        """See ``Tokenizer``."""
        return [start for start, _ in self._pieces.encode_as_offset_mapping(_as_trained(text))["offsets"]]

    def remember_words(self, words: int) -> None:
        """Do nothing: looking a word up again costs no more than remembering it."""


class JsonTokenizer:
    """A ``tokenizer.json``, as folders of other models have it, that cuts nothing and pads nothing."""

    def __init__(self, tokenizer_file: Path) -> None:
        import tokenizers

        self._tokenizer: Any = tokenizers.Tokenizer.from_file(str(tokenizer_file))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        forget_words(self._tokenizer)

    def ids(self, text: str) -> list[int]:
        """See ``Tokenizer``."""
        return self._tokenizer.encode(text).ids

    def starts(self, text: str) -> list[int]:
        """See ``Tokenizer``."""
        return [start for start, _ in self._tokenizer.encode(text, add_special_tokens=False).offsets]

    def remember_words(self, words: int) -> None:
        """See ``Tokenizer``."""
        _resize_cache(self._tokenizer, words)


def open_tokenizer(tokenizer_file: Path) -> Tokenizer:
    """Load a ``tokenizer.json`` or, by any other ending, a sentencepiece model."""
    return JsonTokenizer(tokenizer_file) if tokenizer_file.suffix == ".json" else PieceTokenizer(tokenizer_file)


def forget_words(tokenizer: Any) -> None:
    """Switch off the cache of ``tokenizers``: it keeps the words of earlier texts where no session's end reaches."""
    _resize_cache(tokenizer, 0)


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
        return len(self.tokenizer.ids(self.prefix + text))


def _as_trained(text: str) -> str:
    return text.replace(JOINER, " ")


def _resize_cache(tokenizer: Any, words: int) -> None:
    resize = getattr(tokenizer.model, "_resize_cache", None)  # WordPiece models have no cache and no such method.
    if resize is not None:
        resize(words)
