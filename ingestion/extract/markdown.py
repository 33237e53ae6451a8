"""Markdown taken apart into headings and what stands between them."""

from collections.abc import Iterator

from ingestion.extract.reading import Block
from ingestion.normalise import normalise
from ingestion.outline import markdown_headings


def blocks(text: str) -> Iterator[Block]:
    """Yield the headings, without their marks, and the text between them as it is."""
    text, at = normalise(text), 0
    for heading in markdown_headings(text):
        line_end = text.find("\n", heading.start)
        yield Block(text[at : heading.start])
        yield Block(heading.title, level=heading.level)
        at = len(text) if line_end < 0 else line_end
    yield Block(text[at:])
