"""Real embedders for tests, prepared once a machine and loaded once a run; and one whose every step a test controls."""

import functools
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np

from api.settings import Settings
from processes.hardening import child_environment
from vectorstore import models
from vectorstore.embedder import Batching, Embedder, ModelCard, RelevanceBands, Vectors
from vectorstore.server import EmbedderConfig

BANDS = RelevanceBands(0.2, 0.4, 0.6)
CARD = ModelCard("fake", "fake", "0" * 64, 8, 16, "q: ", "p: ", BANDS, BANDS)


@functools.cache
def prepared(backend: models.BackendChoice = "onnx") -> models.PreparedModel:
    """Return the packaged model, converted into the place where the service would look for it."""
    return models.prepare("packaged", Settings().model_dir, backend=backend)


@functools.cache
def packaged(backend: models.BackendChoice = "onnx") -> Embedder:
    """Return the packaged model, loaded."""
    return models.load(prepared(backend), threads=2)


def toy_vector(text: str) -> Vectors:
    """Return the unit vector, ``(8,) float32``, that the gated embedder gives a text."""
    row = np.frombuffer(hashlib.sha256(text.encode()).digest()[:8], np.uint8).astype(np.float32) + 1
    return (row / np.linalg.norm(row)).astype(np.float32)


class GatedEmbedder:
    """Embeds one text at each ``allow``; ``started`` lists the texts in the order in which they were begun."""

    card = CARD
    batching = Batching()

    def __init__(self) -> None:
        self.started: list[str] = []
        self._begun = threading.Condition()
        self._gate = threading.Semaphore(0)
        self.failing: set[str] = set()

    def allow(self, texts: int = 1) -> None:
        self._gate.release(texts)

    def wait_until_started(self, texts: int) -> None:
        with self._begun:
            assert self._begun.wait_for(lambda: len(self.started) >= texts, timeout=60)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> Vectors:
        with self._begun:
            self.started.append(text)
            self._begun.notify_all()
        assert self._gate.acquire(timeout=60)
        if text in self.failing:
            raise ValueError(text)
        return toy_vector(text)

    def count_tokens(self, text: str) -> int:
        return len(text.split()) + 3


@contextmanager
def embedder_process(
    folder: Path, *, threads: int = 2, cross_encoder: Path | None = None
) -> Generator[tuple[Path, subprocess.Popen[bytes]]]:
    """Run ``python -m vectorstore.server`` as the launcher does; give its socket, once it accepts, and the process."""
    socket = folder / "embedder.sock"
    config = EmbedderConfig(
        socket=str(socket),
        model="packaged",
        model_dir=str(prepared().folder.parent),
        backend="onnx",
        threads=threads,
        queue_texts=64,
        cross_encoder=None if cross_encoder is None else str(cross_encoder),
    )
    ready_read, ready_write = os.pipe()
    environment = child_environment(folder, scrubbing=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "vectorstore.server"], stdin=subprocess.PIPE, stderr=ready_write, env=environment
    )
    os.close(ready_write)
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(config))
    process.stdin.close()
    try:
        with os.fdopen(ready_read, "rb") as log:
            assert b"embedder_ready" in log.readline()
            yield socket, process
    finally:
        process.terminate()
        process.wait(timeout=60)
