"""The typed messages between the embedder process and those who need vectors.

Texts and vectors are content: no ``repr`` shows them. A vector is as telling as its text.
"""

from processes.hardening import Hardening
from processes.ipc import Message
from vectorstore.embedder import JudgeCard, ModelCard

# --- anyone -> embedder ----------------------------------------------------------------------------------------------


class Ping(Message, frozen=True):
    """Are you there?"""


class Describe(Message, frozen=True):
    """Which model are you?"""


class EmbedQuery(Message, frozen=True):
    """One question. Answered before any passage that waits."""

    session: str
    text: str


class EmbedPassages(Message, frozen=True):
    """Some chunks of one document. Sessions take turns, text by text."""

    session: str
    texts: tuple[str, ...]


class RankPairs(Message, frozen=True):
    """How well does each of these passages answer this question? Answered before passages that wait."""

    session: str
    question: str
    texts: tuple[str, ...]


class DropSession(Message, frozen=True):
    """Forget what waits for this session; answered when nothing of it is being worked on either."""

    session: str


class SearchMemory(Message, frozen=True):
    """What follows each copy of a byte string in your memory? The string is sent masked, so that this holds none."""

    masked: bytes
    mask: bytes
    tail_bytes: int


EmbedderRequest = Ping | Describe | EmbedQuery | EmbedPassages | RankPairs | DropSession | SearchMemory

# --- embedder -> anyone ----------------------------------------------------------------------------------------------


class Pong(Message, frozen=True):
    """Here, with the model loaded, in a process that is hardened so."""

    hardening: Hardening


class Described(Message, frozen=True):
    """The model's card, and that of the cross-encoder where there is one."""

    card: ModelCard
    judge: JudgeCard | None = None


class Embedded(Message, frozen=True):
    """``data`` is ``(rows, dim)`` little-endian float32, row after row, in the order of the texts.

    ``model`` is the identity on the card of the model that made them.
    """

    model: str
    rows: int
    dim: int
    data: bytes


class Ranked(Message, frozen=True):
    """``data`` is ``(n_texts,)`` little-endian float32, in the order of the texts; the higher, the better."""

    data: bytes


class Dropped(Message, frozen=True):
    """How many texts were waiting and now are not."""

    texts: int


class MemorySearched(Message, frozen=True):
    """What follows each copy."""

    tails: tuple[bytes, ...]


class Refused(Message, frozen=True):
    """The request failed; ``slug`` names an error of ``models.errors``."""

    slug: str
    retry_after_seconds: int | None = None


EmbedderReply = Pong | Described | Embedded | Ranked | Dropped | MemorySearched | Refused
