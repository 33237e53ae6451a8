"""What a Word document's paragraphs and runs say of themselves, by their properties or by their styles.

Owns headings, hiding and lists: where properties are silent the style speaks, then the style that it is based on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ingestion import xml
from ingestion.extract import ooxml
from ingestion.xml import Element

_T = TypeVar("_T")
_MAX_LEVEL = 6
_BODY_LEVEL = 9
_BASED_ON_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class _Style:
    """What a style says itself; ``None`` where it leaves it to the style that it is based on."""

    based_on: str
    level: int | None
    is_hidden: bool | None
    is_list: bool | None
    number: tuple[str, int] | None


class Styles:
    """The styles of one document."""

    def __init__(self, parts: list[Element]) -> None:
        self._styles: Mapping[str, _Style] = {
            xml.attribute(each, "styleId"): _style(each) for part in parts for each in xml.children(part, "style")
        }

    def level(self, properties: Element | None, style: str) -> int:
        """Return a paragraph's level: 1 to 6 for a heading, 0 for other text."""
        own = None if properties is None else _outline_level(properties)
        level = own if own is not None else self._of(style, lambda each: each.level, 0)
        return min(level, _MAX_LEVEL)

    def is_list(self, properties: Element | None, style: str) -> bool:
        """Say whether a paragraph is an entry of a list."""
        own = None if properties is None else _numbered(properties)
        return own if own is not None else self._of(style, lambda each: each.is_list, False)

    def number(self, properties: Element | None, style: str) -> tuple[str, int]:
        """Return the id of the list that a paragraph is counted in, "0" for none, and its level there, from 0."""
        inherited = self._of(style, lambda each: each.number, ("0", 0))
        own = None if properties is None else xml.child(properties, "numPr")
        return inherited if own is None else _number(own, inherited)

    def is_hidden(self, style: str) -> bool:
        """Say whether a style hides what it is given to."""
        return self._of(style, lambda each: each.is_hidden, False)

    def is_hidden_run(self, run: Element, *, is_hidden: bool) -> bool:
        """Say whether a run is hidden, in a paragraph that is or is not."""
        properties = xml.child(run, "rPr")
        vanish = None if properties is None else xml.child(properties, "vanish")
        if vanish is not None:
            return ooxml.is_on(vanish)
        return is_hidden or self.is_hidden(style_of(properties, "rStyle"))

    def _of(self, style: str, said: Callable[[_Style], _T | None], otherwise: _T) -> _T:
        """Return what a style or the nearest one that it is based on says."""
        for _ in range(_BASED_ON_AT_MOST):
            found = self._styles.get(style)
            if found is None:
                break
            value = said(found)
            if value is not None:
                return value
            style = found.based_on
        return otherwise


def style_of(properties: Element | None, kind: str) -> str:
    """Return the id of the style that properties name, under this name, or nothing."""
    style = None if properties is None else xml.child(properties, kind)
    return "" if style is None else xml.attribute(style, "val")


def _style(element: Element) -> _Style:
    based_on, paragraph = xml.child(element, "basedOn"), xml.child(element, "pPr")
    vanish = xml.child(element, "rPr", "vanish")
    named = xml.child(element, "name")
    name = "" if named is None else xml.attribute(named, "val").lower()
    is_list = None if paragraph is None else _numbered(paragraph)
    level = None if paragraph is None else _outline_level(paragraph)
    number = None if paragraph is None else xml.child(paragraph, "numPr")
    return _Style(
        based_on="" if based_on is None else xml.attribute(based_on, "val"),
        level=_named_level(name) if level is None else level,
        is_hidden=None if vanish is None else ooxml.is_on(vanish),
        # A table of contents is a list, too.
        is_list=True if name.startswith("toc ") else is_list,
        number=None if number is None else _number(number, ("0", 0)),
    )


def _number(numbering: Element, otherwise: tuple[str, int]) -> tuple[str, int]:
    """Return the id of a list and a level in it; each as it was otherwise where nothing is said of it."""
    number, level = xml.child(numbering, "numId"), xml.child(numbering, "ilvl")
    at = "" if level is None else xml.attribute(level, "val")
    return (
        otherwise[0] if number is None else xml.attribute(number, "val"),
        int(at) if len(at) == 1 and at in "012345678" else otherwise[1],
    )


def _named_level(name: str) -> int | None:
    """Return the level of a built-in style: its name in the file is English, whatever language Word speaks."""
    if name == "title":
        return 1
    number = name.removeprefix("heading ")
    return int(number) if number != name and number.isascii() and number.isdigit() else None


def _outline_level(properties: Element) -> int | None:
    """Return the level that a paragraph's properties say: 1 and up for a heading, 0 for body text."""
    outline = xml.child(properties, "outlineLvl")
    value = "" if outline is None else xml.attribute(outline, "val")
    if len(value) != 1 or value not in "0123456789":
        return None
    return 0 if int(value) == _BODY_LEVEL else int(value) + 1


def _numbered(properties: Element) -> bool | None:
    """Say whether a paragraph's properties make it an entry of a list; ``None`` where they say nothing of it."""
    number = xml.child(properties, "numPr", "numId")
    return None if number is None else xml.attribute(number, "val") != "0"
