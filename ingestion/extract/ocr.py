"""Text out of pixels, with tesseract.

Owns which way up a page is read, in which languages, and how sure the result is. Two ways of running the program:
through pytesseract, which puts the page and its text into files, only where those lie on a file system of the jail's
own; otherwise through pipes, where nothing is written.
"""

import functools
import io
import math
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from ctypes import CDLL
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytesseract
from PIL import Image, ImageChops, ImageFilter

from ingestion.extract.reading import Work
from models.errors import ParserFailed, TimedOut
from processes.hardening import PR_SET_PDEATHSIG

PROGRAM = "tesseract"
# A folder that vanishes with the jail; set by the jail where its walls give it one.
_private_folder: Path | None = None

_GOOD_CONFIDENCE = 70.0
_NO_TEXT_CONFIDENCE = 45.0
_MIN_LONG_SIDE = 1_700
_MAX_UPSCALE = 4.0
_MIN_SCRIPT_CONFIDENCE = 1.0
_MIN_TURN_CONFIDENCE = 1.0
_BOX_RADIUS_PIXELS = 25
_LOCAL_SHARE = 0.85
_UNEVEN_GREYS = 60
_CJK = "[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]"
_BETWEEN_CJK = re.compile(f"(?<={_CJK}) +(?={_CJK})")

_PACKS = {
    "ar": "ara", "bg": "bul", "cs": "ces", "da": "dan", "de": "deu", "el": "ell", "en": "eng", "es": "spa", "et": "est",
    "fa": "fas", "fi": "fin", "fr": "fra", "he": "heb", "hi": "hin", "hr": "hrv", "hu": "hun", "it": "ita", "ja": "jpn",
    "ko": "kor", "lt": "lit", "lv": "lav", "nb": "nor", "nl": "nld", "no": "nor", "pl": "pol", "pt": "por", "ro": "ron",
    "ru": "rus", "sk": "slk", "sl": "slv", "sr": "srp", "sv": "swe", "th": "tha", "tr": "tur", "uk": "ukr", "ur": "urd",
    "vi": "vie", "zh": "chi_sim",
}  # fmt: skip
# What to try for a script: the first of each row without, the whole row with a hint that the learner reads it.
_PACKS_BY_SCRIPT = {
    "Arabic": ("ara", "fas", "urd"),
    "Cyrillic": ("rus", "ukr", "bul", "srp"),
    "Devanagari": ("hin",),
    "Greek": ("ell",),
    "Hangul": ("kor",),
    "Korean": ("kor",),
    "Han": ("chi_sim", "chi_tra", "jpn"),
    "Hebrew": ("heb",),
    "Hiragana": ("jpn",),
    "Japanese": ("jpn",),
    "Katakana": ("jpn",),
    "Thai": ("tha",),
}
_TURNS: list[tuple[int, str | None]] = [(180, None), (90, None), (270, None)]
_LATIN_PACKS = ("eng", "deu", "fra", "spa")


@dataclass(frozen=True, slots=True)
class Recognised:
    """A page's text and the mean confidence of its letters, 0 to 100."""

    text: str = field(repr=False)
    confidence: float


@dataclass(frozen=True, slots=True)
class _Layout:
    degrees: int
    script: str | None


class _Engine(Protocol):
    def run(self, picture: Image.Image, arguments: Sequence[str], *, seconds: float) -> str:
        """Return what the program prints. Raises ``TimedOut`` and ``ParserFailed``."""
        ...


def keep_files_in(folder: Path) -> None:
    """Allow files in this folder: it lies on a file system that only this jail has and that dies with it."""
    global _private_folder  # noqa: PLW0603 - a jail reads one document and has one folder.
    _private_folder = folder
    tempfile.tempdir = str(folder)


