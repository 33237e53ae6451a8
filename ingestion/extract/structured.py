"""JSON, and JSON line by line: one page that says each value after the path to it."""

import json
from collections.abc import Iterator
from typing import Any

from ingestion.extract import text
from ingestion.extract.reading import Block, Pages, Reading, Work
from ingestion.limits import JailLimits
from models.errors import TooComplex

# So many commas for each value allowed: texts have some, too.
_COMMAS_PER_VALUE = 10


def read(untrusted: bytes, work: Work) -> Reading:
    """Return a line for each value; what is no JSON after all, as the text it is.

    Raises ``UnsupportedType`` (no text) and ``TooComplex`` (depth, or as many values as a sheet may have cells).
    """
    content = text.decoded(untrusted)
    if content.count(",") > _COMMAS_PER_VALUE * work.limits.cells:
        raise TooComplex
    pages = Pages(work.limits)
    try:
        value = _parsed(content)
    except ValueError:
        pages.add(content)
    else:
        pages.add_blocks(_blocks(value, work.limits))
    work.report(1, 1)
    return Reading(pages.all())


def _parsed(content: str) -> object:
    """Return the value, its numbers as they are written. Raises ``ValueError`` and ``TooComplex``."""
    try:
        try:
            return _load(content)
        except ValueError:
            return [_load(line) for line in content.splitlines() if line.strip()]
    except RecursionError as error:
        raise TooComplex from error


def _load(content: str) -> object:
    return json.loads(content, parse_int=str, parse_float=str, parse_constant=str)


def _blocks(root: object, limits: JailLimits) -> Iterator[Block]:
    """Yield each value with its path, depth first and without recursion. A new entry of a list starts a paragraph."""
    waiting: list[tuple[str, int, bool, Any]] = [("", 0, False, root)]
    values, starts_paragraph = 0, False
    while waiting:
        path, depth, is_entry, value = waiting.pop()
        if depth > limits.depth:
            raise TooComplex
        starts_paragraph = starts_paragraph or is_entry
        if isinstance(value, dict | list):
            waiting.extend(reversed(list(_inside(path, depth + 1, value))))
            continue
        values += 1
        if values > limits.cells:
            raise TooComplex
        yield Block(f"{path}: {_said(value)}" if path else _said(value), tight=not starts_paragraph)
        starts_paragraph = False


def _inside(path: str, depth: int, value: dict[str, Any] | list[Any]) -> Iterator[tuple[str, int, bool, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (f"{path}.{key}" if path else key), depth, False, inner
    else:
        for index, inner in enumerate(value):
            yield f"{path}[{index}]", depth, isinstance(inner, dict | list), inner


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
