"""Any sentence-transformers model folder, on whatever device torch finds. Needs the ``sentence-transformers`` extra."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

# Offline whatever the caller's environment says; read when the libraries are imported.
os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
import torch
import transformers
from sentence_transformers import SentenceTransformer

from vectorstore.container import UnreadableModel
from vectorstore.embedder import Batching, ModelCard, Vectors
from vectorstore.tokens import TokenCounter, forget_words

# Calls take turns, so a second one at once would only keep a question waiting.
ON_CPU, ON_DEVICE = Batching(calls=1), Batching(texts=64, tokens=16_384, calls=1)


class SentenceTransformersEmbedder:
    """An ``Embedder`` over a checked folder. Safe to call from several threads; they take turns.

    ``threads`` is how many cores torch may use. On a CPU texts run one by one, which is faster there and keeps a vector
    independent of its neighbours; on a device they run in batches. Raises ``UnreadableModel`` when the model does not
    make vectors of the card's length.
    """

    def __init__(self, folder: Path, card: ModelCard, *, threads: int) -> None:
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        torch.set_num_threads(threads)
        self.card = card
        self._turn = threading.Lock()
        self._counter = TokenCounter(folder / "tokenizer.json", prefix=card.passage_prefix)
        self._model: Any = SentenceTransformer(str(folder), trust_remote_code=False, local_files_only=True)
        self._model.max_seq_length = card.max_tokens
        self.batching = ON_CPU if self._model.device.type == "cpu" else ON_DEVICE
        forget_words(self._model.tokenizer.backend_tokenizer)
        if self._model.get_embedding_dimension() != card.dim:
            raise UnreadableModel("the model makes vectors of another length than its files say")

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return ``(n_texts, dim) float32``, unit rows, in the order given. A text beyond the window is cut at it."""
        if not texts:
            return np.empty((0, self.card.dim), np.float32)
        return self._encode([self.card.passage_prefix + text for text in texts])

    def embed_query(self, text: str) -> Vectors:
        """Return ``(dim,) float32`` of unit length."""
        return self._encode([self.card.query_prefix + text])[0]

    def count_tokens(self, text: str) -> int:
        """Return how many tokens the text takes as a passage, special tokens and prefix included."""
        return self._counter.count(text)

    def _encode(self, texts: list[str]) -> Vectors:
        # The prompt is part of the text already; an empty one keeps the folder's default prompt out.
        options = {"prompt": "", "normalize_embeddings": True, "show_progress_bar": False, "convert_to_numpy": True}
        with self._turn:
            vectors = self._model.encode(texts, batch_size=self.batching.texts, **options)
        return np.asarray(vectors, np.float32)
