"""What an extractor is given and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ingestion.limits import JailLimits
from models.content import Page
from models.errors import QuotaExceeded, TooManyPages


@dataclass(frozen=True, slots=True)
class Work:
    """The terms an extractor works under.

    ``languages`` are the ISO 639-1 codes to expect, best first. ``report`` takes how much is done, 0 to 1.
    ``recognising`` is called before each page that is recognised from pixels: it buys that page its time.
    """

    limits: JailLimits
    languages: tuple[str, ...] = ()
    report: Callable[[float], None] = lambda _: None
    recognising: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Reading:
    """The pages, not yet normalised, and whether lines that start with ``#`` are headings."""

    pages: tuple[Page, ...] = field(repr=False)
    markdown: bool = False


class Pages:
    """Collects pages within the limits."""

    def __init__(self, limits: JailLimits) -> None:
        self._limits = limits
        self._bytes = 0
        self._pages = list[Page]()

    def add(self, text: str, *, label: str | None = None, ocr_confidence: float | None = None) -> None:
        """Add the next page. Raises ``TooManyPages`` or ``QuotaExceeded`` at the limits."""
        self._bytes += len(text.encode("utf-8", "replace"))
        if self._bytes > self._limits.text_bytes:
            raise QuotaExceeded
        if len(self._pages) == self._limits.pages:
            raise TooManyPages
        self._pages.append(Page(len(self._pages) + 1, text, label or None, ocr_confidence))

    def all(self) -> tuple[Page, ...]:
        """Return the pages added so far."""
        return tuple(self._pages)
