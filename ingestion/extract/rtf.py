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
    r"(\{)(\s*\\(?:\*|(?:pict|object|objdata|info|fldinst|annotation|atnid|v|deleted)(?![a-z0-9])))?|(\})"
)
_SURROGATES = re.compile("[\ud800-\udfff]")


def read(untrusted: bytes, work: Work) -> Reading:
    """Return the text. Raises ``TooComplex`` (nesting, groups) and ``ParserFailed`` (damaged)."""
    content = "".join(_kept(untrusted.decode("latin-1"), work.limits.depth))
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


def _joined(said: str) -> str:
    """Return the text with the halves of characters that RTF writes as two put together."""
    if not _SURROGATES.search(said):
        return said
    return said.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
