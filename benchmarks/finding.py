"""Does it find the right paragraph, and does it say when there is none? XQuAD over HTTP, ours beside peers; and why.

Every paragraph is uploaded as a file of its own, so that no chunk holds two, and a passage counts for the paragraph
that holds its text. Peers have the English paragraphs, asked in all languages: with the weights that all share, filling
them with more takes minutes and tells nothing new. Ours is asked for doubtful passages too, so that the order is
measured; what it would have refused is a row of its own. Without HTTP, meaning alone, words alone and both are
compared over the same paragraphs.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from api.client import Question
from benchmarks import quality
from benchmarks import questions as q
from benchmarks.contest import Contest
from benchmarks.results import OURS, Tally
from benchmarks.size import Size
from benchmarks.systems.ours import Ours, OurShelf
from benchmarks.systems.system import Shelf
from tests.support.library import Upload

TITLE = "Does it find the right paragraph?"
ONE, TWO, POOL = "one language", "two languages", "one pool of all languages"
ABSENT, PRESENT = "refused, its article is not there", "refused, the answer is there"
ENGLISH, ACROSS = "English questions on English paragraphs", "other languages' questions on English paragraphs"
NDCG = "ndcg@10"
_NO_TEXT = re.compile(r"[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
Ranks = list[int | None]


@dataclass(frozen=True, slots=True)
class Sample:
    """One language, cut to the first paragraphs and the questions that they answer."""

    paragraphs: tuple[str, ...]
    questions: tuple[str, ...]
    right: tuple[int, ...]

    def files(self) -> list[Upload]:
        """Return a text file a paragraph, named by its place."""
        return [Upload(f"{at}.txt", "text/plain", text.encode()) for at, text in enumerate(self.paragraphs)]

    def rank(self, texts: Sequence[str], right: int) -> int | None:
        """Return the place, from 0, at which texts of the right paragraph came; ``None`` when none did."""
        found = q.consecutive([self._place(_plain(text)) for text in texts])
        return found.index(right) if right in found else None

    def _place(self, plain: str) -> int:
        return next((at for at, whole in enumerate(_plain_all(self.paragraphs)) if plain in whole), -1)


def sample(language: str, size: Size) -> Sample:
    """Return one language as far as a size goes."""
    whole = q.load(language, size.question_step, size.paragraphs)
    return Sample(whole.paragraphs, whole.questions, tuple(int(at) for at in whole.right))


def measure(size: Size, tally: Tally) -> None:
    """Note the rows, ours over HTTP first."""
    contest = Contest(tally)
    try:
        for system in contest:
            with contest.trying(system, "quality"):
                system.start()
                if isinstance(system, Ours):
                    _ours(system, size, tally)
                else:
                    _peer(system.name, system.shelf(), size, tally)
                system.stop()
    finally:
        contest.stop()
    _without_http(size, tally)


def measure_name(measure: str, which: str, paragraphs: int) -> str:
    """Return what a row is called."""
    return f"{measure}, {which}, {paragraphs} paragraphs"


def note(tally: Tally, system: str, which: str, found: dict[str, float], paragraphs: int) -> None:
    """Note nDCG and recall of one system."""
    for measure, value in found.items():
        tally.note(measure_name(measure, which, paragraphs), system, value, "share", better="higher")


def _ours(system: Ours, size: Size, tally: Tally) -> None:
    samples = {language: sample(language, size) for language in q.LANGUAGES}
    shelves = {language: system.shelf() for language in q.LANGUAGES}
    for language, shelf in shelves.items():
        shelf.upload(samples[language].files())
    ranks, refused = dict[tuple[str, str], Ranks](), dict[tuple[str, str], float]()
    for held, shelf in shelves.items():
        for asked in q.LANGUAGES:
            ranks[asked, held], refused[asked, held] = _asked(shelf, samples[asked], samples[held])
    for which, pairs in _pairs().items():
        note(tally, OURS, which, q.mean([q.measures(ranks[pair]) for pair in pairs]), size.paragraphs)
        tally.note(f"{PRESENT}, {which}", OURS, sum(refused[pair] for pair in pairs) / len(pairs), "share")
    for language in q.LANGUAGES:
        found = {NDCG: q.measures(ranks[language, language])[NDCG]}
        note(tally, OURS, f"one language, {language}", found, size.paragraphs)
    note(tally, OURS, ENGLISH, q.measures(ranks["en", "en"]), size.paragraphs)
    across = [q.measures(ranks[asked, "en"]) for asked in q.LANGUAGES if asked != "en"]
    note(tally, OURS, ACROSS, q.mean(across), size.paragraphs)
    for which, pairs in _pairs().items():
        absent = [_absent(shelves[held], samples[asked]) for asked, held in pairs]
        tally.note(f"{ABSENT}, {which}", OURS, sum(absent) / len(absent), "share", better="higher")


def _pairs() -> dict[str, list[tuple[str, str]]]:
    every = [(asked, held) for held in q.LANGUAGES for asked in q.LANGUAGES]
    return {ONE: [pair for pair in every if pair[0] == pair[1]], TWO: [pair for pair in every if pair[0] != pair[1]]}


def _asked(shelf: OurShelf, asked: Sample, held: Sample) -> tuple[Ranks, float]:
    """Return the ranks, and the share of questions that would have been refused although each has its answer there."""
    ranks, refused = Ranks(), 0
    for text, right in zip(asked.questions, asked.right, strict=True):
        answer = shelf.session.ask(Question(text=text, top_k=quality.K, doubtful=True))
        ranks.append(held.rank([passage.text for passage in answer.passages], right))
        refused += answer.nothing_relevant
    return ranks, refused / len(ranks)


def _absent(shelf: OurShelf, asked: Sample) -> float:
    """Return the share of questions that are refused when only documents outside their article may answer."""
    refused, articles = 0, len(asked.paragraphs) // q.ARTICLE_PARAGRAPHS
    assert articles > 1, "no other article is there"
    for text, right in zip(asked.questions, asked.right, strict=True):
        others = [
            document
            for at, document in enumerate(shelf.documents)
            if at // q.ARTICLE_PARAGRAPHS != right // q.ARTICLE_PARAGRAPHS
        ]
        refused += shelf.session.ask(Question(text=text, document_ids=tuple(others))).nothing_relevant
    return refused / len(asked.questions)


def _peer(name: str, shelf: Shelf, size: Size, tally: Tally) -> None:
    samples = {language: sample(language, size) for language in q.LANGUAGES}
    held = samples["en"]
    shelf.upload(held.files())
    caller, found = shelf.caller(), dict[str, dict[str, float]]()
    for language, asked in samples.items():
        ranks = [
            held.rank(caller.ask(text, results=quality.K), right)
            for text, right in zip(asked.questions, asked.right, strict=True)
        ]
        found[language] = q.measures(ranks)
    note(tally, name, ENGLISH, found.pop("en"), size.paragraphs)
    note(tally, name, ACROSS, q.mean(list(found.values())), size.paragraphs)


def _without_http(size: Size, tally: Tally) -> None:
    found, paragraphs = quality.in_process(size.question_step, size.paragraphs), size.paragraphs
    for which in (ONE, TWO, POOL):
        for name, measures in found[which].items():
            note(tally, f"{name}, without HTTP", which, measures, paragraphs)
    for language in q.LANGUAGES:
        for name, measures in found["each"][f"{language}:{language}"].items():
            note(tally, f"{name}, without HTTP", f"one language, {language}", {NDCG: measures[NDCG]}, paragraphs)


@cache
def _plain_all(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(_plain, texts))


def _plain(text: str) -> str:
    return _NO_TEXT.sub("", unicodedata.normalize("NFKC", text))
