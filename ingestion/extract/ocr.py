"""Text out of pixels.

Owns which way up a page is read, in which languages, and how sure the result is. How sure is known of a page as a
whole: passages of a page share its confidence, and are marked with it (``vectorstore.flags``).
"""

import contextlib
import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field

from PIL import Image, ImageChops, ImageFilter

from ingestion.extract.packs import are_of_several_scripts, fits, packs_for, packs_of
from ingestion.extract.reading import Work
from ingestion.extract.tesseract import Crew, Run, Steps, installed_packs
from models.errors import ParserFailed, TimedOut
from vectorstore.language import identify

# Below about 70 one word in ten is wrong (measured over scripts and damages).
GOOD_CONFIDENCE = 70.0
_NO_TEXT_CONFIDENCE = 45.0
_MIN_LONG_SIDE = 1_700
_MAX_UPSCALE = 4.0
_MIN_SCRIPT_CONFIDENCE = 1.0
_MIN_TURN_CONFIDENCE = 1.0
_BOX_RADIUS_PIXELS = 25
_SMOOTHING_RADIUS_PIXELS = 1.2
_LOCAL_SHARE = 0.85
_UNEVEN_GREYS = 60
_BLANK_GREYS = 16
# A page's time is lent for its start, its end and what is between: the runs may not take all of it.
_SHARE_FOR_RUNS = 0.9
_MIN_LETTERS_TO_IDENTIFY = 80
_MIN_PROBABILITY = 0.95
_NEARLY_AS_SURE = 0.95
_TURNS: list[tuple[int, str | None]] = [(180, None), (90, None), (270, None)]
_CJK = "[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]"
_BETWEEN_CJK = re.compile(f"(?<={_CJK}) +(?={_CJK})")


@dataclass(frozen=True, slots=True)
class Recognised:
    """A page's text and the mean confidence of its letters, 0 to 100."""

    text: str = field(repr=False)
    confidence: float

    @property
    def is_sure(self) -> bool:
        """Say whether the text can be trusted."""
        return self.confidence >= GOOD_CONFIDENCE


def recognise(picture: Image.Image, work: Work) -> Recognised:
    """Return the text of one grey picture, as ``recognise_all`` does."""
    return next(recognised for _, recognised in recognise_all([picture], work))


def recognise_all(pictures: Iterable[Image.Image], work: Work) -> Iterator[tuple[int, Recognised]]:
    """Yield place and text of the grey pictures of one document, whichever way up they are, as they get done.

    As many pages at once as allowed, and one more drawn. Raises ``TimedOut`` when the first attempt at a page takes
    all of a page's time, ``ParserFailed`` when the program is missing or breaks.
    """
    document = _Document(work.languages)
    crew = Crew[Recognised](
        workers=work.limits.ocr_workers,
        seconds=work.limits.ocr_page_seconds * _SHARE_FOR_RUNS,
        begins=work.recognising,
    )
    return crew.work_through(_steps(picture, document) for picture in pictures)


def _steps(picture: Image.Image, document: "_Document") -> Steps[Recognised]:
    lowest, highest = picture.getextrema()
    if float(str(highest)) - float(str(lowest)) < _BLANK_GREYS:
        return Recognised("", 0.0)
    return (yield from _Page(_enlarged(picture), document).steps())


class _Document:
    """What the pages of one document have in common: what one taught of the language, the next begins with."""

    def __init__(self, languages: tuple[str, ...]) -> None:
        self.languages = languages
        self.installed = installed_packs()
        self._learned: tuple[str, ...] = ()
        self._is_of_several_scripts = are_of_several_scripts(languages)

    @property
    def script_is_open(self) -> bool:
        """Say whether the learner reads several scripts and no page has told yet which one this is in."""
        return self._is_of_several_scripts and not self._learned

    def packs(self, script: str | None = None) -> tuple[str, ...]:
        """Return the packs to begin a page with, or those for a script."""
        return (script is None and self._learned) or packs_for(script, self.languages, self.installed)

    def learn(self, attempt: "_Attempt", language: str | None) -> None:
        """Remember what a page was well read with: the packs of its language, or those a learner named."""
        if not attempt.is_sure:
            return
        narrower = packs_of(language, self.installed) if language and not self.languages else ()
        self._learned = narrower or attempt.packs


@dataclass(frozen=True, slots=True)
class _Layout:
    degrees: int
    script: str | None


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One run's result; ``sure_letters`` is how many letters are in words the program is fairly sure of."""

    text: str = field(repr=False)
    confidence: float
    sure_letters: int
    degrees: int
    packs: tuple[str, ...]

    @property
    def is_sure(self) -> bool:
        return self.confidence >= GOOD_CONFIDENCE

    @property
    def recognised(self) -> Recognised:
        return Recognised(self.text if self.confidence >= _NO_TEXT_CONFIDENCE else "", self.confidence)

    @property
    def language(self) -> str | None:
        if self.sure_letters < _MIN_LETTERS_TO_IDENTIFY:
            return None
        return identify(self.text, min_probability=_MIN_PROBABILITY)


