"""Which language a document is in, and which of its chunks are in another."""

import re
from collections.abc import Sequence

import msgspec

from models.content import Chunk, Page
from vectorstore.language import identify

_PIECES, _PIECE_CHARACTERS = 8, 500
_MIN_LETTERS = 20
_MIN_PROBABILITY = 0.8
# A chunk with fewer letters is what its document is. Of sentences of 40 letters and more in en, es, zh and ar none was
# told wrongly at this probability; telling one chunk takes 0.6 to 1.5 ms, a few hundredths of embedding it.
_MIN_CHUNK_LETTERS = 60
_CHUNK_CHARACTERS = 1_000
_MIN_CHUNK_PROBABILITY = 0.9
_LETTER = re.compile(r"[^\W\d_]")
_SYLLABLE = re.compile("[\u3040-\u9fff\uac00-\ud7a3]")


def language_of(pages: Sequence[Page]) -> str | None:
    """Return the ISO 639-1 code of the language most of the text is in, or ``None`` when it cannot be told."""
    sample = _sample(pages)
    if _letters(sample) < _MIN_LETTERS:
        return None
    return identify(sample, min_probability=_MIN_PROBABILITY)


def tagged(chunks: Sequence[Chunk], pages: Sequence[Page], language: str | None) -> tuple[Chunk, ...]:
    """Return the chunks, those in another language than the document's with that language. ``language`` is its."""
    return tuple(_tagged(chunk, pages[chunk.page - 1].text[chunk.start : chunk.end], language) for chunk in chunks)


def _tagged(chunk: Chunk, text: str, language: str | None) -> Chunk:
    sample = text[:_CHUNK_CHARACTERS]
    if _letters(sample) < _MIN_CHUNK_LETTERS:
        return chunk
    own = identify(sample, min_probability=_MIN_CHUNK_PROBABILITY)
    return chunk if own in {None, language} else msgspec.structs.replace(chunk, language=own)


def _letters(text: str) -> int:
    """Count letters; one ideograph, or one syllable of kana or Hangul, says as much as a few of them."""
    return len(_LETTER.findall(text)) + 3 * len(_SYLLABLE.findall(text))


def _sample(pages: Sequence[Page]) -> str:
    """Take pieces from all over the text: a title page, a list of chapters or an annex decides nothing."""
    text = "\n".join(page.text for page in pages)
    if len(text) <= _PIECES * _PIECE_CHARACTERS:
        return text
    starts = (len(text) * number // _PIECES for number in range(_PIECES))
    return "\n".join(text[start : start + _PIECE_CHARACTERS] for start in starts)
