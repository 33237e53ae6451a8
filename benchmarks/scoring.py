"""How a reader's words are held against what a document says.

Words are what lies between white space and punctuation after NFKC and case folding; each CJK character is one.
"""

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+")
# A word divided at a line's end is one word, whoever reads it.
_HYPHENATED = re.compile("(?<=[^\\W\\d_])[-\xad\u2010]\r?\n(?=[^\\W\\d_])|[\xad\ufffe]")
_CONTROLS = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


@dataclass(frozen=True, slots=True)
class Marks:
    """Shares from 0 to 1: of the reference's words that were read, of the words read that it lacks, in order."""

    found: float
    foreign: float
    order: float


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text as they are compared."""
    plain = _CONTROLS.sub("", _HYPHENATED.sub("", unicodedata.normalize("NFKC", text)))
    return tuple(_WORD.findall(plain.casefold()))


def marks(read: Sequence[str], reference: Counter[str], orders: Sequence[Sequence[str]]) -> Marks:
    """Return a reader's marks. ``orders`` are the texts, as words, whose order counts; the mean of them.

    Each word counts as often as it stands there. Who reads nothing has nothing in order.
    """
    common = (Counter(read) & reference).total()
    return Marks(
        found=common / max(1, reference.total()),
        foreign=1 - common / len(read) if read else 0.0,
        order=sum(in_order(order, read) for order in orders) / max(1, len(orders)),
    )


def in_order(reference: Sequence[str], read: Sequence[str]) -> float:
    """Return of the words that stand once in both texts the share that are in the reference's order.

    Where no word does, in a text of a few words that repeat, how much of both can be lined up.
    """
    once = {word for word, count in Counter(reference).items() if count == 1}
    places = {word: at for at, word in enumerate(read)}
    single = {word for word, count in Counter(read).items() if count == 1}
    order = [places[word] for word in reference if word in once and word in single]
    if order:
        return _longest_rise(order) / len(order)
    return SequenceMatcher(None, reference, read, autojunk=False).ratio() if read else 0.0


def landmarks_in_order(landmarks: Sequence[str], text: str) -> float:
    """Return the share of the phrases that stand in a text in their order; one that is missing is out of order."""
    plain = "".join(words(text))
    places = [plain.find("".join(words(landmark))) for landmark in landmarks]
    return _longest_rise([place for place in places if place >= 0]) / len(landmarks)


def agreed(counts: Sequence[Counter[str]]) -> Counter[str]:
    """Return each word as often as at least two texts have it."""
    every = {word for count in counts for word in count}
    return Counter({word: sorted((count[word] for count in counts), reverse=True)[1] for word in every})


def _longest_rise(places: Sequence[int]) -> int:
    """Return how many of the numbers, at most, rise one after the other."""
    tails = list[int]()
    for place in places:
        at = bisect_left(tails, place)
        tails[at : at + 1] = [place]
    return len(tails)
