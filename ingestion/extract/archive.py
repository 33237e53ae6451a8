"""A ZIP of documents: one document, whose pages are those of its members in the archive's order.

One member that is refused refuses all. A member's name stands above its pages and is never a path. Archives inside are
refused; documents that are ZIPs themselves are not archives here.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping

from ingestion import signatures
from ingestion.archive import Archive
from ingestion.extract.markdown import blocks
from ingestion.extract.reading import Block, Pages, RawPage, Reading, Work
from ingestion.families import Family
from ingestion.identify import identify
from models.errors import EmptyDocument, NestedArchive, UnsupportedType

Extractor = Callable[[bytes, Work], Reading]

_MAX_TITLE_CHARACTERS = 120
# Among them the lock files of Word and LibreOffice, which hold the name of the account and the machine.
_LITTER_STARTS = ("._", "~$", ".~lock.")
_LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini", ".directory"})


def reader_of(extractors: Mapping[Family, Extractor]) -> Extractor:
    """Return an extractor that reads each member with the extractor of its family."""

    def read(untrusted: bytes, work: Work) -> Reading:
        """Return the pages of all members.

        Raises ``EmptyDocument`` when there are none, ``NestedArchive``, what ``Archive`` raises, and whatever a member
        is refused for.
        """
        archive = Archive(untrusted, work.limits)
        pages, attachments = Pages(work.limits), 0
        names = [name for name in archive.names() if not _is_litter(name)]
        if not names:
            raise EmptyDocument
        shift = _Shift(work, members=len(names))
        for name in names:
            member = archive.read(name)
            if not member:
                shift.finished(0)
                continue
            reading = extractors[_family(member, name, extractors, work)](member, shift.work())
            shift.finished(len(reading.pages))
            attachments += reading.attachments
            for page in reading.pages:
                above = (archive.title(name)[-_MAX_TITLE_CHARACTERS:], *page.above)
                pages.add_blocks(
                    _blocks(page, markdown=reading.markdown),
                    label=page.label,
                    ocr_confidence=page.ocr_confidence,
                    above=above,
                )
        return Reading(pages.all(), attachments=attachments)

    return read


def _family(member: bytes, name: str, extractors: Mapping[Family, Extractor], work: Work) -> Family:
    try:
        family = identify(member, name, None, work.limits).family
    except UnsupportedType:
        if signatures.is_archive(member):
            raise NestedArchive from None
        raise
    if family not in extractors:
        raise NestedArchive
    return family


def _is_litter(name: str) -> bool:
    """Say whether an operating system left this behind."""
    folder, _, last = name.replace("\\", "/").rpartition("/")
    return last.startswith(_LITTER_STARTS) or last.lower() in _LITTER or "__MACOSX" in folder.split("/")


def _blocks(page: RawPage, *, markdown: bool) -> Iterator[Block]:
    """Yield a page's blocks, with Markdown's headings as such: other members are no Markdown."""
    if not markdown:
        yield from page.blocks
        return
    for block in page.blocks:
        yield from blocks(block.text)


class _Shift:
    """Tells the pages of one member as those of the whole; a member that is still to come counts as one page."""

    def __init__(self, work: Work, *, members: int) -> None:
        self._whole = work
        self._members_left = members
        self._read = 0
        self._recognised = 0
        self._recognised_here = 0

    def work(self) -> Work:
        """Return the terms for the next member."""
        read, recognised, left = self._read, self._recognised, self._members_left - 1

        def report(done: int, known: int) -> None:
            self._whole.report(read + done, read + known + left)

        def report_recognised(done: int, known: int) -> None:
            self._recognised_here = known
            self._whole.recognised(recognised + done, recognised + known)

        return dataclasses.replace(self._whole, report=report, recognised=report_recognised)

    def finished(self, pages: int) -> None:
        """Count a member that was read."""
        self._read += pages
        self._members_left -= 1
        self._recognised += self._recognised_here
        self._recognised_here = 0