def recognise(picture: Image.Image, work: Work) -> Recognised:
    """Return the text of one grey picture, whichever way up it is.

    Recognises in the expected languages first. Only when that is not sure of itself it asks for script and
    orientation, and then tries the other light; what was read best is kept. Below a confidence of 45 nothing is: it
    is a picture of something else. Raises ``TimedOut`` when the first attempt takes a page's whole time.
    """
    work.recognising()
    page = _Page(_enlarged(picture), work)
    best = page.attempt(degrees=0, script=None)
    if best.is_sure:
        return best.recognised
    for attempt in page.further_attempts(best):
        best = max(best, attempt, key=lambda each: each.sure_letters)
        if attempt.is_sure:
            break
    return best.recognised


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One run's result; ``sure_letters`` is how many letters are in words the program is fairly sure of."""

    text: str = field(repr=False)
    confidence: float
    sure_letters: int
    degrees: int
    script: str | None

    @property
    def is_sure(self) -> bool:
        return self.confidence >= _GOOD_CONFIDENCE

    @property
    def recognised(self) -> Recognised:
        return Recognised(self.text if self.confidence >= _NO_TEXT_CONFIDENCE else "", self.confidence)


class _Page:
    """One page under recognition, with its time."""

    def __init__(self, picture: Image.Image, work: Work) -> None:
        self._picture, self._other_light = picture, _evenly_lit
        if _is_unevenly_lit(picture):
            self._picture, self._other_light = _evenly_lit(picture), lambda _: picture
        self._languages = work.languages
        self._deadline = time.monotonic() + work.limits.ocr_page_seconds * 0.9

    def attempt(self, *, degrees: int, script: str | None, other_light: bool = False) -> _Attempt:
        """Recognise the page turned by so many degrees clockwise, in the languages that fit the script."""
        picture = self._other_light(self._picture) if other_light else self._picture
        picture = picture.rotate(-degrees, expand=True, fillcolor=255) if degrees else picture
        packs = packs_for(script, self._languages, installed_packs())
        table = self._run(picture, ("-l", "+".join(packs), "--psm", "3", "tsv"))
        return _parse(table, degrees=degrees, script=script)

    def further_attempts(self, first: _Attempt) -> Iterator[_Attempt]:
        """Yield other readings, the likeliest first, as long as there is time."""
        best = first
        try:
            layout = self._layout()
            turns = [(layout.degrees, layout.script)] if layout else _TURNS if first.text else []
            for degrees, script in turns:
                if (degrees, script) != (0, None):
                    yield (attempt := self.attempt(degrees=degrees, script=script))
                    best = max(best, attempt, key=lambda each: each.sure_letters)
            yield self.attempt(degrees=best.degrees, script=best.script, other_light=True)
        except TimedOut:
            return

    def _layout(self) -> _Layout | None:
        """Ask which way up the page is and in which script; ``None`` when there is too little text to tell."""
        try:
            answer = self._run(self._picture, ("--psm", "0"))
        except ParserFailed:
            return None
        facts = dict(line.split(": ", 1) for line in answer.splitlines() if ": " in line)
        sure_of_script = float(facts.get("Script confidence", 0)) >= _MIN_SCRIPT_CONFIDENCE
        sure_of_turn = float(facts.get("Orientation confidence", 0)) >= _MIN_TURN_CONFIDENCE
        if not sure_of_turn:
            return None
        return _Layout(int(facts.get("Rotate", 0)), facts.get("Script") if sure_of_script else None)

    def _run(self, picture: Image.Image, arguments: Sequence[str]) -> str:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimedOut
        return _engine().run(picture, arguments, seconds=left)


def _parse(table: str, *, degrees: int, script: str | None) -> _Attempt:
    """Read the program's table of words into lines and paragraphs."""
    parts, before = list[str](), ("", "", "")
    weighted = letters = sure = 0.0
    for row in table.splitlines()[1:]:
        cells = row.split("\t", 11)
        if len(cells) < 12 or not (word := cells[11].strip()):
            continue
        place = (cells[2], cells[3], cells[4])
        confidence = max(0.0, float(cells[10]))
        parts += ["\n\n" if place[:2] != before[:2] else "\n" if place != before else " ", word]
        before = place
        weighted, letters = weighted + confidence * len(word), letters + len(word)
        sure += len(word) if confidence >= _GOOD_CONFIDENCE else 0
    text = _BETWEEN_CJK.sub("", "".join(parts).strip())
    return _Attempt(text, round(weighted / letters, 1) if letters else 0.0, int(sure), degrees, script)


