"""The normal form of a page's text. Every offset in Mayfly refers to it.

Owns what a page may contain: NFKC, line feeds, no control or invisible characters (which could carry text that a
learner does not see and a model does), no runs of marks or blanks that make later steps slow. Normalising twice
changes nothing.
"""

import functools
import re
import unicodedata

# PDFium puts U+FFFE (older ones U+0002) where it took a hyphen from a line's end.
_BROKEN_HYPHEN = re.compile("[\ufffe\x02]\r?\n?")
_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# Between two letters of the scripts that need them, a single joiner or non-joiner is spelling; elsewhere it is
# hidden.
_JOINED = "\u0600-\u07ff\u0900-\u0dff\u0f00-\u0fff\u1780-\u17ff"
_JOINER = re.compile(f"(?<![{_JOINED}])[\u200c\u200d]|[\u200c\u200d](?![{_JOINED}])")
# 10³ is not 103, and 1½ is not 11⁄2.
_KEPT = re.compile("([²³¹⁰ⁱ⁴-\u209c¼-¾⅐-⅟↉])")
_ANY_JOINER = re.compile("[\u200c\u200d]")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\ud800-\udfff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Starts only where a run of blanks starts: trying each blank of a long run would be quadratic.
_TRAILING_BLANKS = re.compile(r"(?<![^\S\n])[^\S\n]++(?=\n|\Z)")
_BLANKS = re.compile(r"(?<=\S)[^\S\n]{2,}")
_LEADING_BLANKS = re.compile(r"(?m)^[^\S\n]{9,}")
_EMPTY_LINES = re.compile(r"\n{3,}")
_MAX_MARKS = 20
# Every run of too many marks is one of these, and hardly any text has one: what marks are need not be told for it.
_PERHAPS_MARKS = re.compile(rf"[^\w\s\x00-\x7f]{{{_MAX_MARKS + 1}}}")


def normalise(text: str) -> str:
    """Return the text in normal form."""
    text = _LINE_END.sub("\n", _BROKEN_HYPHEN.sub("", text))
    text = _INVISIBLE.sub("", text)
    text = _cut_marks(_compatible(text))
    text = _BLANKS.sub(" ", _TRAILING_BLANKS.sub("", text))
    text = _LEADING_BLANKS.sub(" " * 8, text)
    return _EMPTY_LINES.sub("\n\n", text).strip("\n")


def _compatible(text: str) -> str:
    """Return the text in NFKC, with joiners only where they are spelling.

    A joiner that goes lets marks around it change places, which may leave another one hidden: some rounds settle that
    for every text but one made for it, which then keeps none.
    """
    text = _nfkc(text)
    for pattern in (_JOINER, _JOINER, _JOINER, _ANY_JOINER):
        if not _JOINER.search(text):
            break
        text = _nfkc(pattern.sub("", text))
    return text


def is_compatible(text: str) -> bool:
    """Say whether a text is in NFKC but for raised and lowered digits and fractions, which keep their meaning."""
    return unicodedata.is_normalized("NFKC", _KEPT.sub(" ", text))


def _nfkc(text: str) -> str:
    if unicodedata.is_normalized("NFKC", text):
        return text
    parts = _KEPT.split(text)
    # Every second part is what stood between: a character that is kept.
    return "".join(part if number % 2 else unicodedata.normalize("NFKC", part) for number, part in enumerate(parts))


def _cut_marks(text: str) -> str:
    """Cut runs of combining marks: no language needs more than a few, and later steps are quadratic in them."""
    if text.isascii() or not _PERHAPS_MARKS.search(text):
        return text
    return _mark_runs().sub(lambda run: run[0][:_MAX_MARKS], text)


@functools.cache
def _mark_runs() -> re.Pattern[str]:
    """Return a pattern of too many combining marks in a row; with ranges it is far quicker than with single marks."""
    codes = [code for code in range(0x300, 0xF0000) if unicodedata.category(chr(code)) in {"Mn", "Mc", "Me"}]
    starts = [code for code, before in zip(codes, [0, *codes], strict=False) if code != before + 1]
    ends = [code for code, after in zip(codes, [*codes[1:], 0], strict=True) if code != after - 1]
    marks = "".join(f"{chr(start)}-{chr(end)}" for start, end in zip(starts, ends, strict=True))
    return re.compile(f"[{marks}]{{{_MAX_MARKS + 1},}}")
