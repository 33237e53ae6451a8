"""Cutting pages into chunks: in the embedder's own tokens, at sentence ends, never across pages.

Owns the promise that a chunk, with its prefix and headings, fits the model's window, and that
``page.text[start:end]`` is the chunk. Text that a splitter is slow on (endless words) is cut beforehand; nothing but
blanks is lost.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from semantic_text_splitter import TextSplitter

from ingestion.check import MAX_HEADING_CHARACTERS
from ingestion.limits import CHARACTERS_PER_TOKEN
from ingestion.outline import Heading, Outline
from models.content import MAX_HEADINGS, Chunk, Page
from models.errors import QuotaExceeded
from vectorstore.tokens import TokenCounter

_WORD_CHARACTERS = 2_000
_SECTION_CHARACTERS = 20_000
_ENDLESS_WORD = re.compile(rf"(?<!\S)\S{{{_WORD_CHARACTERS + 1},}}")
# Where an endless word is best cut, if it offers such a place near its end: after a mark that ends or divides a
# sentence.
_DIVIDER = re.compile(r".*[.!?;,:。！？；、，।؟،]", re.DOTALL)
_HEADING_SEPARATOR = " › "
_HEADING_WINDOW_SHARE = 4
# So many more tokens than it was measured to have a chunk may have at the most: one or two at each end and before it.
_TOKENS_AT_ENDS = 8
_REMEMBERED_WORDS = 10_000


def passage(page: Page, chunk: Chunk) -> str:
    """Return what is embedded for a chunk: the headings above it on a line of their own, then its text."""
    text = page.text[chunk.start : chunk.end]
    return f"{_HEADING_SEPARATOR.join(chunk.heading)}\n{text}" if chunk.heading else text


class _Ruler:
    """Counts the tokens of parts of a text that is made into tokens once.

    A splitter asks for the length of many parts of the same text. A part cut inside a word may count a token more or
    less than by itself: who needs it exactly counts the finished chunk.
    """

    def __init__(self, counter: TokenCounter) -> None:
        self._tokenizer = counter.tokenizer
        self._text, self._starts = "", list[int]()

    def lay_on(self, text: str) -> None:
        """Measure this text from now on."""
        self._text = text
        self._starts = self._tokenizer.starts(text)

    def count(self, part: str) -> int:
        """Return about how many tokens a part of the text takes."""
        at = self._text.find(part)
        first = bisect_right(self._starts, at) - 1
        return max(1, bisect_left(self._starts, at + len(part)) - max(0, first))


class Chunker:
    """Cuts normalised pages into chunks of at most ``max_tokens``: prefix, special tokens and headings included.

    The tokens of a part of a text that begins and ends at a blank are those that it has by itself, but for a few at its
    ends: tokenizers take words one by one. Only where the limit is near, or a word was cut, is a chunk counted again.
    """

    def __init__(self, counter: TokenCounter, *, max_tokens: int) -> None:
        room = max_tokens - counter.overhead
        self._counter = counter
        self._max_tokens = max_tokens
        self._heading_room = room // _HEADING_WINDOW_SHARE
        # A splitter that is given a tokenizer keeps a copy of it, and is slower than one that asks the ruler.
        self._ruler = _Ruler(counter)
        self._plain = TextSplitter.from_callback(self._ruler.count, room)
        self._headed = TextSplitter.from_callback(self._ruler.count, room - self._heading_room)

    def remember_words(self) -> None:
        """Count words that come again only once. For a process that ends with the one document it reads."""
        self._counter.tokenizer.remember_words(_REMEMBERED_WORDS)

    def chunks(
        self,
        pages: Sequence[tuple[Page, Outline]],
        *,
        max_chunks: int,
        report: Callable[[int, int], None] = lambda _done, _known: None,
    ) -> tuple[Chunk, ...]:
        """Return all chunks in reading order. ``report`` takes how many pages are done and how many there are.

        Raises ``QuotaExceeded`` as soon as there are more than ``max_chunks``.
        """
        found = list[Chunk]()
        for done, (page, outline) in enumerate(pages, start=1):
            for chunk in self._cut(page, outline):
                found.append(chunk)
                if len(found) > max_chunks:
                    raise QuotaExceeded
            report(done, len(pages))
        return tuple(found)

    def _cut(self, page: Page, outline: Outline) -> Iterator[Chunk]:
        headings = outline.headings
        starts = [heading.start for heading in headings]
        paths = dict[tuple[str, ...], tuple[tuple[str, ...], int]]()
        splitter = self._headed if headings or outline.columns or outline.above else self._plain
        for start, end in _sections(page.text, outline):
            section = page.text[start:end]
            self._ruler.lay_on(section)
            for offset, text in splitter.chunk_indices(section):
                at = start + offset
                before = bisect_left(starts, at)
                own = headings[before].level if before < len(headings) and headings[before].start == at else 7
                above = (*outline.above, *_titles(headings[:before], below=own), outline.columns_at(at))
                if above not in paths:
                    paths[above] = self._path(above)
                path, tokens = paths[above]
                cut = Chunk(page.number, at, at + len(text), path)
                for chunk in self._fitting(page, cut, measured=tokens + self._ruler.count(text)):
                    yield _timed(chunk, outline)

    def _path(self, titles: Sequence[str]) -> tuple[tuple[str, ...], int]:
        """Return the titles that a text stands under, outermost first, and their tokens with prefix and special ones.

        The outermost go first when there is no room.
        """
        path = [title[:MAX_HEADING_CHARACTERS].strip() for title in titles if title.strip()][-MAX_HEADINGS:]
        while path:
            tokens = self._counter.count(_HEADING_SEPARATOR.join(path))
            if tokens - self._counter.overhead < self._heading_room:
                return tuple(path), tokens
            path.pop(0)
        return (), self._counter.overhead

    def _fitting(self, page: Page, chunk: Chunk, *, measured: int | None = None) -> Iterator[Chunk]:
        """Yield the chunk, or, where joining changed the count of its tokens, what of it fits.

        ``measured`` is how many tokens it has by the ruler, with everything before it.
        """
        if chunk.start == chunk.end or not page.text[chunk.start : chunk.end].strip():
            return
        is_long = chunk.end - chunk.start > self._max_tokens * CHARACTERS_PER_TOKEN
        if not is_long and self._fits(page, chunk, measured):
            yield chunk
        elif chunk.heading and not is_long:
            yield from self._fitting(page, Chunk(chunk.page, chunk.start, chunk.end, chunk.heading[1:]))
        elif chunk.end - chunk.start > 1:
            middle = (chunk.start + chunk.end) // 2
            yield from self._fitting(page, Chunk(chunk.page, chunk.start, middle, chunk.heading))
            yield from self._fitting(page, Chunk(chunk.page, middle, chunk.end, chunk.heading))
        else:
            yield chunk

    def _fits(self, page: Page, chunk: Chunk, measured: int | None) -> bool:
        is_clear = measured is not None and measured + _TOKENS_AT_ENDS <= self._max_tokens
        if is_clear and _is_between_blanks(page.text, chunk.start, chunk.end):
            return True
        return self._counter.count(passage(page, chunk)) <= self._max_tokens


def _is_between_blanks(text: str, start: int, end: int) -> bool:
    return (start == 0 or text[start - 1].isspace()) and (end == len(text) or text[end].isspace())


def _titles(above: Sequence[Heading], *, below: int) -> list[str]:
    """Return the titles of the headings that hold for a text below them, outermost first."""
    path, level = list[str](), below
    for heading in reversed(above):
        if heading.level < level:
            path.insert(0, heading.title)
            level = heading.level
    return path


def _timed(chunk: Chunk, outline: Outline) -> Chunk:
    seconds = outline.seconds_of(chunk.start, chunk.end)
    return chunk if seconds is None else msgspec.structs.replace(chunk, seconds=seconds)


def _sections(text: str, outline: Outline) -> Iterator[tuple[int, int]]:
    """Yield ``(start, end)`` of bounded parts without an endless word: the splitter is quick on these."""
    start = 0
    cuts = {*_section_starts(text, outline.headings), *(each.start for each in outline.columns)}
    for section_end in [*sorted(cuts), len(text)]:
        for end in _ends(text, start, section_end):
            if end > start:
                yield start, end
            start = end


def _section_starts(text: str, headings: Sequence[Heading]) -> Iterator[int]:
    """Yield where a heading follows text; a heading right below another stays with it."""
    body = 0
    for heading in headings:
        if text[body : heading.start].strip():
            yield heading.start
        line_end = text.find("\n", heading.start)
        body = len(text) if line_end < 0 else line_end


def _ends(text: str, start: int, stop: int) -> Iterator[int]:
    for word in _endless_words(text, start, stop):
        yield from _bounded(text, start, word.start())
        start = word.start()
        while word.end() - start > _WORD_CHARACTERS:
            divider = _DIVIDER.match(text, start + _WORD_CHARACTERS * 3 // 4, start + _WORD_CHARACTERS)
            start = divider.end() if divider else start + _WORD_CHARACTERS
            yield start
    yield from _bounded(text, start, stop)


def _endless_words(text: str, start: int, stop: int) -> Iterable[re.Match[str]]:
    # Looking for them at every character costs more than all the cutting; most texts have none.
    has_any = any(len(word) > _WORD_CHARACTERS for word in text[start:stop].split())
    return _ENDLESS_WORD.finditer(text, start, stop) if has_any else ()


def _bounded(text: str, start: int, end: int) -> Iterator[int]:
    while end - start > _SECTION_CHARACTERS:
        limit = start + _SECTION_CHARACTERS
        floor = limit - _SECTION_CHARACTERS // 2
        cut = next(
            (at + len(mark) for mark in ("\n\n", "\n", " ") if (at := text.rfind(mark, floor, limit)) >= 0), limit
        )
        yield cut
        start = cut
    yield end
