"""What a cross-encoder adds to a question: 20 passages of about 200 tokens, a model of the usual small shape.

    python -m benchmarks.run --only second_stage --page build/bench/second-stage.md

Six layers, 384 wide, on two threads. Its weights are random: they cost as much as good ones and say nothing of quality.
"""

import random
import tempfile
import time
from pathlib import Path
from string import ascii_lowercase

from benchmarks.results import OURS, Row
from benchmarks.size import Size
from tests.support.cross_encoders import write_cross_encoder
from vectorstore.cross_encoder import CrossEncoderJudge

TITLE = "A cross-encoder as second stage"
PASSAGES, TOKENS, QUESTION_TOKENS, THREADS = 20, 200, 15, 2


def measure(size: Size) -> tuple[list[Row], list[str]]:
    """Return the rows; nothing can be missing where the tests' extra is installed."""
    with tempfile.TemporaryDirectory() as folder:
        judge = CrossEncoderJudge(write_cross_encoder(Path(folder), layers=6, width=384), threads=THREADS)
        draw = random.Random(0)  # noqa: S311  # Made-up words.
        question, passages = _words(draw, QUESTION_TOKENS), [_words(draw, TOKENS) for _ in range(PASSAGES)]
        rounds = [_round(judge, question, passages) for _ in range(size.rounds + 1)][1:]
    return [
        Row(work=f"{PASSAGES} passages of {TOKENS} tokens", system=OURS, unit=unit, values=tuple(values))
        for unit, values in zip(("ms", "ms of processor time"), zip(*rounds, strict=True), strict=True)
    ], []


def _words(draw: random.Random, tokens: int) -> str:
    """Return a text of so many tokens of the tests' tokenizer, which has one for each letter."""
    return " ".join(draw.choice(ascii_lowercase) for _ in range(tokens))


def _round(judge: CrossEncoderJudge, question: str, passages: list[str]) -> tuple[float, float]:
    """Judge all passages in the calls that the scheduler would make of them."""
    wall, cpu, size = time.perf_counter(), time.process_time(), judge.batching.texts
    for start in range(0, len(passages), size):
        batch = passages[start : start + size]
        judge.scores([question] * len(batch), batch)
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)
