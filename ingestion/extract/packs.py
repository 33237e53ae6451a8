"""Which of tesseract's language packs to read a page with.

Owns what is known of languages and scripts: a wrong pack costs words, a pack of the wrong script all of them.
"""

from collections.abc import Sequence

from ingestion.extract.tesseract import installed_packs
from models.errors import ParserFailed

_PACKS = {
    "ar": "ara", "bg": "bul", "bn": "ben", "ca": "cat", "cs": "ces", "da": "dan", "de": "deu", "el": "ell", "en": "eng",
    "es": "spa", "et": "est", "fa": "fas", "fi": "fin", "fr": "fra", "he": "heb", "hi": "hin", "hr": "hrv", "hu": "hun",
    "id": "ind", "it": "ita", "ja": "jpn", "ko": "kor", "la": "lat", "lt": "lit", "lv": "lav", "mr": "mar", "nb": "nor",
    "nl": "nld", "no": "nor", "pl": "pol", "pt": "por", "ro": "ron", "ru": "rus", "sk": "slk", "sl": "slv", "sr": "srp",
    "sv": "swe", "ta": "tam", "th": "tha", "tr": "tur", "uk": "ukr", "ur": "urd", "vi": "vie", "zh": "chi_sim",
}  # fmt: skip
# What belongs to a pack: another way to write the same language.
_SIBLINGS = {"chi_sim": ("chi_sim", "chi_tra"), "jpn": ("jpn", "jpn_vert")}
# What to try for a script: the first of each row without, the whole row with a hint that the learner reads it.
_PACKS_BY_SCRIPT = {
    "Arabic": ("ara", "fas", "urd"),
    "Bengali": ("ben",),
    "Cyrillic": ("rus", "ukr", "bul", "srp"),
    "Devanagari": ("hin", "mar"),
    "Greek": ("ell",),
    "Hangul": ("kor",),
    "Korean": ("kor",),
    "Han": ("chi_sim", "chi_tra", "jpn"),
    "Hebrew": ("heb",),
    "Hiragana": ("jpn",),
    "Japanese": ("jpn",),
    "Katakana": ("jpn",),
    "Tamil": ("tam",),
    "Thai": ("tha",),
}
_LATIN_PACKS = ("eng", "deu", "fra", "spa")


def readable_languages() -> tuple[str, ...]:
    """Return the ISO 639-1 codes of the languages that are read from pixels on this machine, in order."""
    return tuple(sorted(language for language, pack in _PACKS.items() if pack in installed_packs()))


def packs_for(script: str | None, languages: Sequence[str], installed: frozenset[str]) -> tuple[str, ...]:
    """Return the packs to recognise with: what the learner expects, held against the script if it is known.

    English is always among them: its letters and names stand in texts of every script. Raises ``ParserFailed`` when
    no pack is installed at all.
    """
    expected = [_PACKS[language] for language in languages if _PACKS.get(language) in installed]
    row = _PACKS_BY_SCRIPT.get(script or "")
    if row is None:
        other_scripts = {pack for packs in _PACKS_BY_SCRIPT.values() for pack in packs} if script else set[str]()
        chosen = [pack for pack in expected if pack not in other_scripts][:3] or list(_LATIN_PACKS)
    else:
        chosen = [pack for pack in row if pack in expected] or list(row[: 2 if script == "Han" else 1])
    return _complete(chosen, installed)


def are_of_several_scripts(languages: Sequence[str]) -> bool:
    """Say whether these are several languages and not all of them are written in the Latin script."""
    expected = {_PACKS[language] for language in languages if language in _PACKS}
    return len(expected) > 1 and any(pack in row for pack in expected for row in _PACKS_BY_SCRIPT.values())


def packs_of(language: str, installed: frozenset[str]) -> tuple[str, ...]:
    """Return the packs to read a text of this ISO 639-1 language with; none when its own is not installed."""
    pack = _PACKS.get(language, "")
    return _complete([pack], installed) if pack in installed else ()


def fits(language: str, packs: Sequence[str]) -> bool:
    """Say whether one of the packs is made for the language."""
    return _PACKS.get(language) in packs


def _complete(chosen: Sequence[str], installed: frozenset[str]) -> tuple[str, ...]:
    with_siblings = [each for pack in chosen for each in _SIBLINGS.get(pack, (pack,))]
    packs = [pack for pack in dict.fromkeys([*with_siblings, "eng"]) if pack in installed]
    if not packs and not (packs := sorted(installed - {"osd"})[:1]):
        raise ParserFailed
    return tuple(packs)
