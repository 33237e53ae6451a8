"""Bytes to text when nobody says which encoding they are in.

Owns the order of trials: a byte order mark, UTF-8, UTF-16 told by where its blanks are, then the old encodings
that learners' files really come in. Refuses bytes that are no text.
"""

import codecs
import re

from charset_normalizer import from_bytes

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Windows' supersets stand for the standards they contain (cp932 for Shift-JIS, cp949 for EUC-KR, cp1252 for latin-1).
OLD_ENCODINGS = (
    "cp932", "euc_jp", "iso2022_jp", "gb18030", "big5", "cp949", "cp1252", "cp1251", "koi8_r", "koi8_u", "cp1250",
    "cp1253", "cp1254", "cp1255", "cp1256", "tis_620", "utf_16_le", "utf_16_be",
)  # fmt: skip
_COMMON = " \n\r\t,.!?\u3001\u3002\uff0c"
_SAMPLE_BYTES = 200_000
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_KANA = re.compile("[\u3041-\u30f6]")
_KANA_SHARE = 0.4
_HANGUL = re.compile("[\uac00-\ud7a3]")
_MAX_CONTROL_SHARE = 0.01
_MIN_GOOD_TO_BAD = 10
_BEYOND_ASCII = bytes(range(0x80, 0x100))
_OTHER_SCRIPT_SHARE = 0.4
_TIMES, _SHORT_BYTES = 3, 2_000
# The letters outside ASCII that each language is written with. What fits several is read as the first of them.
# Icelandic stands last: its own letters have the bytes of the Turkish ones. French goes without the rare "æ", which has
# the byte of the frequent Polish "ć".
_ALPHABETS = (
    ("cp1252", (
        "áéíñóúü", "àáâãçéêíóôõúü", "àâçèéêëîïôœùûüÿ", "àèéìíîòóùú", "äöüß", "åäöé", "åæøéòô", "äéëïóöü", "áéíóú",
        "àçèéíïòóúü",
    )),
    ("cp1250", ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž")),
    ("cp1254", ("âçğıîöşûü",)),
    ("cp1252", ("áæðéíóöúýþ",)),
)  # fmt: skip
_LATIN = frozenset(encoding for encoding, _ in _ALPHABETS)
# A dash, an apostrophe, a full point or three may stand between letters; other signs are letters misread, as are the
# raised figures that stand for Polish ones (after three letters: "cm³" is right).
_MISREAD = re.compile(
    "(?<=[^\\W\\d_])[^\\w\x00-\x7f\xa0\xad\xb7\u2013\u2014\u2018\u2019\u201c\u201d\u2026](?=[^\\W\\d_])"
    "|[^\\W\\d_][\xb9\xb2\xb3\xbc\xbd\xbe][^\\W\\d_]|[^\\W\\d_]{3}[\xb9\xb3]|\ufffd"
)
# These are letters to Unicode, but no language's.
_ORDINAL_OR_UNIT = re.compile(r"(?<=[\d.])[ªº]|\bµ")


# A browser takes these labels for the superset that Windows made of the standard.
_SUPERSETS = {
    "gb2312": "gb18030", "gbk": "gb18030", "iso-8859-1": "cp1252", "ascii": "cp1252", "us-ascii": "cp1252",
    "shift_jis": "cp932", "sjis": "cp932", "x-sjis": "cp932", "euc-kr": "cp949", "ks_c_5601-1987": "cp949",
}  # fmt: skip


def decode(untrusted: bytes, *, cut: bool = False, declared: str | None = None) -> str | None:
    """Return the text, without its byte order mark, or ``None`` when the bytes are no text.

    ``cut`` says that the bytes may end in the middle of a character; ``declared`` is the encoding that they say they
    are in, which is believed as long as they can be read in it.
    """
    if declared is not None and not untrusted.startswith(tuple(mark for mark, _ in _MARKS)):
        text = _declared(untrusted, declared.lower())
        if text is not None:
            return text
    for mark, encoding in _MARKS:
        if untrusted.startswith(mark):
            return _plausible(untrusted[len(mark) :].decode(encoding, "replace"))
    if b"\0" in untrusted:
        return _wide(untrusted)
    if b"\x1b$" not in untrusted:
        text = _utf8(untrusted, cut=cut) or _damaged_utf8(untrusted)
        if text is not None:
            return _plausible(text)
    return _old(untrusted)


def _declared(untrusted: bytes, label: str) -> str | None:
    encoding = _SUPERSETS.get(label, label)
    # Nearly any bytes can be read in the former; ASCII that is none is judged by its bytes.
    if label in {"us-ascii", "ascii"} and not untrusted.isascii():
        return None
    try:
        return untrusted.decode(encoding)
    except (LookupError, ValueError):  # It lies about itself, or about what there is.
        return None


def _utf8(untrusted: bytes, *, cut: bool) -> str | None:
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(untrusted, final=not cut)
    except UnicodeDecodeError:
        return None


def _damaged_utf8(untrusted: bytes) -> str | None:
    """Return a text a few bytes of which are lost: hardly any other encoding makes so many characters by chance."""
    text = untrusted.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = sum(character > "\x7f" for character in text) - bad
    return text if good >= _MIN_GOOD_TO_BAD * bad else None


def _wide(untrusted: bytes) -> str | None:
    """Decode UTF-16 (or 32) without a mark: read the wrong way round, a text has no blanks and no full stops."""
    sample = untrusted[:_SAMPLE_BYTES]
    if sample[1:4] == b"\0\0\0" or sample[:3] == b"\0\0\0":
        return _plausible(untrusted.decode("utf-32-le" if sample[0] else "utf-32-be", "replace"))
    readings = {encoding: sample.decode(encoding, "replace") for encoding in ("utf-16-le", "utf-16-be")}
    common = {encoding: sum(map(text.count, _COMMON)) for encoding, text in readings.items()}
    if common["utf-16-le"] == common["utf-16-be"]:
        return None
    return _plausible(untrusted.decode(max(common, key=lambda encoding: common[encoding]), "replace"))


def _old(untrusted: bytes) -> str | None:
    sample = _telling(untrusted[:_SAMPLE_BYTES])
    for encoding in ("cp932", "euc_jp"):
        if _is_japanese(sample, encoding):
            return _plausible(untrusted.decode(encoding, "replace"))
    best = from_bytes(sample, cp_isolation=list(OLD_ENCODINGS)).best()
    if best is None:
        return None
    encoding = best.encoding
    if encoding == "tis_620" and _is_korean(sample):
        encoding = "cp949"
    elif encoding in _LATIN:
        encoding = _latin(sample) or encoding
    return _plausible(untrusted.decode(encoding, "replace"))


def _telling(sample: bytes) -> bytes:
    """Return the lines that tell the encoding: of a text in two scripts, those that are not in ASCII.

    Beside much English the detector takes a few lines of Japanese for Cyrillic. In Latin script every line tells. The
    detector is surer of a short text the oftener it reads it.
    """
    lines = b"\n".join(line for line in sample.split(b"\n") if not line.isascii())
    beyond = len(lines) - len(lines.translate(None, delete=_BEYOND_ASCII))
    times = _TIMES if len(lines) < _SHORT_BYTES else 1
    return (lines + b"\n") * times if beyond > _OTHER_SCRIPT_SHARE * len(lines) else sample


def _is_japanese(sample: bytes, encoding: str) -> bool:
    """Tell Japanese, which the detector misses in short texts, by its kana: their bytes are rare in other encodings."""
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError:  # Also where the sample ends inside a character: so much the detector knows.
        return False
    return len(_KANA.findall(text)) > _KANA_SHARE * sum(character > "\x7f" for character in text)


def _is_korean(sample: bytes) -> bool:
    """Tell Korean from Thai, which the detector takes for one another: Thai bytes make no row of Hangul."""
    text = sample.decode("cp949", "replace")
    outside_ascii = sum(character > "\x7f" for character in text)
    return len(_HANGUL.findall(text)) > 0.8 * outside_ascii


def _latin(sample: bytes) -> str | None:
    """Return the encoding in which the text has the letters of one language, which the detector often mistakes."""
    readings = {encoding: sample.decode(encoding, "replace") for encoding in _LATIN}
    letters = {encoding: _letters(text) for encoding, text in readings.items() if not _MISREAD.search(text)}
    for encoding, alphabets in _ALPHABETS:
        if encoding in letters and any(letters[encoding] <= set(alphabet) for alphabet in alphabets):
            return encoding
    return None


def _letters(text: str) -> set[str]:
    """Return the small letters outside ASCII that the text's words are written with."""
    words = _ORDINAL_OR_UNIT.sub("", text).lower()
    return {character for character in set(words) if character > "\x7f" and character.isalpha()}


def _plausible(text: str) -> str | None:
    """Return the text unless too much of it is control characters or could not be decoded."""
    strange = len(_CONTROLS.findall(text)) + text.count("\ufffd")
    return text if strange <= _MAX_CONTROL_SHARE * len(text) + (1 if len(text) > 20 else 0) else None
