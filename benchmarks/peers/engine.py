"""One way of making vectors, in a process of its own: ``python engine.py ENGINE FOLDER THREADS``.

It answers one line of JSON with another: ``{"texts": […], "batch": 8}`` with the seconds that embedding them took, the
CPU seconds of it and the most memory held so far; with ``"vectors": true`` the vectors come too. An engine without
batches runs one text after the other on each thread. The first line comes when the model is loaded. ``openvino`` runs
in the environment that ``make-venv openvino`` makes, all others in ours.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

Encode = Callable[[Sequence[str], int], Any]
_PREFIX = "passage: "
_WINDOW = 512


def mayfly(folder: Path, threads: int) -> Encode:
    from vectorstore import models

    embedder = models.load(models.prepare("packaged", folder), threads=threads)
    return lambda texts, _batch: embedder.embed_passages(texts)


def sentence_transformers(folder: Path, threads: int) -> Encode:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    model: Any = SentenceTransformer(str(folder), local_files_only=True, trust_remote_code=False)
    return lambda texts, batch: model.encode_document(list(texts), batch_size=batch, show_progress_bar=False)


def onnxruntime_file(name: str) -> Callable[[Path, int], Encode]:
    """Run a file of standard operators, one text a run, a run a thread."""

    def open_file(folder: Path, threads: int) -> Encode:
        import onnxruntime

        options: Any = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"])
        return _by_threads(_ids(folder), lambda ids: session.run(None, {"input_ids": ids})[0], threads)

    return open_file


def openvino(precision: str) -> Callable[[Path, int], Encode]:
    def open_file(folder: Path, threads: int) -> Encode:
        import openvino as ov  # type: ignore[reportMissingImports] - not in our environment.

        settings = {"NUM_STREAMS": threads, "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision}
        model: Any = ov.Core().compile_model(str(folder / "float32.onnx"), "CPU", settings)
        requests = [model.create_infer_request() for _ in range(threads)]

        def run(ids: Any) -> Any:
            request = requests.pop()
            try:
                return request.infer({"input_ids": ids})[0].copy()
            finally:
                requests.append(request)

        return _by_threads(_ids(folder), run, threads)

    return open_file


def int8_limit(folder: Path, threads: int) -> Encode:
    """Multiply only: the model's integer matrices, one after the other, for as many tokens as each text has."""
    import onnxruntime

    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    sessions = [onnxruntime.InferenceSession(str(file), options) for file in sorted(folder.glob("matrix-*.onnx"))]
    widths = [session.get_inputs()[0].shape[1] for session in sessions]
    rows = {width: np.random.default_rng(0).integers(0, 255, (_WINDOW, width)).astype(np.uint8) for width in widths}
    layers = int((folder / "layers").read_text(encoding="ascii"))

    def run(ids: Any) -> Any:
        for _ in range(layers):
            for session, width in zip(sessions, widths, strict=True):
                session.run(None, {"a": rows[width][: ids.shape[1]]})
        return np.zeros((1, 1), np.float32)

    return _by_threads(_ids(folder), run, threads)


ENGINES: dict[str, Callable[[Path, int], Encode]] = {
    "mayfly": mayfly,
    "sentence-transformers": sentence_transformers,
    "onnxruntime-float32": onnxruntime_file("float32.onnx"),
    "onnxruntime-int8": onnxruntime_file("int8.onnx"),
    "openvino-float32": openvino("f32"),
    "openvino-bfloat16": openvino("bf16"),
    "int8-limit": int8_limit,
}


def _ids(folder: Path) -> Callable[[str], Any]:
    from tokenizers import Tokenizer

    tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(_WINDOW)
    tokenizer.no_padding()
    return lambda text: np.array([tokenizer.encode(_PREFIX + text).ids], np.int64)


def _by_threads(ids: Callable[[str], Any], run: Callable[[Any], Any], threads: int) -> Encode:
    pool = ThreadPoolExecutor(threads)
    return lambda texts, _batch: np.concatenate(list(pool.map(lambda text: run(ids(text)), texts)))


def _peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    name, folder, threads = sys.argv[1:]
    began = time.perf_counter()
    encode = ENGINES[name](Path(folder), int(threads))
    encode(["warm"], 1)
    _say({"load_seconds": time.perf_counter() - began})
    for line in sys.stdin:
        wish = json.loads(line)
        began, cpu_began = time.perf_counter(), time.process_time()
        vectors = encode(wish["texts"], wish["batch"])
        reply = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu_began}
        _say(reply | {"peak_bytes": _peak_bytes()} | ({"vectors": vectors.tolist()} if wish.get("vectors") else {}))


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
