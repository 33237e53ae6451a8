"""Plain text and Markdown, in any encoding: one page each."""

from ingestion.encoding import decode
from ingestion.extract.reading import Pages, Reading, Work
from models.errors import UnsupportedType


def read_plain(untrusted: bytes, work: Work) -> Reading:
    """Return the text as one page. Raises ``UnsupportedType`` when it is no text after all."""
    text = decode(untrusted)
    if text is None:
        raise UnsupportedType
    pages = Pages(work.limits)
    pages.add(text)
    return Reading(pages.all())


def read_markdown(untrusted: bytes, work: Work) -> Reading:
    """Return the text, marks included, as one page with headings. Raises as ``read_plain`` does."""
    return Reading(read_plain(untrusted, work).pages, markdown=True)
