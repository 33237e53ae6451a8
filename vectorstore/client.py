"""The other side of the embedder's socket: what the rest of Mayfly uses to turn text into vectors.

Every call opens a connection of its own, so hanging up (a session process that is killed, say) is enough to have its
waiting texts dropped. Nothing that comes back is trusted to have the right shape.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
import numpy as np

from models import errors
from processes import ipc
from processes.hardening import Hardening
from vectorstore import messages
from vectorstore.embedder import JudgeCard, ModelCard, Vectors

_UNIT_TOLERANCE = 1e-3
_CONTROL_TIMEOUT_SECONDS = 30.0
# Below the front's own patience with a session process, so that it hears which part failed.
_QUERY_TIMEOUT_SECONDS = 20.0
_PASSAGES_TIMEOUT_SECONDS = 120.0

_Reply = TypeVar("_Reply", bound=msgspec.Struct)


class Holder(Protocol):
    """What may abort a connection from another thread while it is used, a job that can be cancelled, say.

    A protocol although one type fits it today: that type belongs to a layer above this one.
    """

    def holding(self, connection: ipc.Connection, /) -> contextlib.AbstractContextManager[None]:
        """Keep the connection within reach while the block runs. May raise instead of entering it."""
        ...


class EmbedderClient:
    """Calls the embedder that listens on ``socket``. Safe to use from several threads; holds no connection.

    Every method raises ``PartUnavailable`` when the embedder is gone or goes away before it has answered.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._card: ModelCard | None = None

    def ping(self) -> Hardening:
        """Return, once the embedder answers with its model loaded, how its process is hardened."""
        return self._call(messages.Ping(), messages.Pong, timeout_seconds=_CONTROL_TIMEOUT_SECONDS).hardening

    def card(self) -> ModelCard:
        """Return which model makes the vectors. Asked once: what comes later from another model is refused."""
        if self._card is None:
            answer = self._call(messages.Describe(), messages.Described, timeout_seconds=_CONTROL_TIMEOUT_SECONDS)
            self._card = answer.card
        return self._card

    def embed_query(self, text: str, *, session: str) -> Vectors:
        """Return the question's vector, ``(dim,) float32`` of unit length.

        Raises ``QueueFull`` when too much waits, ``PartUnavailable`` after 20 s, ``EmbeddingFailed`` when the model's
        answer is unusable and ``ModelChanged`` when the embedder came back with another model than ``card`` names.
        """
        card = self.card()
        request = messages.EmbedQuery(session=session, text=text)
        answer = self._call(request, messages.Embedded, timeout_seconds=_QUERY_TIMEOUT_SECONDS)
        return _checked(answer, rows=1, card=card)[0]

    def embed_passages(self, texts: Sequence[str], *, session: str, job: Holder | None = None) -> Vectors:
        """Return one vector a text, ``(n_texts, dim) float32``, unit rows, in the order given.

        Waits for the queue, at most 120 s. Hang up by dying, have the session dropped, or give a ``job``, whose
        cancelling ends the wait with ``PartUnavailable`` or with what its ``holding`` raises. Raises ``QueueFull`` and
        ``EmbeddingFailed`` and ``ModelChanged`` as ``embed_query`` does.
        """
        card = self.card()
        if not texts:
            return np.empty((0, card.dim), np.float32)
        request = messages.EmbedPassages(session=session, texts=tuple(texts))
        answer = self._call(request, messages.Embedded, timeout_seconds=_PASSAGES_TIMEOUT_SECONDS, job=job)
        return _checked(answer, rows=len(texts), card=card)

    def judge(self) -> JudgeCard | None:
        """Return which cross-encoder puts passages in order, or ``None`` without one."""
        return self._call(messages.Describe(), messages.Described, timeout_seconds=_CONTROL_TIMEOUT_SECONDS).judge

    def rank(self, question: str, texts: Sequence[str], *, session: str, timeout_seconds: float) -> Vectors:
        """Return how well each text answers the question, ``(n_texts,) float32``; the higher, the better.

        Raises ``PartUnavailable`` when there is no cross-encoder or no answer in time, ``QueueFull``, and
        ``EmbeddingFailed`` when the answer is unusable.
        """
        request = messages.RankPairs(session=session, question=question, texts=tuple(texts))
        answer = self._call(request, messages.Ranked, timeout_seconds=timeout_seconds)
        if len(answer.data) != 4 * len(texts):
            raise errors.EmbeddingFailed
        scores = np.frombuffer(answer.data, dtype="<f4").astype(np.float32)
        if not np.all(np.isfinite(scores)):
            raise errors.EmbeddingFailed
        return scores

    def drop(self, session: str) -> int:
        """Forget all that waits for this session; return how many texts that were.

        When it returns, none of the session's texts is in the embedder's queue or in work.
        """
        request = messages.DropSession(session=session)
        return self._call(request, messages.Dropped, timeout_seconds=_CONTROL_TIMEOUT_SECONDS).texts

    def search_memory(self, masked: bytes, mask: bytes, *, tail_bytes: int) -> tuple[bytes, ...]:
        """Return what follows each copy of a byte string (``masked`` xor ``mask``) in the embedder's memory.

        Takes about a second of one core there.
        """
        request = messages.SearchMemory(masked=masked, mask=mask, tail_bytes=tail_bytes)
        return self._call(request, messages.MemorySearched, timeout_seconds=_CONTROL_TIMEOUT_SECONDS).tails

    def _call(
        self, request: msgspec.Struct, expected: type[_Reply], *, timeout_seconds: float, job: Holder | None = None
    ) -> _Reply:
        try:
            with (
                ipc.connect(self._socket, messages.EmbedderReply, timeout_seconds=timeout_seconds) as connection,
                job.holding(connection) if job else contextlib.nullcontext(),
            ):
                reply = connection.call(request)
        except ipc.PeerGone:
            raise errors.PartUnavailable from None
        except (ipc.FrameTooLarge, msgspec.DecodeError, UnicodeEncodeError):
            raise errors.EmbeddingFailed from None
        if isinstance(reply, messages.Refused):
            raise errors.from_slug(reply.slug, retry_after_seconds=reply.retry_after_seconds)
        if not isinstance(reply, expected):
            raise errors.EmbeddingFailed
        return reply


def _checked(answer: messages.Embedded, *, rows: int, card: ModelCard) -> Vectors:
    """Return the ``(rows, dim)`` vectors. Raises ``EmbeddingFailed`` unless they are that many finite unit rows.

    Raises ``ModelChanged`` when another model made them than the one on the card.
    """
    if answer.model != card.identity:
        raise errors.ModelChanged
    dim = card.dim
    if (answer.rows, answer.dim) != (rows, dim) or len(answer.data) != rows * dim * 4:
        raise errors.EmbeddingFailed
    vectors = np.frombuffer(answer.data, dtype="<f4").reshape(rows, dim).astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1)
    if not np.all(np.abs(lengths - 1.0) < _UNIT_TOLERANCE):  # NaN compares false, so it is refused here as well
        raise errors.EmbeddingFailed
    return vectors
