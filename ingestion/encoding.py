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
_HANGUL = re.compile("[\uac00-\ud7a3]")
_MAX_CONTROL_SHARE = 0.01


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
    if b"\x1b$" in untrusted or (text := _utf8(untrusted, cut=cut)) is None:
        return _old(untrusted)
    return _plausible(text)


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
    sample = untrusted[:_SAMPLE_BYTES]
    best = from_bytes(sample, cp_isolation=list(OLD_ENCODINGS)).best()
    if best is None:
        return None
    encoding = best.encoding
    if encoding == "tis_620" and _is_korean(sample):
        encoding = "cp949"
    return _plausible(untrusted.decode(encoding, "replace"))


def _is_korean(sample: bytes) -> bool:
    """Tell Korean from Thai, which the detector takes for one another: Thai bytes make no row of Hangul."""
    text = sample.decode("cp949", "replace")
    outside_ascii = sum(character > "\x7f" for character in text)
    return len(_HANGUL.findall(text)) > 0.8 * outside_ascii


def _plausible(text: str) -> str | None:
    """Return the text unless too much of it is control characters or could not be decoded."""
    strange = len(_CONTROLS.findall(text)) + text.count("\ufffd")
    return text if strange <= _MAX_CONTROL_SHARE * len(text) + (1 if len(text) > 20 else 0) else None
