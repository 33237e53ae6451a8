"""XML from strangers, parsed so that it can neither grow, nor nest without end, nor ask for anything elsewhere.

Owns the one way in which the service parses XML. Refuses every document type that declares something itself (entities
live there), and fetches none. What is parsed has no comments and no processing instructions.
"""

import functools
import io
import re
from collections.abc import Callable, Iterator
from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - it ships no types

from ingestion.limits import JailLimits
from models.errors import ParserFailed, TooComplex

# An element is what ``parse`` returns; lxml says no more of it to a type checker.
Element = Any

# A tree takes some hundred bytes for each of these marks; this many fit beside everything else in a jail.
_MAX_MARKS = 6_000_000
_PROLOG = re.compile(rb"(?:[^<]++|<\?(?:(?!\?>).)*+\?>|<!--(?:(?!-->).)*+-->)*+", re.DOTALL)
_DOCTYPE = re.compile(rb"""<!DOCTYPE(?:[^\["'>]|"[^"]*+"|'[^']*+')*+\[""", re.IGNORECASE)
_PROLOG_BYTES = 64 * 1024
_SAFE: dict[str, bool] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


def parse(untrusted: bytes, limits: JailLimits) -> Element:
    """Return the root element. Raises ``ParserFailed`` and ``TooComplex``."""
    _refuse_declarations(untrusted)
    if untrusted.count(b"<") + untrusted.count(b"=") > _MAX_MARKS:
        raise TooComplex
    try:
        root = etree.fromstring(untrusted, etree.XMLParser(**_SAFE))
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _named(error) from error
    _refuse_entities(root)
    if is_deeper(root, limits.depth):
        raise TooComplex
    return root


def elements(untrusted: bytes, *names: str) -> Iterator[Element]:
    """Yield each element with one of these local names, complete, and forget it when the next one is asked for.

    An element inside another that is yielded is gone when the outer one comes. Raises as ``parse`` does, at any point;
    takes memory for one element at a time, however many there are.
    """
    _refuse_declarations(untrusted)
    tags = tuple(f"{{*}}{name}" for name in names)
    try:
        for _, element in etree.iterparse(io.BytesIO(untrusted), events=("end",), tag=tags, **_SAFE):
            _refuse_entities(element)
            yield element
            element.clear()
            _forget_before(element)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _named(error) from error


def local_name(element: Element) -> str:
    """Return an element's name without its namespace; nothing for what is no element (an unknown entity)."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Element, name: str) -> str:
    """Return the value of the first attribute with this local name, in whatever namespace, or nothing."""
    for key, value in element.items():
        if key.endswith(name) and key.rpartition("}")[2] == name:
            return value
    return ""


def children(element: Element, *names: str) -> list[Element]:
    """Return the children with one of these local names."""
    return [child for child in element if local_name(child) in names]


def child(element: Element, *path: str) -> Element | None:
    """Return the first descendant down this path of local names, or ``None``."""
    for name in path:
        element = next((each for each in element if local_name(each) == name), None)
        if element is None:
            return None
    return element


def is_deeper(root: Element, depth: int) -> bool:
    """Say whether elements nest deeper than this."""
    return bool(_deeper_than(depth)(root))


@functools.cache
def _deeper_than(depth: int) -> Callable[[Element], object]:
    return etree.XPath(f"boolean({'/*' * (depth + 1)})")


def _forget_before(element: Element) -> None:
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _refuse_declarations(untrusted: bytes) -> None:
    """Raise ``ParserFailed`` if the document type declares anything itself, or comes too late to be looked at.

    Without the zeros, UTF-16 and UTF-32 read as ASCII here.
    """
    start = untrusted[:_PROLOG_BYTES].replace(b"\0", b"")
    prolog = _PROLOG.match(start)
    end = prolog.end() if prolog else 0
    if end == len(start) or _DOCTYPE.match(start, end):
        raise ParserFailed


def _refuse_entities(element: Element) -> None:
    """Raise ``ParserFailed`` if any was declared after all: in an encoding that does not contain ASCII."""
    declared = element.getroottree().docinfo.internalDTD
    if declared is not None and next(declared.iterentities(), None) is not None:
        raise ParserFailed


def _named(error: Exception) -> ParserFailed | TooComplex:
    return TooComplex() if "Excessive depth" in str(error) else ParserFailed()
