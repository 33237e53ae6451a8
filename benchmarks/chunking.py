"""How long a chunk should be, and what is embedded for it: quality beside the tokens that ingest pays for.

    python -m benchmarks.run --only chunking --output build/bench/chunking

XQuAD as one book a language, 48 articles of five paragraphs, printed on pages that end in the middle of a paragraph, as
pages do. The service's own chunker cuts it, its own collection searches it. A chunk is right when half of it lies in
the paragraph that the question was written for, or half of that paragraph in it: this favours large chunks, which hold
more. So there is a second measure, the share of the right paragraph that is read within 600 tokens of the best chunks,
which favours small ones. Costs are tokens, which do not depend on who else uses the machine.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, product
from typing import Literal

import msgspec
import numpy as np

from api.settings import Settings
from benchmarks import questions as q
from benchmarks.results import Tally
from benchmarks.size import Size
from ingestion.chunk import Chunker, passage
from ingestion.outline import Outline
from models.content import Chunk, Extraction, Page
from vectorstore import models
from vectorstore.collection import Collection
from vectorstore.embedder import Vectors
from vectorstore.held import Hit
from vectorstore.ranking import words_of
from vectorstore.sentences import pack_vectors, split
from vectorstore.tokens import TokenCounter

TITLE = "Cutting: quality beside tokens embedded"
K, CANDIDATES, BUDGET_TOKENS = 10, 60, 600
_PAGE_CHARACTERS = {"zh": 600}
_MANY_CHUNKS = 100_000
Span = tuple[int, int]
Meaning = Literal["chunk", "mean of sentences"]
# Of the articles, in their order, as one would head a chapter about them.
TITLES = (
    "Super Bowl 50", "Warsaw", "Normans", "Nikola Tesla", "Computational complexity theory", "Teacher", "Martin Luther",
    "Southern California", "Sky satellite television", "Victoria, Australia", "Huguenots", "Steam engine", "Oxygen",
    "1973 oil crisis", "Apollo program", "European Union law", "Amazon rainforest", "Ctenophora", "Fresno, California",
    "Packet switching", "Black Death", "Geology", "Newcastle upon Tyne", "Victoria and Albert Museum",
    "American Broadcasting Company", "Genghis Khan", "Pharmacy", "Immune system", "Civil disobedience", "Construction",
    "Private school", "Harvard University", "Jacksonville, Florida", "Economic inequality", "Doctor Who",
    "University of Chicago", "Yuan dynasty", "Kenya", "Intergovernmental Panel on Climate Change", "Chloroplast",
    "Prime number", "Rhine", "Scottish Parliament", "Islamism", "Imperialism", "United Methodist Church",
    "French and Indian War", "Force",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Way:
    """One way to cut and to embed. ``overlap`` is the share of a chunk that it begins before the last one's end."""

    tokens: int = 224
    overlap: float = 0.0
    crosses_pages: bool = False
    titled: bool | None = None
    meaning: Meaning = "chunk"
    best_sentence: bool = False

    @property
    def name(self) -> str:
        """What tells it from the others, in words."""
        titles = {None: "", True: ", under a title", False: ", title left out"}[self.titled]
        return (
            f"{self.tokens} tokens"
            + (f", overlap {self.overlap:.0%}" if self.overlap else "")
            + (", pages crossed" if self.crosses_pages else "")
            + titles
            + ("" if self.meaning == "chunk" else f", {self.meaning}")
            + (", best sentence" if self.best_sentence else "")
        )


WAYS = (
    *(Way(tokens) for tokens in (128, 200, 224, 256, 350, 480)),
    *(Way(224, overlap=share) for share in (0.1, 0.2)),
    *(Way(tokens, crosses_pages=True) for tokens in (224, 350)),
    *(Way(tokens, meaning="mean of sentences") for tokens in (128, 224, 350)),
    *(Way(224, meaning=meaning, best_sentence=True) for meaning in ("chunk", "mean of sentences")),
)
# In English only: the titles are.
TITLED = (
    Way(crosses_pages=True, titled=True),
    Way(crosses_pages=True, titled=False),
    Way(350, crosses_pages=True, titled=True),
)


