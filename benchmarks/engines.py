"""How fast vectors are made: our default backend beside other ways to run the same weights, and the int8 limit.

Every engine has a process and two threads of its own and is loaded first; each round times each engine once over the
same texts. Texts are XQuAD paragraphs in four languages, some 200 tokens each, where the shared data lies beside the
checkout. The limit multiplies the model's matrices in 8 bits and does nothing else; "ours is better by" is then the
share of the limit that ours reaches.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from api.settings import Settings
from benchmarks import material, plain_onnx
from benchmarks.results import OURS, Row
from benchmarks.size import Size
from vectorstore import models

TITLE = "Passages embedded, the same weights in every engine"
THREADS = 2
_SCRIPT = Path("benchmarks/peers/engine.py")
_OPENVINO = Path("build/peers/openvino/bin/python")
_PLAIN = Path("build/bench/onnx")
_QUESTIONS = 20
_LIMIT = "int8-limit"
_PEER = "sentence-transformers"


@dataclass(frozen=True, slots=True)
class Way:
    """One line of the table: an engine, its batch, what it is called."""

    engine: str
    name: str
    batch: int = 1


_REFERENCE = Way(_PEER, "sentence-transformers, float32, batch 1")
_WAYS = (
    Way("mayfly", OURS),
    Way(_PEER, "sentence-transformers, float32, batch 32 (its default)", 32),
    Way(_PEER, "sentence-transformers, float32, batch 8", 8),
    _REFERENCE,
    Way("onnxruntime-float32", "onnxruntime, float32"),
    Way("onnxruntime-int8", "onnxruntime, its own int8"),
    Way("openvino-float32", "OpenVINO, float32"),
    Way("openvino-bfloat16", "OpenVINO, bfloat16"),
    Way(_LIMIT, "int8 matrices alone (the limit)"),
)


class Engine:
    """A worker process that embeds when told to."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        python = _OPENVINO if name.startswith("openvino") else Path(sys.executable)
        environment = os.environ | {"PYTHONPATH": ".", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
        self._process = subprocess.Popen(
            [str(python), str(_SCRIPT), name, str(folder), str(THREADS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True,
        )  # fmt: skip
        self.load_seconds = float(self._hear()["load_seconds"])

    def embed(self, texts: Sequence[str], *, batch: int = 1, vectors: bool = False) -> dict[str, Any]:
        """Return what the worker measured, and with ``vectors`` these too."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"texts": texts, "batch": batch, "vectors": vectors}) + "\n")
        self._process.stdin.flush()
        return self._hear()

    def stop(self) -> None:
        """End the worker."""
        self._process.terminate()
        self._process.communicate()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def measure(size: Size) -> tuple[list[Row], list[str]]:
    """Return the rows of all engines that can run here, and which cannot."""
    plain_onnx.write(_PLAIN)
    missing = [] if _OPENVINO.exists() else ["OpenVINO: run benchmarks/peers/make-venv openvino"]
    ways = [way for way in _WAYS if _OPENVINO.exists() or not way.engine.startswith("openvino")]
    texts = material.passages(size.texts)
    with ExitStack() as running:
        engines = {name: _open(name, running) for name in dict.fromkeys(way.engine for way in ways)}
        for engine in engines.values():
            engine.embed(texts[:4])
        runs = {way: list[dict[str, Any]]() for way in ways}
        for _ in range(size.rounds):
            for way in ways:
                runs[way].append(engines[way.engine].embed(texts, batch=way.batch))
        cosines = _cosines(engines, texts[:32])
        rows = [row for way in ways for row in _rows(way, engines[way.engine], runs[way], len(texts), cosines)]
        asked = [_questions(way, engines[way.engine], size) for way in ways if way.batch == 1 and way.engine != _LIMIT]
    return [*rows, *asked], missing


def _open(name: str, running: ExitStack) -> Engine:
    folder = Settings().model_dir
    if name == _PEER:
        folder = models.prepare("packaged", folder, backend="sentence-transformers").folder
    engine = Engine(name, folder if name in {"mayfly", _PEER} else _PLAIN)
    running.callback(engine.stop)
    return engine


def _rows(
    way: Way, engine: Engine, runs: list[dict[str, Any]], texts: int, cosines: dict[str, float]
) -> tuple[Row, Row]:
    """Return speed by the clock, and by CPU time, which other work on the machine disturbs less."""
    facts: dict[str, float | str] = {
        "load s": engine.load_seconds,
        "peak MB": max(run["peak_bytes"] for run in runs) / 1e6,
    }
    if way.engine in cosines:
        facts["lowest cosine"] = f"{cosines[way.engine]:.4f}"
    rates = tuple(round(texts / run["seconds"], 3) for run in runs)
    costs = tuple(round(1000 * run["cpu_seconds"] / texts, 3) for run in runs)
    return (
        Row(
            work=f"embed passages, {THREADS} threads",
            system=way.name,
            unit="texts/s",
            values=rates,
            better="higher",
            facts=facts,
        ),
        Row(work="CPU time a passage", system=way.name, unit="ms", values=costs),
    )


def _questions(way: Way, engine: Engine, size: Size) -> Row:
    times = [
        statistics.median(
            engine.embed([material.question(turn * _QUESTIONS + i)])["seconds"] for i in range(_QUESTIONS)
        )
        for turn in range(size.rounds)
    ]
    values = tuple(round(1000 * seconds, 3) for seconds in times)
    return Row(work="embed one question", system=way.name, unit="ms", values=values)


def _cosines(engines: dict[str, Engine], texts: Sequence[str]) -> dict[str, float]:
    """Return the lowest cosine of each engine with sentence-transformers in float32, one text at a time."""
    vectors = {
        name: np.array(engine.embed(texts, vectors=True)["vectors"])
        for name, engine in engines.items()
        if name != _LIMIT
    }
    return {name: float((rows * vectors[_PEER]).sum(axis=1).min()) for name, rows in vectors.items()}
