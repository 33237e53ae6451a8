"""Plain text and Markdown, in any encoding: one page each."""

from ingestion.encoding import decode
from ingestion.extract.reading import Pages, Reading, Work
from models.errors import UnsupportedType


def decoded(untrusted: bytes) -> str:
    """Return the bytes as text. Raises ``UnsupportedType`` when they are none."""
    text = decode(untrusted)
    if text is None:
        raise UnsupportedType
    return text


def read_plain(untrusted: bytes, work: Work) -> Reading:
    """Return the text as one page. Raises ``UnsupportedType`` when it is no text after all."""
    pages = Pages(work.limits)
    pages.add(decoded(untrusted))
    return Reading(pages.all())


def read_markdown(untrusted: bytes, work: Work) -> Reading:
    """Return the text, marks included, as one page with headings. Raises as ``read_plain`` does."""
    return Reading(read_plain(untrusted, work).pages, markdown=True)