@dataclass(frozen=True, slots=True)
class Book:
    """One language's material: pages with the offset at which each begins, and where each paragraph lies."""

    pages: tuple[Page, ...]
    offsets: tuple[int, ...]
    paragraphs: tuple[Span, ...]

    def span(self, page: int, start: int, end: int) -> Span:
        """Return where a part of a page lies in the book."""
        return self.offsets[page - 1] + start, self.offsets[page - 1] + end


@cache
def book(language: str, *, crosses_pages: bool) -> Book:
    """Print a language's articles: on pages of equal length, or each article on one."""
    text, spans, articles = "", list[Span](), list[int]()
    for number, paragraph in enumerate(q.load(language).paragraphs):
        if number % q.ARTICLE_PARAGRAPHS == 0:
            articles.append(len(text))
        spans.append((len(text), len(text) + len(paragraph)))
        text += paragraph + "\n\n"
    starts = articles if crosses_pages else list(_page_starts(text, _PAGE_CHARACTERS.get(language, 1800)))
    pages = tuple(Page(number, text[a:b]) for number, (a, b) in enumerate(pairwise([*starts, len(text)]), 1))
    return Book(pages, tuple(starts), tuple(spans))


def _page_starts(text: str, characters: int) -> Iterator[int]:
    start = 0
    while start < len(text):
        yield start
        stop = start + characters
        blank = text.rfind(" ", start, stop) + 1
        start = blank if blank > start + characters // 2 and stop < len(text) else stop


@cache
def _counter() -> TokenCounter:
    prepared = models.prepare("packaged", Settings().model_dir)
    return TokenCounter(models.tokenizer_file(prepared), prefix=prepared.card.passage_prefix)


def cut(printed: Book, way: Way) -> tuple[Chunk, ...]:
    """Cut a book as the service does; what overlaps is cut shorter first and then begun earlier."""
    pages = [(page, _outline(page, way)) for page in printed.pages]
    chunker = Chunker(_counter(), max_tokens=round(way.tokens * (1 - way.overlap)))
    chunks = chunker.chunks(pages, max_chunks=_MANY_CHUNKS)
    return tuple(_begun_earlier(printed.pages[chunk.page - 1], chunk, way) for chunk in chunks)


def _outline(page: Page, way: Way) -> Outline:
    return Outline(above=(TITLES[page.number - 1],)) if way.titled else Outline()


def _begun_earlier(page: Page, chunk: Chunk, way: Way) -> Chunk:
    if not way.overlap or chunk.start == 0:
        return chunk
    before = _counter().tokenizer.starts(page.text[: chunk.start])
    return msgspec.structs.replace(chunk, start=before[-min(len(before), round(way.tokens * way.overlap))])


class Made:
    """A language's book, cut, embedded and ready to be asked."""

    def __init__(self, language: str, way: Way) -> None:
        self.book = book(language, crosses_pages=way.crosses_pages)
        self.chunks = cut(self.book, way)
        self.tokens = 0
        whole = self._vectors([passage(self.book.pages[chunk.page - 1], chunk) for chunk in self.chunks])
        spans = [self._sentences(chunk) for chunk in self.chunks]
        sentences = None
        if way.meaning != "chunk" or way.best_sentence:
            texts = [self._text(chunk, span) for chunk, own in zip(self.chunks, spans, strict=True) for span in own]
            rows = self._vectors(texts)
            sentences = pack_vectors([len(own) for own in spans], rows)
            if way.meaning == "mean of sentences":
                self.tokens = self._tokens(texts)
                whole = _means(rows, [len(own) for own in spans])
        self._collection = Collection(q.embedder().card, max_chunks=_MANY_CHUNKS)
        extraction = Extraction("text/plain", self.book.pages, self.chunks, language)
        self._collection.add("book", extraction, whole, sentences=sentences if way.best_sentence else None)
        self._collection.publish("book")

    def search(self, text: str, vector: Vectors) -> list[Hit]:
        """Return the best chunks, best first."""
        return self._collection.search(vector, CANDIDATES, words=words_of(text))

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        self.tokens += self._tokens(texts)
        return _embedded(texts)

    def _sentences(self, chunk: Chunk) -> list[Span]:
        text = self.book.pages[chunk.page - 1].text[chunk.start : chunk.end]
        return [(chunk.start + start, chunk.start + end) for start, end in split(text)]

    def _text(self, chunk: Chunk, span: Span) -> str:
        return self.book.pages[chunk.page - 1].text[slice(*span)]

    @staticmethod
    def _tokens(texts: Sequence[str]) -> int:
        return sum(_counter().count(text) for text in texts)


