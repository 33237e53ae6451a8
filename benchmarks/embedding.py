"""How fast are vectors made: our onnx backend beside sentence-transformers, same weights, same texts, paired rounds.

    python benchmarks/embedding.py [--texts 64] [--rounds 3] [--threads 2] [--json result.json]

Every engine is loaded first; each round times each engine once over the same texts, so that a busy machine slows all of
them alike; ratios are taken within a round. sentence-transformers runs at its default batch of 32 and at the best batch
of 1, 8 and 32 found in a warm-up. Texts are XQuAD paragraphs in four languages when the shared data lies beside the
checkout, otherwise the texts of the test library.
"""

import argparse
import gzip
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "retrieval"
BATCHES = (1, 8, 32)
DEFAULT_BATCH = 32
sys.path.insert(0, str(ROOT))

Encode = Callable[[Sequence[str]], Any]


@dataclass(frozen=True, slots=True)
class Result:
    """Rates are texts a second, one a round; ``ratio`` is ours over theirs, the median of the rounds."""

    texts: int
    mean_tokens: float
    threads: int
    best_batch: int
    texts_per_second: dict[str, list[float]]
    query_ms: dict[str, float]
    ratio_to_default: float
    ratio_to_best: float
    least_cosine: float


def main() -> None:
    arguments = parse()
    result = measure(load_texts(arguments.texts), rounds=arguments.rounds, threads=arguments.threads)
    text = json.dumps(asdict(result), indent=2)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)
    print(f"ours / sentence-transformers default batch: {result.ratio_to_default:.2f}")
    print(f"ours / sentence-transformers batch {result.best_batch}: {result.ratio_to_best:.2f}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def load_texts(count: int) -> list[str]:
    """Return that many paragraphs, evenly from all languages there are."""
    paragraphs: list[str] = []
    for file in sorted(DATA.glob("xquad.*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        paragraphs += [row["text"] for row in rows if row["t"] == "d"]
    if not paragraphs:
        from tests.support import library

        paragraphs = [*library.ENGLISH, *library.FRENCH, *library.CHINESE, *library.JAPANESE]
    return paragraphs[:: max(1, len(paragraphs) // count)][:count]


def measure(texts: list[str], *, rounds: int, threads: int) -> Result:
    """Load both backends, warm them up, run the rounds."""
    from api.settings import Settings
    from vectorstore import models

    folder = Settings().model_dir
    ours = models.load(models.prepare("packaged", folder, backend="onnx"), threads=threads)
    theirs, prompted = load_sentence_transformers(folder, threads)
    best = min(BATCHES, key=lambda batch: seconds(prompted(batch), texts[: max(8, len(texts) // 4)]))
    engines: dict[str, Encode] = {"ours": ours.embed_passages, "default": prompted(DEFAULT_BATCH)}
    if best != DEFAULT_BATCH:
        engines["best"] = prompted(best)
    ours.embed_passages(texts[:4])
    rates: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, encode in engines.items():
            rates[name].append(len(texts) / seconds(encode, texts))
    cosines = (ours.embed_passages(texts) * prompted(best)(texts)).sum(axis=1)
    return Result(
        texts=len(texts),
        mean_tokens=statistics.mean(ours.count_tokens(text) for text in texts),
        threads=threads,
        best_batch=best,
        texts_per_second=rates,
        query_ms={"ours": query_ms(ours.embed_query), "sentence-transformers": query_ms(theirs)},
        ratio_to_default=ratio(rates["ours"], rates["default"]),
        ratio_to_best=ratio(rates["ours"], rates.get("best", rates["default"])),
        least_cosine=float(cosines.min()),
    )


def load_sentence_transformers(folder: Path, threads: int) -> tuple[Callable[[str], Any], Callable[[int], Encode]]:
    """Return its query function, and its passage function for a batch size; used as its own documents say."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    import torch
    from sentence_transformers import SentenceTransformer

    from vectorstore import models

    torch.set_num_threads(threads)
    prepared = models.prepare("packaged", folder, backend="sentence-transformers")
    model: Any = SentenceTransformer(str(prepared.folder), local_files_only=True, trust_remote_code=False)

    def passages(batch: int) -> Encode:
        return lambda texts: model.encode_document(list(texts), batch_size=batch, show_progress_bar=False)

    return model.encode_query, passages


def seconds(encode: Encode, texts: Sequence[str]) -> float:
    started = time.perf_counter()
    encode(texts)
    return time.perf_counter() - started


def query_ms(encode: Callable[[str], Any], *, repeats: int = 20) -> float:
    """Return the median time of one question, in milliseconds."""
    times: list[float] = []
    for number in range(repeats):
        started = time.perf_counter()
        encode(f"How many people live in house number {number}?")
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


if __name__ == "__main__":
    main()
