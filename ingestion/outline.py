"""From an extractor's blocks to one page of normalised text, and an outline whose offsets are true to it.

Owns how blocks are joined. Nothing measures an offset before normalising, so none can be off after it.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ingestion.check import MAX_LABEL_CHARACTERS
from ingestion.extract.reading import Block, RawPage
from ingestion.normalise import normalise
from models.content import Page

_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(\S.*?)[ \t]*#*$")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: where it starts, its level (1 is the highest) and its title on one line."""

    start: int
    level: int
    title: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Columns:
    """From ``start`` on, text stands under this row of column names; none when it is empty."""

    start: int
    names: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cue:
    """``[start:end]`` is spoken from and to these seconds."""

    start: int
    end: int
    seconds: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Outline:
    """What is known of a page beyond its text: headings, column names and cues in order; and what it stands under."""

    headings: tuple[Heading, ...] = ()
    columns: tuple[Columns, ...] = ()
    cues: tuple[Cue, ...] = ()
    above: tuple[str, ...] = field(default=(), repr=False)

    def columns_at(self, offset: int) -> str:
        """Return the column names that the text at an offset stands under, or nothing."""
        at = bisect_right(self.columns, offset, key=lambda each: each.start)
        return self.columns[at - 1].names if at else ""

    def seconds_of(self, start: int, end: int) -> tuple[float, float] | None:
        """Return when ``[start:end]`` is spoken: from its first cue's begin to its last one's end."""
        first = bisect_right(self.cues, start, key=lambda each: each.end)
        spoken = list[Cue]()
        for cue in self.cues[first:]:
            if cue.start >= end:
                break
            spoken.append(cue)
        return (spoken[0].seconds[0], max(cue.seconds[1] for cue in spoken)) if spoken else None


def compose(number: int, raw: RawPage, *, markdown: bool) -> tuple[Page, Outline]:
    """Return a page in normal form and its outline. ``markdown`` says that lines starting with ``#`` are headings."""
    # Cut after normalising, which makes some characters longer.
    label = one_line(raw.label)[:MAX_LABEL_CHARACTERS].strip() if raw.label else None
    above = tuple(title for title in map(one_line, raw.above) if title)
    text, outline = _join(raw.blocks)
    headings = tuple(markdown_headings(text)) if markdown else outline.headings
    page = Page(number, text, label or None, raw.ocr_confidence)
    return page, Outline(headings, outline.columns, outline.cues, above)


def one_line(text: str) -> str:
    """Return a title in normal form, on one line."""
    return " ".join(normalise(text).split())


def markdown_headings(text: str) -> list[Heading]:
    """Return the ATX headings outside fenced code, in order."""
    found, fence, at = list[Heading](), "", 0
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark and (not fence or line.strip().startswith(fence)):
            fence = "" if fence else mark[1]
        elif not fence and (heading := _HEADING.match(line)):
            found.append(Heading(at, len(heading[1]), heading[2]))
        at += len(line) + 1
    return found


def _join(blocks: Sequence[Block]) -> tuple[str, Outline]:
    if len(blocks) == 1 and blocks[0] == Block(blocks[0].text):
        return normalise(blocks[0].text), Outline()
    parts, at = list[str](), 0
    headings, columns, cues = list[Heading](), list[Columns](), list[Cue]()
    for block, text in _normal(blocks):
        if parts:
            joint = "\n" if block.tight else "\n\n"
            parts.append(joint)
            at += len(joint)
        if block.level:
            headings.append(Heading(at, block.level, " ".join(text.split())))
        names = one_line(block.columns) if block.columns else ""
        if names != (columns[-1].names if columns else ""):
            columns.append(Columns(at, names))
        if block.seconds is not None:
            cues.append(Cue(at, at + len(text), block.seconds))
        parts.append(text)
        at += len(text)
    return "".join(parts), Outline(tuple(headings), tuple(columns), tuple(cues))


def _normal(blocks: Iterable[Block]) -> Iterable[tuple[Block, str]]:
    """Yield the blocks that hold more than blanks, with their text in normal form."""
    for block in blocks:
        text = normalise(block.text).strip()
        if text:
            yield block, text
