"""Subtitles (SubRip, WebVTT): one page, a line for each cue, with the seconds at which it is shown.

A cue whose times make no sense keeps its text. Marks for looks and speakers are dropped, as are notes and styles.
"""

import math
import re
from collections.abc import Iterator, Sequence
from html import unescape

from ingestion.check import MAX_SECONDS
from ingestion.extract import text
from ingestion.extract.reading import Block, Pages, Reading, Work

_ARROW = re.compile(r"--+>")
_TIME = re.compile(r"(?:(\d{1,6}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9}))?")
_TAG = re.compile(r"</?(?:[biuscv]|font|ruby|rt|lang|\d[\d:.]*)(?:[\s.][^<>]*)?/?>|\{\\[^{}]*\}", re.IGNORECASE)
_ASIDE = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION|X-TIMESTAMP-MAP)(?:\s|=|\Z)")


def read(untrusted: bytes, work: Work) -> Reading:
    """Return the cues in the file's order. Raises ``UnsupportedType`` when the bytes are no text."""
    lines = text.decoded(untrusted).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    pages = Pages(work.limits)
    pages.add_blocks(_cues(lines, is_web=lines[0].startswith("WEBVTT")))
    work.report(1, 1)
    return Reading(pages.all())


def _cues(lines: Sequence[str], *, is_web: bool) -> Iterator[Block]:
    """Yield a block for each cue that has a text, and for a paragraph that has no times."""
    for paragraph in _paragraphs(lines, is_web=is_web):
        first = paragraph[0].strip()
        timed = [index for index, line in enumerate(paragraph) if _ARROW.search(line)]
        if not timed:
            if not (is_web and _ASIDE.match(first)) and not first.isdigit():
                yield from _cue(paragraph, None)
            continue
        # Cues may follow one another without an empty line; what stands above the times is a number or a name.
        for at, end in zip(timed, [*timed[1:], len(paragraph)], strict=True):
            last = end - 1 if end < len(paragraph) and paragraph[end - 1].strip().isdigit() else end
            yield from _cue(paragraph[at + 1 : last], _seconds(paragraph[at]))


def _paragraphs(lines: Sequence[str], *, is_web: bool) -> Iterator[list[str]]:
    """Yield the lines between empty ones. In WebVTT a blank is a line of its cue: YouTube's cues begin with one."""
    paragraph = list[str]()
    for line in lines:
        if line if is_web else line.strip():
            paragraph.append(line)
        elif paragraph:
            yield paragraph
            paragraph = []
    if paragraph:
        yield paragraph


def _cue(lines: Sequence[str], seconds: tuple[float, float] | None) -> Iterator[Block]:
    said = " ".join(shown for line in lines if (shown := unescape(_TAG.sub("", line)).strip()))
    if said:
        yield Block(said, seconds=seconds, tight=True)


def _seconds(line: str) -> tuple[float, float] | None:
    """Return the times of a cue, or ``None`` where they are none that can be believed."""
    begin, end = (_time(part) for part in _ARROW.split(line, maxsplit=1))
    return (begin, end) if begin <= end <= MAX_SECONDS else None


def _time(part: str) -> float:
    found = _TIME.search(part)
    if found is None:
        return math.nan
    hours, minutes, seconds, fraction = found.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + (float(f"0.{fraction}") if fraction else 0)
