"""Which evidence means that a passage answers a question? The figures behind ``packaged.RELEVANCE``.

    python -m benchmarks.relevance [--step 4] [--json result.json]

Every question of XQuAD is asked three times: with its paragraph there; with that one paragraph taken away, so that four
others of its article stay; and with its whole article taken away. Thresholds are set on the even articles, at 3 % of
the questions that have an answer, and judged on the odd ones. ``in other words`` are our own questions, which share few
words with their paragraph and set no threshold. ``now`` judges all questions by the card's own bands. ``by size`` does
so in one language for sessions of a few articles, chosen at random by a fixed seed, with and without the right
paragraph, through the very judge that answers questions.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import questions as q
from benchmarks.machine import describe
from benchmarks.paraphrases import ASKED, Asked
from vectorstore import lexical
from vectorstore.embedder import Vectors
from vectorstore.fuse import Scores
from vectorstore.ranking import mixed
from vectorstore.relevance import allowance
from vectorstore.sentences import SentenceVectors
from vectorstore.terms import terms_of

PAIRS = [(asked, held) for asked in q.LANGUAGES for held in q.LANGUAGES]
REFUSED = 3  # per cent of the questions that have an answer
PARAPHRASED = [(asked, held) for asked in Asked._fields for held in q.LANGUAGES]
WEIGHTS = (0.0, 0.05, 0.12, 0.2, 0.3)
SIZES = (5, 10, 20, 40, 80, 160, 235)


@dataclass(frozen=True, slots=True)
class Case:
    """One pair of languages: cosines and coverages, ``(n_questions, n_paragraphs) float32``, and what is right.

    A cosine is a hit's: by the whole paragraph and by its best sentence.
    """

    cosines: Scores
    coverages: Scores
    right: NDArray[np.intp]

    def best(self, kind: str, weight: float) -> Scores:
        """Return the most evidence any paragraph has, ``(n_questions,)``; ``kind`` says what is taken away."""
        there = np.ones_like(self.cosines, np.bool_)
        if kind == "paragraph away":
            there[np.arange(len(self.right)), self.right] = False
        if kind == "article away":
            articles = np.arange(self.cosines.shape[-1]) // q.ARTICLE_PARAGRAPHS
            there = articles[None] != (self.right // q.ARTICLE_PARAGRAPHS)[:, None]
        return np.where(there, self.cosines + weight * self.coverages, -1).max(axis=1)


def case(asked: str, held: str, step: int) -> Case:
    """Embed what is needed of a pair of languages."""
    questions = q.load(asked, step)
    return _case(questions.questions, q.question_vectors(asked, step), held, questions.right)


def paraphrased(asked: str, held: str) -> Case:
    """Embed our own questions in one language."""
    texts = [getattr(each, asked) for each in ASKED.values()]
    return _case(texts, q.searched_with(texts), held, np.array(list(ASKED)))


def _case(texts: Sequence[str], vectors: Vectors, held: str, right: NDArray[np.intp]) -> Case:
    postings, whole = lexical.index(q.load(held).paragraphs), q.paragraph_vectors(held)
    coverages = [lexical.coverage([postings], terms_of(text))[0] for text in texts]
    return Case(np.stack([likeness(whole, vector) for vector in vectors]), np.stack(coverages), right)


def likeness(paragraphs: tuple[Vectors, SentenceVectors], vector: Vectors) -> Scores:
    """Return what a hit's cosine would be for each paragraph, ``(n_paragraphs,) float32``."""
    means, sentences = paragraphs
    return mixed(means @ vector, [(sentences, place) for place in range(len(means))], vector)


