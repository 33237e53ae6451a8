"""What a session process and the fetcher say to each other. A connection carries one fetch.

The fetcher answers ``Fetch`` with ``Admitted`` or ``Failed``; then come ``Arriving``, any number of ``Bytes``, and
``Arrived`` or ``Failed``. Hanging up ends the fetch.
"""

from models.errors import (
    FileTooLarge,
    LinkFailed,
    LinkRefused,
    MediaFile,
    QueueFull,
    TimedOut,
    UnsupportedType,
    VideoLink,
)
from processes.ipc import Message

# Largest piece of a body in one message.
PIECE_BYTES = 64 * 1024
# What the fetcher may blame; anything else it says is its own failure.
SLUGS = frozenset(
    error.slug
    for error in (FileTooLarge, LinkFailed, LinkRefused, MediaFile, QueueFull, TimedOut, UnsupportedType, VideoLink)
)


class Fetch(Message, frozen=True):
    """Fetch what this link points to. No session, no learner: the fetcher need not know for whom."""

    untrusted_url: str


class Admitted(Message, frozen=True):
    """There is a free place and the link may be asked."""


class Arriving(Message, frozen=True):
    """The site answers with a document of, as it says, this media type."""

    untrusted_media_type: str | None


class Bytes(Message, frozen=True):
    """Some bytes of the document."""

    untrusted: bytes


class Arrived(Message, frozen=True):
    """That was all of it."""


class Failed(Message, frozen=True):
    """Nothing (more) comes; ``slug`` is one of ``SLUGS``."""

    slug: str
    retry_after_seconds: int | None = None


FetcherReply = Admitted | Arriving | Bytes | Arrived | Failed
