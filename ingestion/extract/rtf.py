"""Rich Text Format: one page of text, without what is hidden in it, embedded in it or said about it."""

import re
from collections.abc import Iterator

from striprtf.striprtf import rtf_to_text

from ingestion.extract.reading import Pages, Reading, Work
from models.errors import ParserFailed, TooComplex

_MAX_BRACES = 1_000_000
# Of no interest, and slow to read: pictures, objects, links' targets and all else that a reader may ignore; not to be
# told: who wrote it and when, comments, what is hidden or deleted.
_PART = re.compile(
    r"\\bin(\d{1,9}) ?|\\[^a-zA-Z]|"
    r"(\{)(\s*\\(?:\*(?!\s*\\shpinst(?![a-z]))|"
    r"(?:pict|object|objdata|info|fldinst|annotation|atnid|v|deleted|sp|shprslt)(?![a-z0-9])))?|(\})"
)
_GROUP = re.compile(
    r"\\[^a-zA-Z]|(\{)"
    r"(?:\s*(?:\\\*\s*)?\\(footnote|(?:header|footer)[lrf]?|shp|shpgrp|shpinst|shptxt)(?![a-z0-9]) ?)?|(\})"
)
# What the reader of the rest takes for no text, and is: how it begins and ends instead. A note stands in a sentence.
_NOTE = ("{ [", "]}")
_ASIDE = ("{\\par ", "\\par }")
_FONT_TABLE = re.compile(r"\{[^{}]*\\fonttbl")
_FONT, _CHARSET = re.compile(r"\\f(\d{1,9})"), re.compile(r"\\fcharset(\d{1,9})")
_BRACE = re.compile(r"[{}]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def read(untrusted: bytes, work: Work) -> Reading:
    """Return the text. Raises ``TooComplex`` (nesting, groups) and ``ParserFailed`` (damaged)."""
    content = "".join(_unwrapped("".join(_kept(untrusted.decode("latin-1"), work.limits.depth))))
    content = _with_plain_fonts(content)
    try:
        said = rtf_to_text(content, errors="ignore")
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise ParserFailed from error
    pages = Pages(work.limits)
    pages.add(_joined(said))
    work.report(1, 1)
    return Reading(pages.all())


def _kept(content: str, max_depth: int) -> Iterator[str]:
    """Yield the source without the groups that are dropped and without binary data, in linear time."""
    depth, dropped_at, at, braces, search_at = 0, 0, 0, 0, 0
    while part := _PART.search(content, search_at):
        search_at = part.end()
        if part[1]:
            if not dropped_at:
                yield content[at : part.start()]
            at = search_at = part.end() + int(part[1])
        elif part[2]:
            depth, braces = depth + 1, braces + 1
            if depth > max_depth or braces > _MAX_BRACES:
                raise TooComplex
            if part[3] and not dropped_at:
                yield content[at : part.start()]
                dropped_at = depth
        elif part[4]:
            if depth == dropped_at and dropped_at:
                dropped_at, at = 0, part.end()
            depth = max(0, depth - 1)
    if not dropped_at:
        yield content[at:]


def _unwrapped(content: str) -> Iterator[str]:
    """Yield the source with notes, headers, footers and text boxes as text like any other, in linear time."""
    ends, at = list[str](), 0
    for part in _GROUP.finditer(content):
        if part[1]:
            start, end = ("{", "}") if not part[2] else _NOTE if part[2] == "footnote" else _ASIDE
            ends.append(end)
            if part[2]:
                yield content[at : part.start()] + start
                at = part.end()
        elif part[3]:
            yield content[at : part.start()] + (ends.pop() if ends else "}")
            at = part.end()
    yield content[at:]


def _with_plain_fonts(content: str) -> str:
    """Return the source with a table of fonts that says nothing but their alphabets, a line each.

    The reader of the rest takes a time for this table that grows with its cube where it is damaged.
    """
    start = _FONT_TABLE.search(content)
    if start is None:
        return content
    end = _end_of_group(content, start.end())
    entries = content[start.start() : end].split(";")
    fonts = ((_FONT.search(entry), _CHARSET.search(entry)) for entry in entries)
    lines = [f"{{\\f{font[1]}\\fcharset{charset[1]} x;}}\n" for font, charset in fonts if font and charset]
    return f"{content[: start.start()]}{{\\fonttbl\n{''.join(lines)}}}{content[end:]}"


def _end_of_group(content: str, at: int) -> int:
    """Return where the group ends that ``at`` is in, or the end of all."""
    depth = 1
    for brace in _BRACE.finditer(content, at):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.end()
    return len(content)


def _joined(said: str) -> str:
    """Return the text with the halves of characters that RTF writes as two put together."""
    if not _SURROGATES.search(said):
        return said
    return said.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
