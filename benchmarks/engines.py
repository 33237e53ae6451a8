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
from benchmarks.machine import versions_in
from benchmarks.results import OURS, Tally
from benchmarks.size import Size
from vectorstore import models

TITLE = "Passages embedded, the same weights in every engine"
THREADS = 2
_SCRIPT = Path("benchmarks/peers/engine.py")
_OPENVINO = Path("build/peers/openvino")
_PLAIN = Path("build/bench/onnx")
_QUESTIONS = 20
_LIMIT = "int8-limit"
EMBED = f"embed passages, {THREADS} threads"
LIMIT_NAME = "int8 matrices alone (the limit)"
_PEER = "sentence-transformers"


@dataclass(frozen=True, slots=True)
class Way:
    """One line of the table: an engine, its batch, what it is called."""

    engine: str
    name: str
    batch: int = 1


_WAYS = (
    Way("mayfly", OURS),
    Way(_PEER, "sentence-transformers, float32, batch 32 (its default)", 32),
    Way(_PEER, "sentence-transformers, float32, batch 8", 8),
    Way(_PEER, "sentence-transformers, float32, batch 1"),
    Way("onnxruntime-float32", "onnxruntime, float32"),
    Way("onnxruntime-int8", "onnxruntime, its own int8"),
    Way("openvino-float32", "OpenVINO, float32"),
    Way("openvino-bfloat16", "OpenVINO, bfloat16"),
    Way(_LIMIT, LIMIT_NAME),
)


class Engine:
    """A worker process that embeds when told to."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        python = _OPENVINO / "bin/python" if name.startswith("openvino") else Path(sys.executable)
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


def measure(size: Size, tally: Tally) -> None:
    """Note the rows of all engines that can run here, and which cannot."""
    plain_onnx.write(_PLAIN)
    texts = material.passages(size.texts)
    with ExitStack() as running:
        engines = {name: _open(name, running, tally) for name in dict.fromkeys(way.engine for way in _WAYS)}
        running_ones = {name: engine for name, engine in engines.items() if engine is not None}
        ways = [way for way in _WAYS if way.engine in running_ones]
        for engine in running_ones.values():
            engine.embed(texts[:4])
        cosines = _cosines(running_ones, texts[:16])
        for turn in range(size.rounds):
            # Who follows whom changes: a processor that got warm is not always somebody else's.
            for way in ways[turn % len(ways) :] + ways[: turn % len(ways)]:
                _passages(way, running_ones[way.engine], texts, cosines, tally)
            for way in ways:
                if way.batch == 1 and way.engine != _LIMIT:
                    _question(way, running_ones[way.engine], turn, tally)


def _open(name: str, running: ExitStack, tally: Tally) -> Engine | None:
    """Start an engine; one that does not start is named among what is missing."""
    if name.startswith("openvino") and not (_OPENVINO / "made-from").exists():
        tally.missing.append(f"{name}: run benchmarks/peers/make-venv openvino")
        return None
    folder = Settings().model_dir
    if name == _PEER:
        folder = models.prepare("packaged", folder, backend="sentence-transformers").folder
    try:
        engine = Engine(name, folder if name in {"mayfly", _PEER} else _PLAIN)
    except (OSError, ValueError) as error:
        tally.missing.append(f"{name}: did not start ({type(error).__name__})")
        return None
    running.callback(engine.stop)
    if name.startswith("openvino"):
        tally.versions["OpenVINO"] = versions_in(_OPENVINO, ("openvino", "tokenizers", "numpy"))
    return engine


def _passages(way: Way, engine: Engine, texts: Sequence[str], cosines: dict[str, float], tally: Tally) -> None:
    """Note speed by the clock, and by CPU time, which other work on the machine disturbs less."""
    run = engine.embed(texts, batch=way.batch)
    facts: dict[str, float | str] = {"load_s": engine.load_seconds, "peak_MB": run["peak_bytes"] / 1e6}
    if way.engine in cosines:
        facts["lowest_cosine"] = f"{cosines[way.engine]:.4f}"
    rate = len(texts) / run["seconds"]
    tally.note(EMBED, way.name, rate, "texts/s", better="higher", **facts)
    tally.note("CPU time a passage", way.name, 1000 * run["cpu_seconds"] / len(texts), "ms")


def _question(way: Way, engine: Engine, turn: int, tally: Tally) -> None:
    numbers = range(turn * _QUESTIONS, (turn + 1) * _QUESTIONS)
    seconds = statistics.median(engine.embed([material.question(number)])["seconds"] for number in numbers)
    tally.note("embed one question", way.name, 1000 * seconds, "ms")


def _cosines(engines: dict[str, Engine], texts: Sequence[str]) -> dict[str, float]:
    """Return the lowest cosine of each engine with sentence-transformers in float32, one text at a time."""
    vectors = {
        name: np.array(engine.embed(texts, vectors=True)["vectors"])
        for name, engine in engines.items()
        if name != _LIMIT
    }
    return {name: float((rows * vectors[_PEER]).sum(axis=1).min()) for name, rows in vectors.items()}
