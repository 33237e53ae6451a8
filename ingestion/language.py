"""Which language a document is in."""

import re
from collections.abc import Sequence

from models.content import Page
from vectorstore.language import identify

_SAMPLE_CHARACTERS = 4_000
_MIN_LETTERS = 20
_MIN_PROBABILITY = 0.8
_LETTER = re.compile(r"[^\W\d_]")
_SYLLABLE = re.compile("[\u3040-\u9fff\uac00-\ud7a3]")


def language_of(pages: Sequence[Page]) -> str | None:
    """Return the ISO 639-1 code of the language most of the text is in, or ``None`` when it cannot be told."""
    sample = _sample(pages)
    letters = len(_LETTER.findall(sample))
    # One ideograph, or one syllable of kana or Hangul, says as much as a few letters.
    if letters + 3 * len(_SYLLABLE.findall(sample)) < _MIN_LETTERS:
        return None
    return identify(sample, min_probability=_MIN_PROBABILITY)


def _sample(pages: Sequence[Page]) -> str:
    """Take the same share of each page: a title page or an annex in another language decides nothing."""
    total = sum(len(page.text) for page in pages)
    if total <= _SAMPLE_CHARACTERS:
        return "\n".join(page.text for page in pages)
    return "\n".join(page.text[: -(-len(page.text) * _SAMPLE_CHARACTERS // total)] for page in pages)
