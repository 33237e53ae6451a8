"""Which cosines mean that a passage answers a question? The figures behind ``packaged.RELEVANCE``.

    python benchmarks/relevance.py [--json result.json]

For every pair of question language and passage language of XQuAD: the cosine of the right paragraph, of the best wrong
one, and of the best paragraph when the answer is absent (the question meets only the half of the paragraphs that comes
from other articles). Then, for several thresholds, how many right passages pass and how many absent answers do.
"""

import argparse
import gzip
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "retrieval"
LANGUAGES = ("en", "es", "zh", "ar")
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
THRESHOLDS = (0.75, 0.80, 0.85)
sys.path.insert(0, str(ROOT))

from vectorstore.embedder import Embedder, Vectors  # noqa: E402 -- the checkout is on the path only now.


@dataclass(frozen=True, slots=True)
class Corpus:
    """One language: ``right[i]`` is the row of the paragraph that question ``i`` was written for."""

    passages: Vectors
    questions: Vectors
    right: np.ndarray[Any, np.dtype[np.intp]]


@dataclass(frozen=True, slots=True)
class Cosines:
    """One cosine a question, each ``(n_questions,) float32``."""

    right: Vectors
    wrong: Vectors
    absent: Vectors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    result = measure()
    text = json.dumps(result, indent=1)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def measure() -> dict[str, Any]:
    from api.settings import Settings
    from vectorstore import models

    embedder = models.load(models.prepare("packaged", Settings().model_dir), threads=2)
    corpora = {language: load(language, embedder) for language in LANGUAGES}
    pairs = {(asked, held): compare(corpora[asked], corpora[held]) for asked in LANGUAGES for held in LANGUAGES}
    groups = {
        "in one language": [cosines for (asked, held), cosines in pairs.items() if asked == held],
        "across languages": [cosines for (asked, held), cosines in pairs.items() if asked != held],
    }
    by_pair = {f"{asked}:{held}": summarise([cosines]) for (asked, held), cosines in pairs.items()}
    return {name: summarise(group) for name, group in groups.items()} | by_pair


def load(language: str, embedder: Embedder) -> Corpus:
    with gzip.open(DATA / f"xquad.{language}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    passages = [row for row in rows if row["t"] == "d"]
    questions = [row for row in rows if row["t"] == "q"]
    places = {row["id"]: place for place, row in enumerate(passages)}
    with ThreadPoolExecutor(2) as threads:
        asked = list(threads.map(embedder.embed_query, [row["text"] for row in questions]))
    return Corpus(
        passages=embedder.embed_passages([row["text"] for row in passages]),
        questions=np.stack(asked),
        right=np.array([places[row["rel"][0]] for row in questions]),
    )


def compare(asked: Corpus, held: Corpus) -> Cosines:
    cosines = asked.questions @ held.passages.T
    questions, middle = np.arange(len(cosines)), cosines.shape[1] // 2
    right = cosines[questions, asked.right]
    others = cosines.copy()
    others[questions, asked.right] = -1.0
    first_half, second_half = cosines[:, :middle].max(axis=1), cosines[:, middle:].max(axis=1)
    absent = np.where(asked.right < middle, second_half, first_half)
    return Cosines(right, others.max(axis=1), absent)


def summarise(group: list[Cosines]) -> dict[str, Any]:
    right, wrong, absent = (np.concatenate([getattr(one, kind) for one in group]) for kind in Cosines.__slots__)
    return {
        "right first": round(float((right > wrong).mean()), 3),
        "percentiles": {
            name: dict(zip(PERCENTILES, np.percentile(values, PERCENTILES).round(3).tolist(), strict=True))
            for name, values in (("right", right), ("wrong", wrong), ("absent", absent))
        },
        "share that passes": {
            str(threshold): {name: round(float((values >= threshold).mean()), 3) for name, values in kinds}
            for kinds in [(("right", right), ("absent", absent))]
            for threshold in THRESHOLDS
        },
    }


if __name__ == "__main__":
    main()
