"""A model that runs in a server of the operator's own, asked over HTTP. Off by default: texts leave for that server.

Its weights cannot be seen, so the card's hash stands for the address and the model's name: another of either is another
model. Refuses any answer that is not one finite vector of the first length for each text.
"""

import hashlib
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from models.errors import EmbeddingFailed, PartUnavailable
from vectorstore.container import UnreadableModel
from vectorstore.embedder import UNMEASURED, Batching, ModelCard, Vectors
from vectorstore.endpoint import Endpoint, EndpointConfig, EndpointRefused, EndpointUnavailable, decode, post
from vectorstore.tokens import TokenCounter

BACKEND = "endpoint"
_PAUSES_SECONDS = (0.2, 1.0)  # Between tries, so there are at most three.
_TEXTS_A_REQUEST, _TOKENS_A_REQUEST = 32, 16_384  # What text-embeddings-inference takes as it comes.
_BYTES_A_VECTOR, _BYTES_AROUND = 8192 * 32, 64 * 1024
_MAX_DIM = 8192


class EndpointEmbedder:
    """An ``Embedder`` behind an endpoint. Safe to call from several threads; each call is a request of its own.

    Asks once, to learn how long vectors are. Raises ``UnreadableModel`` when no usable answer comes.
    """

    batching = Batching(texts=_TEXTS_A_REQUEST, tokens=_TOKENS_A_REQUEST)

    def __init__(self, config: EndpointConfig, tokenizer_file: Path) -> None:
        self._config = config
        self._answering_model: str | None = None
        try:
            self._counter = TokenCounter(tokenizer_file, prefix=config.passage_prefix)
            self._special_tokens = len(self._counter.tokenizer.ids(""))
            self._endpoint = _open(config)
            probe, self._answering_model = self._ask(["."])
        except (EndpointRefused, EndpointUnavailable) as error:
            raise UnreadableModel(f"the embeddings endpoint cannot be used: {error}") from None
        self._dim = probe.shape[1]
        self.card = _card(config, self._answering_model, self._dim)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return ``(n_texts, dim) float32``, unit rows, in the order given. A text beyond the window is cut at it.

        Raises ``PartUnavailable`` when the endpoint does not answer, ``EmbeddingFailed`` when its answer is unusable.
        """
        requests = (texts[start : start + _TEXTS_A_REQUEST] for start in range(0, len(texts), _TEXTS_A_REQUEST))
        parts = [self._embed(self._config.passage_prefix, request) for request in requests]
        return np.concatenate([np.empty((0, self._dim), np.float32), *parts])

    def embed_query(self, text: str) -> Vectors:
        """Return ``(dim,) float32`` of unit length. Raises as ``embed_passages`` does."""
        return self._embed(self._config.query_prefix, [text])[0]

    def count_tokens(self, text: str) -> int:
        """Return how many tokens the text takes as a passage, special tokens and prefix included."""
        return self._counter.count(text)

    def _embed(self, prefix: str, texts: Sequence[str]) -> Vectors:
        try:
            vectors, model = self._ask([self._cut(prefix + text) for text in texts])
        except EndpointUnavailable:
            raise PartUnavailable from None
        except EndpointRefused:
            raise EmbeddingFailed from None
        if vectors.shape[1] != self._dim or model != self._answering_model:
            raise EmbeddingFailed
        return vectors

    def _ask(self, texts: list[str]) -> tuple[Vectors, str | None]:
        """Ask, again after a pause where that may help, but no longer than the endpoint's seconds in all."""
        deadline = time.monotonic() + self._endpoint.max_seconds
        body = msgspec.json.encode({"model": self._config.model, "input": texts, "encoding_format": "float"})
        max_bytes = _BYTES_AROUND + len(texts) * _BYTES_A_VECTOR
        for pause_seconds in _PAUSES_SECONDS:
            try:
                answer = post(self._endpoint, body, deadline=deadline, max_bytes=max_bytes)
                return _checked(*decode(answer, rows=len(texts)))
            except EndpointUnavailable:
                if time.monotonic() + pause_seconds >= deadline:
                    raise
                time.sleep(pause_seconds)
        answer = post(self._endpoint, body, deadline=deadline, max_bytes=max_bytes)
        return _checked(*decode(answer, rows=len(texts)))

    def _cut(self, text: str) -> str:
        """Return as much of a text as fits the window, so that no server has to decide what to leave out."""
        starts = self._counter.tokenizer.starts(text)
        room = self._config.max_tokens - self._special_tokens
        return text if len(starts) <= room else text[: starts[room]]


def _open(config: EndpointConfig) -> Endpoint:
    try:
        key = Path(config.key_file).read_text(encoding="ascii").strip() if config.key_file else None
        tls = ssl.create_default_context(cafile=config.ca_file)
    except (OSError, UnicodeDecodeError):
        raise EndpointRefused("its key or its certificates cannot be read") from None
    return Endpoint(config.url, key, config.max_seconds, config.allow_http, tls)


def _checked(untrusted_vectors: list[list[float]], model: str | None) -> tuple[Vectors, str | None]:
    """Return unit rows. Raises ``EndpointRefused`` unless all are finite, not null, and of one length."""
    dim = len(untrusted_vectors[0])
    if not 0 < dim <= _MAX_DIM or any(len(vector) != dim for vector in untrusted_vectors):
        raise EndpointRefused("its vectors have no length, or several")
    vectors = np.array(untrusted_vectors, np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.all(np.isfinite(lengths)) or not np.all(lengths > 0):
        raise EndpointRefused("its vectors are not finite, or null")
    return (vectors / lengths).astype(np.float32), model


def _card(config: EndpointConfig, answering_model: str | None, dim: int) -> ModelCard:
    identity = "\n".join((config.url, config.model, answering_model or ""))
    return ModelCard(
        name=config.model,
        backend=BACKEND,
        sha256=hashlib.sha256(identity.encode()).hexdigest(),
        dim=dim,
        max_tokens=config.max_tokens,
        query_prefix=config.query_prefix,
        passage_prefix=config.passage_prefix,
        relevance=UNMEASURED,
        relevance_across=UNMEASURED,
    )
