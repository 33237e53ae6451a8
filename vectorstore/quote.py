"""Quotations: chunks that were chosen, neighbours joined, packed into the reader's token budget.

Owns the promise that a quotation is exactly ``[start:end]`` of its page, and that all together stay in the budget.
"""

from collections.abc import Callable, Sequence

import msgspec

from vectorstore.held import Hit
from vectorstore.pack import estimate_tokens, prefix_within

# The text of a document's page between two offsets; nothing when the document was removed meanwhile.
Read = Callable[[str, int, int, int], str | None]


class Quotation(msgspec.Struct, frozen=True):
    """``text`` is ``[start:end]`` of the page; ``hits`` are the chunks in it, in reading order, ``best`` the best."""

    best: Hit
    hits: tuple[Hit, ...]
    start: int
    end: int
    text: str

    def __repr__(self) -> str:
        return "<Quotation>"

    @property
    def tokens(self) -> int:
        """About how many tokens the text takes."""
        return estimate_tokens(self.text)

    def touches(self, hit: Hit) -> bool:
        """Say whether the chunk comes right before or after, on the same page under the same headings."""
        return (
            (hit.document_id, hit.page, hit.heading) == (self.best.document_id, self.best.page, self.best.heading)
            and self.hits[0].number - 1 <= hit.number <= self.hits[-1].number + 1
        )  # fmt: skip


def quote(hits: Sequence[Hit], max_tokens: int | None, read: Read) -> list[Quotation]:
    """Return quotations of hits that come best first, best first, together at most ``max_tokens`` long.

    A hit that does not fit is skipped, so that a shorter one behind it may; when none fits, the beginning of the best
    is quoted. ``None`` is no limit.
    """
    quotations: list[Quotation] = []
    for hit in hits:
        grown = _with(quotations, hit, read)
        if grown is not None and (max_tokens is None or sum(each.tokens for each in grown) <= max_tokens):
            quotations = grown
    return quotations if quotations or not hits or max_tokens is None else _beginning(hits[0], max_tokens)


def _with(quotations: Sequence[Quotation], hit: Hit, read: Read) -> list[Quotation] | None:
    """Return the quotations with one hit more: joined, at the place of the best, with those that it touches."""
    touching = [each for each in quotations if each.touches(hit)]
    if not touching:
        return [*quotations, Quotation(hit, (hit,), hit.start, hit.end, hit.text)]
    parts = {part.number: part for each in touching for part in each.hits} | {hit.number: hit}
    start, end = min(part.start for part in parts.values()), max(part.end for part in parts.values())
    text = read(hit.document_id, hit.page, start, end)
    if text is None:
        return None
    ordered = tuple(parts[number] for number in sorted(parts))
    joined = Quotation(touching[0].best, ordered, start, end, text)
    return [joined if each is touching[0] else each for each in quotations if each not in touching[1:]]


def _beginning(hit: Hit, max_tokens: int) -> list[Quotation]:
    length = prefix_within(hit.text, max_tokens)
    text = hit.text[:length]
    return [Quotation(hit, (hit,), hit.start, hit.start + length, text)] if length else []
