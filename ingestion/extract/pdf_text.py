"""What a PDF page's text layer is worth, and the repair of what PDFium is known to get wrong.

Owns the signs of a font without a Unicode map: its codes come out as if they were characters.
"""

import re
from enum import Enum

MIN_CHARACTERS = 25

_ARABIC = re.compile("[\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc]")
_ARABIC_SHARE = 0.2
# PDFium turns the parts of lam-alef round. Put right, because alef is never followed by alef with hamza, nor does a
# word start with two of them.
_TURNED_LAM_ALEF = re.compile("\u0627([\u0622\u0623\u0625])\u0644")
_TURNED_ARTICLE = re.compile("(?<![\u0600-\u06ff])\u0627\u0627\u0644")
_UNREADABLE = re.compile("[\x00-\x08\x0e-\x1f\ue000-\uf8ff\ufffd\U000f0000-\U0010ffff]|\\(cid:\\d+\\)")
_UNREADABLE_SHARE = 0.1
_ENOUGH_LETTERS = 40
_LATIN_LETTER = re.compile("[A-Za-z]")
_LATIN_SHARE = 0.8
_CAPITAL = re.compile("[A-Z]")
_VOWEL = re.compile("[AEIOUYaeiouy]")
# Shares of the plain Latin letters. Text in capitals has as many vowels as any other (a third and more); codes that
# stand a fixed distance from their letters land on capitals and signs, few of them vowels.
_CAPITALS_OF_CODES = 0.7
_VOWELS_OF_CODES = 0.24
_ACCENTED = re.compile("[\u00a1-\u00ff]")
# French and Vietnamese have a quarter. Cyrillic, Greek or Arabic read as if it were Latin has nearly nothing else.
_ACCENTED_OF_CODES = 0.5


class Worth(Enum):
    """What to think of a text layer. A doubtful one is given up only for a text that is surely better."""

    GOOD = "good"
    SHORT = "short"
    DOUBTFUL = "doubtful"
    BROKEN = "broken"


def worth_of(text: str) -> Worth:
    """Judge a page's text layer."""
    length = len(text.strip())
    unreadable = sum(map(len, _UNREADABLE.findall(text)))
    if unreadable > _UNREADABLE_SHARE * (length or 1):
        return Worth.BROKEN
    if length < MIN_CHARACTERS:
        return Worth.SHORT
    return Worth.DOUBTFUL if _are_codes(text) else Worth.GOOD


def is_arabic(text: str) -> bool:
    """Say whether more than a fifth of the text is in Arabic script."""
    return len(_ARABIC.findall(text)) > _ARABIC_SHARE * len(text.strip() or " ")


def repaired(text: str) -> str:
    """Return PDFium's text with its Arabic ligatures the right way round."""
    return _TURNED_ARTICLE.sub("\u0627\u0644\u0627", _TURNED_LAM_ALEF.sub("\u0627\u0644\\1", text))


def _are_codes(text: str) -> bool:
    latin, accented = len(_LATIN_LETTER.findall(text)), len(_ACCENTED.findall(text))
    if accented >= _ENOUGH_LETTERS and accented > _ACCENTED_OF_CODES * (latin + accented):
        return True
    if latin < max(_ENOUGH_LETTERS, _LATIN_SHARE * sum(map(str.isalpha, text))):
        return False  # A few acronyms in another script say nothing.
    capitals, vowels = len(_CAPITAL.findall(text)), len(_VOWEL.findall(text))
    return capitals > _CAPITALS_OF_CODES * latin and vowels < _VOWELS_OF_CODES * latin