_KNOWN = dict[str, Vectors]()


def _embedded(texts: Sequence[str]) -> Vectors:
    """Embed each text once a run."""
    new = [text for text in dict.fromkeys(texts) if text not in _KNOWN]
    _KNOWN.update(zip(new, q.embedder().embed_passages(new), strict=True))
    return np.stack([_KNOWN[text] for text in texts])


def _means(rows: Vectors, counts: Sequence[int]) -> Vectors:
    firsts = np.cumsum([0, *counts[:-1]])
    sums = np.add.reduceat(rows, firsts, axis=0)
    return (sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32)


def asked(made: Made, asking: str, step: int) -> dict[str, float]:
    """Ask one language's questions of a book; return the measures."""
    ranks, read = list[int | None](), list[float]()
    questions = q.load(asking, step)
    rows = zip(questions.questions, q.question_vectors(asking, step), questions.right, strict=True)
    for text, vector, right in rows:
        hits = made.search(text, vector)
        spans = [made.book.span(hit.page, hit.start, hit.end) for hit in hits]
        target = made.book.paragraphs[int(right)]
        ranks.append(next((rank for rank, span in enumerate(spans) if _is_right(span, target)), None))
        read.append(_read(hits, spans, target))
    return q.measures(ranks) | {"read": round(float(np.mean(read)), 4)}


def _is_right(span: Span, target: Span) -> bool:
    return _common(span, target) * 2 >= min(span[1] - span[0], target[1] - target[0])


def _common(one: Span, other: Span) -> int:
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))


def _read(hits: Sequence[Hit], spans: Sequence[Span], target: Span) -> float:
    """Return the share of the target that stands in the best chunks, as many as fit the budget whole."""
    seen = np.zeros(target[1] - target[0], np.bool_)
    left = BUDGET_TOKENS
    for hit, span in zip(hits, spans, strict=True):
        left -= len(_counter().tokenizer.starts(hit.text))
        if left < 0:
            break
        seen[max(0, span[0] - target[0]) : max(0, span[1] - target[0])] = True
    return float(seen.mean())


def measure(size: Size, tally: Tally) -> None:
    """Note quality in one language and in two, what is read, and the tokens embedded for it."""
    languages = ("en", "zh") if size.name == "tiny" else q.LANGUAGES
    step = {"full": 1, "small": q.STEP}.get(size.name, 16)
    for way in WAYS:
        _note(tally, way, languages, step)
    for way in TITLED:
        _note(tally, way, ("en",), step)


def _note(tally: Tally, way: Way, languages: Sequence[str], step: int) -> None:
    made = {language: Made(language, way) for language in languages}
    found = {(asking, held): asked(made[held], asking, step) for asking, held in product(languages, repeat=2)}
    one = [marks for (asking, held), marks in found.items() if asking == held]
    two = [marks for (asking, held), marks in found.items() if asking != held]
    tokens = sum(each.tokens for each in made.values())
    chunks = sum(len(each.chunks) for each in made.values())
    kinds = (("one language", one), ("two languages", two)) if two else (("English only", one),)
    shown = list[str]()
    for kind, marks in kinds:
        mean = q.mean(marks)
        for name, unit in (("ndcg@10", "nDCG"), ("recall@1", "share"), ("recall@5", "share"), ("read", "share")):
            tally.note(f"{kind}, {name}", way.name, mean[name], unit, better="higher")
            shown.append(f"{mean[name]:.3f}")
    tally.note(f"tokens embedded, {kinds[0][0]}", way.name, tokens, "tokens", chunks=chunks)
    print(f"{way.name}: {' '.join(shown)} {tokens} tokens", file=sys.stderr, flush=True)
