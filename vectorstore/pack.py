"""Fitting passages into the reader's token budget.

The reader is the tutor's language model, whose tokenizer nobody here knows, and a session process has no tokenizer at
all. Tokens are therefore estimated from the script, on the high side: see ``estimate_tokens``.
"""

import math
from collections.abc import Sequence
from typing import Protocol, TypeVar

# Characters a token. Prose measured with multilingual-e5's tokenizer: English 3.8, French 3.6, German 4.1, Russian 3.2,
# Arabic 3.1, Thai 3.1, Hindi 2.9, Korean 1.8, Japanese 1.4, Chinese 1.2. Taken lower: rather too many than too few.
_WIDE_PER_TOKEN = 1.1
_LATIN_PER_TOKEN = 3.0
_OTHER_PER_TOKEN = 2.0
_LATIN_END = 0x0250
_WIDE_START = 0x2E80  # CJK radicals; kana, Han and Hangul follow
_WIDE_END = 0xE000


class Sized(Protocol):
    """Anything with an estimated length in tokens."""

    @property
    def tokens(self) -> int:
        """The estimate."""
        ...


_Item = TypeVar("_Item", bound=Sized)


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a model takes for the text: 1 for 3 Latin, 2 other or 1.1 CJK characters."""
    latin = len(text) if text.isascii() else sum(ord(character) < _LATIN_END for character in text)
    wide = 0 if latin == len(text) else sum(_is_wide(character) for character in text)
    other = len(text) - latin - wide
    return math.ceil(latin / _LATIN_PER_TOKEN + wide / _WIDE_PER_TOKEN + other / _OTHER_PER_TOKEN)


def prefix_within(text: str, max_tokens: int) -> int:
    """Return the greatest length, in characters, of a beginning of the text that takes at most ``max_tokens``.

    It ends at white space where there is any in its second half.
    """
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if estimate_tokens(text[:middle]) <= max_tokens else (low, middle - 1)
    if low == len(text):
        return low
    blank = max(text.rfind(" ", low // 2, low), text.rfind("\n", low // 2, low))
    return blank if blank > 0 else low


def pack(items: Sequence[_Item], max_tokens: int | None) -> list[_Item]:
    """Return, in the order given, the items that fit together into ``max_tokens``, the first ones preferred.

    An item that does not fit is skipped, so that a shorter one behind it may. ``None`` is no limit.
    """
    if max_tokens is None:
        return list(items)
    packed: list[_Item] = []
    left = max_tokens
    for item in items:
        if item.tokens <= left:
            packed.append(item)
            left -= item.tokens
    return packed


def _is_wide(character: str) -> bool:
    return _WIDE_START <= ord(character) < _WIDE_END or ord(character) >= 0x20000
