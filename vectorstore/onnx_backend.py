"""The packaged model on onnxruntime: one text a run, one thread a run, several texts at once.

Measured on processors without VNNI: larger batches are slower because activations leave the caches, and a vector would
depend on its neighbours. Buffers are given back after every run, so that the scrubbing allocator can overwrite them.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

# The runtime reports home unless told otherwise before it is first imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

from vectorstore import graph
from vectorstore.embedder import Batching, ModelCard, Vectors
from vectorstore.packaged import MODEL_FILE
from vectorstore.tokens import PIECES_FILE, TokenCounter

# No token stands for more characters than this, give or take runs of blanks, so nothing inside the window is lost.
_CHARACTERS_PER_TOKEN = 64


class OnnxEmbedder:
    """An ``Embedder`` over a prepared folder. Safe to call from several threads at once.

    ``threads`` texts of one ``embed_passages`` call are worked on at the same time.
    """

    batching = Batching()  # Larger batches are slower, and a vector would depend on its neighbours.

    def __init__(self, folder: Path, card: ModelCard, *, threads: int) -> None:
        self.card = card
        self._counter = TokenCounter(folder / PIECES_FILE, prefix=card.passage_prefix)
        self._session = open_session(folder / MODEL_FILE)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="embed")

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return ``(n_texts, dim) float32``, unit rows, in the order given. A text beyond the window is cut at it."""
        prefixed = [self.card.passage_prefix + text for text in texts]
        if len(prefixed) == 1:
            return self._run(prefixed[0])
        if not prefixed:
            return np.empty((0, self.card.dim), np.float32)
        return np.concatenate(list(self._threads.map(self._run, prefixed)))

    def embed_query(self, text: str) -> Vectors:
        """Return ``(dim,) float32`` of unit length."""
        return self._run(self.card.query_prefix + text)[0]

    def count_tokens(self, text: str) -> int:
        """Return how many tokens the text takes as a passage, special tokens and prefix included."""
        return self._counter.count(text)

    def _run(self, text: str) -> Vectors:
        window = self.card.max_tokens
        ids = self._counter.tokenizer.ids(text[: window * _CHARACTERS_PER_TOKEN])
        if len(ids) > window:
            ids = ids[: window - 1] + ids[-1:]  # The closing token stays.
        (vectors,) = self._session.run([graph.OUTPUT], {graph.INPUT: np.array([ids], np.int64)})
        return vectors


def open_session(model_file: Path) -> Any:
    """Open a model to be run by the calling thread alone, without an arena that keeps old activations."""
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 3  # Errors only: warnings can name shapes, never more than that, and help nobody here.
    return onnxruntime.InferenceSession(str(model_file), options, providers=["CPUExecutionProvider"])