class _Page:
    """One page under recognition.

    It is read in the expected languages first; where those are of several scripts, the script is asked for before,
    since packs of all of them cost several times the time. Only when that is not sure of itself, script and
    orientation are asked for, and then the other light is tried. A text in a language that none of the packs is made
    for is read once more with its own. What was read best is kept; below a confidence of 45 nothing is: it is a picture
    of something else.
    """

    def __init__(self, picture: Image.Image, document: _Document) -> None:
        self._document = document
        self._picture, self._other_light = picture, _evenly_lit
        if _is_unevenly_lit(picture):
            self._picture, self._other_light = _evenly_lit(picture), lambda _: picture

    def steps(self) -> Steps[Recognised]:
        """Return the text. Raises what goes wrong with the first attempt only."""
        layout = None
        if self._document.script_is_open:
            with contextlib.suppress(TimedOut):
                layout = yield from self._layout()
        layout = layout or _Layout(0, None)
        self._best = yield from self._attempt(layout.degrees, self._document.packs(layout.script))
        with contextlib.suppress(TimedOut, ParserFailed):
            if not self._best.is_sure:
                yield from self._look_closer()
            yield from self._read_in_its_language()
        return self._best.recognised

    def _attempt(self, degrees: int, packs: tuple[str, ...], *, other_light: bool = False) -> Steps["_Attempt"]:
        """Recognise the page turned by so many degrees clockwise."""
        picture = self._other_light(self._picture) if other_light else self._picture
        picture = picture.rotate(-degrees, expand=True, fillcolor=255) if degrees else picture
        table = yield Run(picture, ("-l", "+".join(packs), "--psm", "3", "tsv"))
        return _parse(table, degrees=degrees, packs=packs)

    def _try(self, degrees: int, packs: tuple[str, ...], *, other_light: bool = False) -> Generator[Run, str, bool]:
        """Make another attempt, keep the better one, and say whether that is sure of itself."""
        attempt = yield from self._attempt(degrees, packs, other_light=other_light)
        self._best = max(self._best, attempt, key=lambda each: each.sure_letters)
        return self._best.is_sure

    def _look_closer(self) -> Generator[Run, str, None]:
        """Try other readings, the likeliest first."""
        first = self._best
        layout = yield from self._layout()
        for degrees, script in [(layout.degrees, layout.script)] if layout else _TURNS if first.text else []:
            packs = self._document.packs(script)
            if (degrees, packs) != (first.degrees, first.packs) and (yield from self._try(degrees, packs)):
                return
        yield from self._try(self._best.degrees, self._best.packs, other_light=True)

    def _layout(self) -> Generator[Run, str, _Layout | None]:
        """Ask which way up the page is and in which script; ``None`` when there is too little text to tell."""
        try:
            answer = yield Run(self._picture, ("--psm", "0"))
        except ParserFailed:
            return None
        facts = dict(line.split(": ", 1) for line in answer.splitlines() if ": " in line)
        sure_of_script = float(facts.get("Script confidence", 0)) >= _MIN_SCRIPT_CONFIDENCE
        sure_of_turn = float(facts.get("Orientation confidence", 0)) >= _MIN_TURN_CONFIDENCE
        if not sure_of_turn:
            return None
        return _Layout(int(facts.get("Rotate", 0)), facts.get("Script") if sure_of_script else None)

    def _read_in_its_language(self) -> Generator[Run, str, None]:
        """Read the page once more when its language turns out to be one that no pack was made for."""
        language = self._best.language
        if language and not fits(language, self._best.packs) and (own := packs_of(language, self._document.installed)):
            attempt = yield from self._attempt(self._best.degrees, own)
            # What is sure of itself in the wrong language may be so for accents it does not know.
            if attempt.sure_letters > _NEARLY_AS_SURE * self._best.sure_letters:
                self._best = attempt
        self._document.learn(self._best, language if language and fits(language, self._best.packs) else None)


def _parse(table: str, *, degrees: int, packs: tuple[str, ...]) -> _Attempt:
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
        sure += len(word) if confidence >= GOOD_CONFIDENCE else 0
    text = _BETWEEN_CJK.sub("", "".join(parts).strip())
    return _Attempt(text, round(weighted / letters, 1) if letters else 0.0, int(sure), degrees, packs)


def _enlarged(picture: Image.Image) -> Image.Image:
    """Enlarge a small picture: below about 150 dpi words are lost, and lost words come back (facts-extraction, 3.3)."""
    factor = min(_MAX_UPSCALE, _MIN_LONG_SIDE / max(picture.size))
    if factor <= 1:
        return picture
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _evenly_lit(picture: Image.Image) -> Image.Image:
    """Return black and white, a pixel being black where it is darker than 85 % of the mean around it.

    Smoothed first: a camera's noise in a dark corner is as strong as the print (with it, a line in eight was read).
    """
    picture = picture.filter(ImageFilter.GaussianBlur(_SMOOTHING_RADIUS_PIXELS))
    around = picture.filter(ImageFilter.BoxBlur(_BOX_RADIUS_PIXELS)).point(lambda value: value * _LOCAL_SHARE)
    return ImageChops.subtract(picture, around).point(lambda value: 255 if value else 0)


def _is_unevenly_lit(picture: Image.Image) -> bool:
    """Say whether the paper is much darker here than there; the brightest spot of each part is taken for paper."""
    parts = picture.resize((64, 64), Image.Resampling.BOX).filter(ImageFilter.MaxFilter(15)).resize((8, 8))
    darkest, brightest = parts.getextrema()
    return float(str(brightest)) - float(str(darkest)) > _UNEVEN_GREYS