def judged(cases: list[Case], others: list[Case], weight: float) -> dict[str, float]:
    """Set a threshold on one half of the articles; tell what it refuses in the other half, and of ``others``."""
    odd = np.concatenate([(one.right // q.ARTICLE_PARAGRAPHS) % 2 == 1 for one in cases])
    kinds = {name: np.concatenate([one.best(name, weight) for one in cases]) for name in ("there", *ABSENT)}
    threshold = float(np.percentile(kinds["there"][~odd], REFUSED))
    return (
        {"threshold": round(threshold, 4)}
        | {name: round(float((values[odd] < threshold).mean()), 3) for name, values in kinds.items()}
        | {f"in other words, {name}": share for name, share in now(others, threshold, weight).items()}
    )


ABSENT = ("paragraph away", "article away")


def now(cases: list[Case], threshold: float, weight: float) -> dict[str, float]:
    """Tell what a threshold refuses of all questions."""
    return {
        name: round(float(np.mean([np.mean(one.best(name, weight) < threshold) for one in cases])), 3)
        for name in ("there", *ABSENT)
    }


def in_a_session(language: str, step: int, size: int) -> tuple[list[float], list[float]]:
    """Return the most evidence without the answer, and that of the right paragraph, in sessions of so many."""
    asked, (means, sentences) = q.load(language, step), q.paragraph_vectors(language)
    weight, draw = q.embedder().card.evidence_weight, np.random.default_rng(size)
    absent, right = list[float](), list[float]()
    for text, vector, answer in zip(asked.questions, q.question_vectors(language, step), asked.right, strict=True):
        articles = draw.permutation(
            np.delete(np.arange(len(means) // q.ARTICLE_PARAGRAPHS), answer // q.ARTICLE_PARAGRAPHS)
        )
        others = (articles[:, None] * q.ARTICLE_PARAGRAPHS + np.arange(q.ARTICLE_PARAGRAPHS)).ravel()
        for places, kept in ((others[:size], absent), (np.append(answer, others[: size - 1]), right)):
            covered = lexical.coverage([lexical.index([asked.paragraphs[at] for at in places])], terms_of(text))[0]
            likely = mixed(means[places] @ vector, [(sentences, int(place)) for place in places], vector)
            evidence = likely + weight * covered
            kept.append(float(evidence.max() if kept is absent else evidence[0]))
    return absent, right


def by_size(step: int) -> dict[str, dict[str, float]]:
    """Tell for sessions of several sizes what the judge refuses, and below what nine in ten of the absent lie."""
    found = dict[str, dict[str, float]]()
    card = q.embedder().card
    for size in SIZES:
        pairs = [in_a_session(language, step, size) for language in q.LANGUAGES]
        absent, right = (np.array([each for pair in pairs for each in pair[kind]]) for kind in (0, 1))
        threshold = card.relevance.medium - allowance(card, size)
        found[str(size)] = {
            "threshold": round(threshold, 3),
            "nine in ten of the absent": round(float(np.percentile(absent, 90)), 3),
            "there": round(float(np.mean(right < threshold)), 3),
            "article away": round(float(np.mean(absent < threshold)), 3),
        }
    return found


def measure(step: int) -> dict[str, Any]:
    """Compare weights of the words within one language and across languages, and judge the card's bands."""
    cases = {pair: case(*pair, step) for pair in PAIRS}
    one = [found for (asked, held), found in cases.items() if asked == held]
    two = [found for (asked, held), found in cases.items() if asked != held]
    own = {pair: paraphrased(*pair) for pair in PARAPHRASED}
    own_one = [found for (asked, held), found in own.items() if asked == held]
    own_two = [found for (asked, held), found in own.items() if asked != held]
    card = q.embedder().card
    weight, low, across = card.evidence_weight, card.relevance.medium, card.relevance_across.medium
    return {
        "one language": {str(each): judged(one, own_one, each) for each in WEIGHTS},
        "two languages": {str(each): judged(two, own_two, each) for each in WEIGHTS},
        "now": {
            "one language": now(one, low, weight),
            "two languages": now(two, across, weight),
            "in other words, one language": now(own_one, low, weight),
            "in other words, two languages": now(own_two, across, weight),
        }
        | {
            f"{asked}:{held}": now([found], low if asked == held else across, weight)
            for (asked, held), found in cases.items()
        },
        "by size": by_size(2 * step),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=int, default=q.STEP, help="ask every so-many-th question")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    text = json.dumps(measure(arguments.step) | {"machine": describe()}, indent=1)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
