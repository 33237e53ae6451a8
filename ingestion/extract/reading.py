"""What an extractor is given and what it gives back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ingestion.limits import JailLimits
from models.errors import TooManyPages, TooMuchText


@dataclass(frozen=True, slots=True)
class Work:
    """The terms an extractor works under.

    ``languages`` are the ISO 639-1 codes to expect, best first. ``report`` takes how many pages are done and how many
    are known; ``recognised`` the same of those that are recognised from pixels. ``recognising`` is called before each
    page that is recognised from pixels: it buys that page its time. It may be called from any thread, the others not.
    """

    limits: JailLimits
    languages: tuple[str, ...] = ()
    report: Callable[[int, int], None] = lambda _done, _known: None
    recognised: Callable[[int, int], None] = lambda _done, _known: None
    recognising: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, list entry, table row or cue, not yet normalised.

    ``level`` is 1 to 6 for a heading and 0 for other text. ``columns`` is the row of column names that a table's row
    stands under. ``seconds`` is when it is spoken. A ``tight`` block follows the one before on the next line, any other
    after an empty one.
    """

    text: str = field(repr=False)
    level: int = 0
    columns: str = field(default="", repr=False)
    seconds: tuple[float, float] | None = None
    tight: bool = False


@dataclass(frozen=True, slots=True)
class RawPage:
    """One page, not yet normalised. ``above`` is the path of headings that all of it stands under."""

    blocks: tuple[Block, ...] = field(repr=False)
    label: str | None = field(default=None, repr=False)
    ocr_confidence: float | None = None
    above: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Reading:
    """The pages, not yet normalised; whether lines that start with ``#`` are headings; attachments left unopened."""

    pages: tuple[RawPage, ...] = field(repr=False)
    markdown: bool = False
    attachments: int = 0


class Pages:
    """Collects pages within the limits."""

    def __init__(self, limits: JailLimits) -> None:
        self._limits = limits
        self._bytes = 0
        self._pages = list[RawPage]()

    def add(self, text: str, *, label: str | None = None, ocr_confidence: float | None = None) -> None:
        """Add the next page. Raises ``TooManyPages`` or ``TooMuchText`` at the limits."""
        self.add_blocks((Block(text),), label=label, ocr_confidence=ocr_confidence)

    def add_blocks(
        self,
        blocks: Iterable[Block],
        *,
        label: str | None = None,
        ocr_confidence: float | None = None,
        above: tuple[str, ...] = (),
    ) -> None:
        """Add the next page in parts, counted as they come. Raises as ``add`` does."""
        if len(self._pages) == self._limits.pages:
            raise TooManyPages
        kept = list[Block]()
        for block in blocks:
            self._bytes += len(block.text.encode("utf-8", "replace"))
            if self._bytes > self._limits.text_bytes:
                raise TooMuchText
            kept.append(block)
        self._pages.append(RawPage(tuple(kept), label or None, ocr_confidence, above))

    def all(self) -> tuple[RawPage, ...]:
        """Return the pages added so far."""
        return tuple(self._pages)