def packs_for(script: str | None, languages: Sequence[str], installed: frozenset[str]) -> tuple[str, ...]:
    """Return the language packs to recognise with: what the learner expects, held against the script if it is known.

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
    packs = [pack for pack in dict.fromkeys([*chosen, "eng"]) if pack in installed] or sorted(installed - {"osd"})[:1]
    if not packs:
        raise ParserFailed
    return tuple(packs)


@functools.cache
def installed_packs() -> frozenset[str]:
    """Return the names of the language packs on this machine; none when the program is missing."""
    try:
        listing = subprocess.run(
            (PROGRAM, "--list-langs"), capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return frozenset()
    return frozenset(line.strip() for line in listing.splitlines()[1:] if line.strip())


def _enlarged(picture: Image.Image) -> Image.Image:
    """Enlarge a small picture: below about 150 dpi words are lost, and lost words come back (facts-extraction, 3.3)."""
    factor = min(_MAX_UPSCALE, _MIN_LONG_SIDE / max(picture.size))
    if factor <= 1:
        return picture
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _evenly_lit(picture: Image.Image) -> Image.Image:
    """Return black and white, a pixel being black where it is darker than 85 % of the mean around it."""
    around = picture.filter(ImageFilter.BoxBlur(_BOX_RADIUS_PIXELS)).point(lambda value: value * _LOCAL_SHARE)
    return ImageChops.subtract(picture, around).point(lambda value: 255 if value else 0)


def _is_unevenly_lit(picture: Image.Image) -> bool:
    """Say whether the paper is much darker here than there; the brightest spot of each part is taken for paper."""
    parts = picture.resize((64, 64), Image.Resampling.BOX).filter(ImageFilter.MaxFilter(15)).resize((8, 8))
    darkest, brightest = parts.getextrema()
    return float(str(brightest)) - float(str(darkest)) > _UNEVEN_GREYS


def _engine() -> _Engine:
    return _Files() if _private_folder is not None else _Pipes()


class _Files:
    """Through pytesseract and files in the jail's own folder."""

    def run(self, picture: Image.Image, arguments: Sequence[str], *, seconds: float) -> str:
        """Return what the program prints. Raises ``TimedOut`` and ``ParserFailed``."""
        extension = "tsv" if arguments[-1] == "tsv" else "osd"
        languages = arguments[arguments.index("-l") + 1] if "-l" in arguments else None
        config = f"--psm {arguments[arguments.index('--psm') + 1]}" + (" tsv" if extension == "tsv" else "")
        try:
            return str(
                pytesseract.pytesseract.run_and_get_output(picture, extension, languages, config, 0, math.ceil(seconds))
            )
        except RuntimeError as error:
            # A failed run is a RuntimeError as well; only the time-out is one exactly.
            raise (TimedOut if type(error) is RuntimeError else ParserFailed) from None
        except (OSError, UnicodeError) as error:
            raise ParserFailed from error


class _Pipes:
    """Through pipes: no file is written."""

    def run(self, picture: Image.Image, arguments: Sequence[str], *, seconds: float) -> str:
        """Return what the program prints. Raises ``TimedOut`` and ``ParserFailed``."""
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", compress_level=1)
        command = (PROGRAM, "stdin", "stdout", *arguments)
        try:
            done = subprocess.run(
                command, input=buffer.getvalue(), capture_output=True, timeout=seconds, check=True,
                preexec_fn=_die_with_parent,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise TimedOut from None
        except (OSError, subprocess.CalledProcessError):
            raise ParserFailed from None
        return done.stdout.decode("utf-8", "replace")


def _die_with_parent() -> None:
    CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
