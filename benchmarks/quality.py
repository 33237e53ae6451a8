"""Does it find the right paragraph? nDCG@10 and recall of the service's own search, on XQuAD.

    python -m benchmarks.quality [--step 4] [--http]

By itself it fills real collections, a paragraph a chunk, and compares meaning alone, words alone, and both fused: in
one language, for every pair of question and passage language, and over all languages in one pool. With ``--http`` it
runs a service, uploads a book a language, a paragraph a page, and asks over HTTP: chunks are the service's own.
Doubtful passages are asked for too, so that the order is measured; how many questions would have got "nothing
relevant", although each has its answer there, is told beside it.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from api.client import Client, LearnerSession, Question, SignUp
from benchmarks import questions as q
from benchmarks.machine import describe
from tests.support import office
from tests.support.service import running
from vectorstore.collection import Collection
from vectorstore.embedder import Vectors
from vectorstore.held import Hit
from vectorstore.ranking import NO_WORDS, words_of

K = 10
Search = Callable[[str, np.ndarray], Sequence[Hit]]
# Where meaning is to say nothing.
_NOWHERE = np.zeros(384, np.float32)


def collection_of(languages: Sequence[str], paragraphs: int) -> Collection:
    """Return a collection with one document a language, named by it."""
    made = Collection(q.embedder().card)
    for language in languages:
        vectors, sentences = q.paragraph_vectors(language, paragraphs)
        made.add(language, q.load(language, q.STEP, paragraphs).extraction(), vectors, sentences=sentences)
        made.publish(language)
    return made


def systems(made: Collection) -> dict[str, Search]:
    """Return the ways to search one collection."""
    return {
        "meaning": lambda _text, vector: made.search(vector, K, words=NO_WORDS),
        "words": lambda text, _vector: [hit for hit in made.search(_NOWHERE, K, words=words_of(text)) if hit.coverage],
        "fused": lambda text, vector: made.search(vector, K, words=words_of(text)),
    }


def judged(search: Search, asked: q.Questions, vectors: Vectors, held: str) -> dict[str, float]:
    """Ask one language's questions; what is right is the paragraph with the same number in the other."""
    ranks: list[int | None] = []
    for text, vector, right in zip(asked.questions, vectors, asked.right, strict=True):
        found = [(hit.document_id, hit.page - 1) for hit in search(text, vector)]
        ranks.append(found.index((held, int(right))) if (held, int(right)) in found else None)
    return q.measures(ranks)


def in_process(step: int, paragraphs: int = q.PARAGRAPHS) -> dict[str, Any]:
    """Measure every way to search, in one language, across languages, and over one pool of all languages."""
    alone = {language: systems(collection_of([language], paragraphs)) for language in q.LANGUAGES}
    together = systems(collection_of(q.LANGUAGES, paragraphs))
    names = list(together)

    def judge(search: Search, asked: str, held: str) -> dict[str, float]:
        questions, vectors = q.load(asked, step, paragraphs), q.question_vectors(asked, step, paragraphs)
        return judged(search, questions, vectors, held)

    pairs = [(asked, held) for asked in q.LANGUAGES for held in q.LANGUAGES]
    by_pair = {
        f"{asked}:{held}": {name: judge(alone[held][name], asked, held) for name in names} for asked, held in pairs
    }
    mixed = {f"{one}:all": {name: judge(together[name], one, one) for name in names} for one in q.LANGUAGES}
    return summarised(by_pair, names) | {
        "one pool of all languages": _means([mixed[key] for key in mixed], names),
        "each": by_pair | mixed,
    }


def summarised(by_pair: dict[str, dict[str, dict[str, float]]], names: list[str]) -> dict[str, Any]:
    """Return the means within one language and across languages."""
    mono = [by_pair[f"{one}:{one}"] for one in q.LANGUAGES]
    cross = [found for key, found in by_pair.items() if key[:2] != key[3:]]
    return {"one language": _means(mono, names), "two languages": _means(cross, names)}


def _means(found: list[dict[str, dict[str, float]]], names: list[str]) -> dict[str, dict[str, float]]:
    return {name: q.mean([one[name] for one in found]) for name in names}


# --- over HTTP -------------------------------------------------------------------------------------------------------


def over_http(step: int) -> dict[str, Any]:
    """Measure what a client of the service gets."""
    with running() as service, Client(service.url, timeout_seconds=600) as client:
        wish = SignUp(username="quality", email="quality@example.org", password="correct horse battery")  # noqa: S106
        client.sign_up(wish)
        with client.sign_in(wish.email, wish.password) as session:
            books = {language: _uploaded(session, language) for language in q.LANGUAGES}
            by_pair = {
                f"{asked}:{held}": {"service": _asked(session, asked, books[held], step)}
                for asked in q.LANGUAGES
                for held in q.LANGUAGES
            }
    return summarised(by_pair, ["service"]) | {"each": by_pair}


def _uploaded(session: LearnerSession, language: str) -> str:
    """Upload a book with a paragraph a page; return its id."""
    content = office.book({
        f"{number}.xhtml": f"<html><body><p>{_escaped(text)}</p></body></html>"
        for number, text in enumerate(q.load(language).paragraphs)
    })  # fmt: skip
    (document,) = session.upload((f"{language}.epub", content, "application/epub+zip"))
    ready = session.wait(document.document_id)
    assert (ready.status, ready.pages) == ("ready", len(q.load(language).paragraphs)), (ready.error, ready.pages)
    return document.document_id


def _asked(session: LearnerSession, language: str, document_id: str, step: int) -> dict[str, float]:
    ranks: list[int | None] = []
    refused = 0
    questions = q.load(language, step)
    for text, right in zip(questions.questions, questions.right, strict=True):
        answer = session.ask(Question(text=text, top_k=K, document_ids=(document_id,), doubtful=True))
        pages = q.consecutive([passage.page for passage in answer.passages])
        ranks.append(pages.index(right + 1) if right + 1 in pages else None)
        refused += answer.nothing_relevant
    return q.measures(ranks) | {"nothing relevant": round(refused / len(ranks), 4)}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=int, default=q.STEP, help="ask every so-many-th question")
    parser.add_argument("--http", action="store_true", help="through a running service instead of by itself")
    arguments = parser.parse_args()
    result = over_http(arguments.step) if arguments.http else in_process(arguments.step)
    result |= {"every so-many-th question": arguments.step, "machine": describe()}
    print(msgspec.json.format(json.dumps(result), indent=1))


if __name__ == "__main__":
    main()
