"""The typed messages between the embedder process and those who need vectors.

Texts and vectors are content: no ``repr`` shows them. A vector is as telling as its text.
"""

import msgspec

from processes.hardening import Hardening
from vectorstore.embedder import ModelCard


class _Message(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A message whose ``repr`` is its name: it may hold content."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


# --- anyone -> embedder ----------------------------------------------------------------------------------------------


class Ping(_Message, frozen=True):
    """Are you there?"""


class Describe(_Message, frozen=True):
    """Which model are you?"""


class EmbedQuery(_Message, frozen=True):
    """One question. Answered before any passage that waits."""

    session: str
    text: str


class EmbedPassages(_Message, frozen=True):
    """Some chunks of one document. Sessions take turns, text by text."""

    session: str
    texts: tuple[str, ...]


class DropSession(_Message, frozen=True):
    """Forget what waits for this session; answered when nothing of it is being worked on either."""

    session: str


EmbedderRequest = Ping | Describe | EmbedQuery | EmbedPassages | DropSession

# --- embedder -> anyone ----------------------------------------------------------------------------------------------


class Pong(_Message, frozen=True):
    """Here, with the model loaded, in a process that is hardened so."""

    hardening: Hardening


class Described(_Message, frozen=True):
    """The model's card."""

    card: ModelCard


class Embedded(_Message, frozen=True):
    """``data`` is ``(rows, dim)`` little-endian float32, row after row, in the order of the texts."""

    rows: int
    dim: int
    data: bytes


class Dropped(_Message, frozen=True):
    """How many texts were waiting and now are not."""

    texts: int


class Refused(_Message, frozen=True):
    """The request failed; ``slug`` names an error of ``models.errors``."""

    slug: str
    retry_after_seconds: int | None = None


EmbedderReply = Pong | Described | Embedded | Dropped | Refused
