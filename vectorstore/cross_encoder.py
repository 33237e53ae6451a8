"""A second stage with a model of its own: it reads question and passage together and says how well they fit.

The model is a local folder that sentence-transformers' ``CrossEncoder`` reads (the ``sentence-transformers`` extra).
Nothing is downloaded, and a folder with code or pickles in it is refused. Its scores put passages in order and are good
for nothing else: they know no scale that means the same from one model to the next.
"""

import importlib.util
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vectorstore.container import UnreadableModel
from vectorstore.embedder import Batching, JudgeCard, Vectors
from vectorstore.model_folder import (
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    read_json,
    refuse_damaged,
    refuse_programs,
    sha256_of,
    window_of,
)
from vectorstore.tokens import TokenCounter, forget_words

# Small calls, one at a time: a question that comes meanwhile waits for one of them.
_ON_CPU = Batching(texts=8, tokens=2048, calls=1)
_ON_DEVICE = Batching(texts=32, tokens=16_384, calls=1)


def check(folder: Path) -> None:
    """Say, before anything is started, why the folder cannot be used; the libraries are not imported.

    Raises ``UnreadableModel`` as ``adopt`` does, and when sentence-transformers is not installed.
    """
    adopt(folder)
    if importlib.util.find_spec("sentence_transformers") is None:
        raise UnreadableModel("a cross-encoder needs the extra sentence-transformers, which is not installed")


def adopt(folder: Path) -> JudgeCard:
    """Check a folder and return its card; nothing is loaded.

    Raises ``UnreadableModel`` when the folder is not there, lacks something, holds a program, or gives no single score.
    """
    if not folder.is_dir():
        raise UnreadableModel("the folder of the cross-encoder does not exist")
    refuse_programs(folder, ())
    refuse_damaged(folder / WEIGHTS_FILE)
    labels = read_json(folder / "config.json").get("id2label") or {}
    if len(labels) != 1:
        raise UnreadableModel("the model does not give one score a pair, so it is no cross-encoder for ranking")
    return JudgeCard(folder.resolve().name, sha256_of(folder / WEIGHTS_FILE), window_of(folder))


class CrossEncoderJudge:
    """A ``PairJudge`` over a folder. Safe to call from several threads; they take turns.

    Raises ``UnreadableModel`` as ``adopt`` does, and when the folder cannot be loaded or gives no finite numbers;
    ``ImportError`` without the ``sentence-transformers`` extra.
    """

    def __init__(self, folder: Path, *, threads: int) -> None:
        self.card = adopt(folder)
        # Offline whatever the caller's environment says, and no thread that waits for another keeps a core busy, which
        # the embedder may need; both are read when the libraries are imported.
        os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        import torch
        import transformers
        from sentence_transformers import CrossEncoder

        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        torch.set_num_threads(threads)
        self._turn = threading.Lock()
        self._plain = torch.nn.Identity()
        self._counter = TokenCounter(folder / TOKENIZER_FILE)
        try:
            self._model: Any = CrossEncoder(str(folder), trust_remote_code=False, local_files_only=True)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise UnreadableModel(f"the cross-encoder cannot be loaded: {type(error).__name__}") from None
        self._model.max_seq_length = self.card.max_tokens
        forget_words(self._model.tokenizer.backend_tokenizer)
        self.batching = _ON_CPU if self._model.device.type == "cpu" else _ON_DEVICE
        if not np.all(np.isfinite(self.scores([""], ["."]))):
            raise UnreadableModel("the cross-encoder gives no numbers")

    def scores(self, questions: Sequence[str], passages: Sequence[str]) -> Vectors:
        """Return one number a pair, ``(n_pairs,) float32``, the higher the better. What is too long is cut."""
        pairs = [[question, passage] for question, passage in zip(questions, passages, strict=True)]
        with self._turn:
            scores = self._model.predict(
                pairs, batch_size=len(pairs), activation_fn=self._plain, show_progress_bar=False
            )
        return np.asarray(scores, np.float32).reshape(len(pairs))

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a passage takes by itself."""
        return self._counter.count(text)
