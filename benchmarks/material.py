"""What is uploaded, embedded and asked: the same for every system."""

import gzip
import json
from functools import cache
from pathlib import Path

from tests.support import library
from tests.support.library import Upload

# Question-and-answer sets beside the checkout; where they are missing, our own small texts are repeated.
DATA = Path(__file__).resolve().parents[2] / "shared" / "retrieval"
_PARAGRAPHS_A_DOCUMENT = 2
_PAGES_A_FILE = 500


@cache
def paragraphs(language: str) -> tuple[str, ...]:
    """Return paragraphs of some 200 tokens of a language (ISO 639-1)."""
    file = DATA / f"xquad.{language}.jsonl.gz"
    if not file.exists():
        own = {"zh": library.CHINESE, "fr": library.FRENCH, "ja": library.JAPANESE}.get(language, library.ENGLISH)
        return tuple(" ".join(own[start:] + own[:start])[:900] for start in range(len(own)))
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return tuple(row["text"] for row in map(json.loads, lines) if row["t"] == "d")


def passages(count: int) -> list[str]:
    """Return that many paragraphs, evenly from English, Spanish, Chinese and Arabic."""
    every = [text for language in ("en", "es", "zh", "ar") for text in paragraphs(language)]
    return every[:: max(1, len(every) // count)][:count]


def documents(count: int, *, language: str = "en") -> list[Upload]:
    """Return that many plain texts of two paragraphs each, no two alike."""
    texts = paragraphs(language)
    return [
        library.text(
            (f"{number}.", *(texts[(number * 7 + step) % len(texts)] for step in range(_PARAGRAPHS_A_DOCUMENT))),
            name=f"{language}-{number}.txt",
        )
        for number in range(count)
    ]


def book(pages: int) -> Upload:
    """Return a PDF with a text layer, a paragraph or two of English a page."""
    texts = paragraphs("en")
    return library.pdf([f"Page {number}. {texts[number % len(texts)]}" for number in range(1, pages + 1)])


def shelf(chunks: int) -> list[Upload]:
    """Return PDFs with one short sentence a page, so that every system makes just that many chunks of them."""
    pages = [sentence(number) for number in range(chunks)]
    parts = range(0, chunks, _PAGES_A_FILE)
    return [library.pdf(pages[start : start + _PAGES_A_FILE], name=f"shelf-{start}.pdf") for start in parts]


def sentence(number: int) -> str:
    """Return a statement that only one page of a shelf makes."""
    colours = ("red", "green", "blue", "grey", "black", "white", "brown")
    beasts = ("heron", "otter", "beetle", "falcon", "salmon", "badger", "spider", "lizard", "rabbit", "weasel", "toad")
    return f"Cabinet {number} holds a {colours[number % 7]} {beasts[number % 11]} of {1700 + number}."


def question(number: int, chunks: int = 1_000) -> str:
    """Return a question that one sentence of a shelf of so many chunks answers.

    No two numbers give the same: rag_api keeps the vectors of the last questions.
    """
    cabinet = number % chunks
    return f"Visitor {number} asks: what animal does cabinet {cabinet} hold, and of which year is it?"
