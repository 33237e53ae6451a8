"""What a model folder may hold: safetensors and JSON are data; pickles, code and pointers to code are programs."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vectorstore.container import UnreadableModel

WEIGHTS_FILE = "model.safetensors"
TOKENIZER_FILE = "tokenizer.json"
_PROGRAM_SUFFIXES = frozenset((
    ".bin", ".ckpt", ".dll", ".dylib", ".h5", ".joblib", ".keras", ".npy", ".npz", ".pb", ".pickle", ".pkl", ".pt",
    ".pth", ".py", ".pyc", ".sh", ".so",
))  # fmt: skip
_MODULE_PREFIX = "sentence_transformers."


def refuse_programs(folder: Path, needed: Sequence[str]) -> None:
    """Raise ``UnreadableModel`` unless the folder holds data only, and the weights and all that is needed with them."""
    for path in folder.rglob("*"):
        if path.suffix.lower() in _PROGRAM_SUFFIXES:
            raise UnreadableModel(f"{path.suffix} files are programs or can carry one; only safetensors are read")
    for name in (WEIGHTS_FILE, TOKENIZER_FILE, "config.json", *needed):
        if not (folder / name).is_file():
            raise UnreadableModel(f"the folder has no {name}")
    # A configuration inside another has been used to get past the flag that forbids foreign code.
    if any(_asks_for_code(read_json(path)) for path in folder.rglob("*.json") if path.name != TOKENIZER_FILE):
        raise UnreadableModel("the model asks for code of its own")
    if any(not str(module["type"]).startswith(_MODULE_PREFIX) for module in read_json(folder / "modules.json") or []):
        raise UnreadableModel("the model names modules that are not sentence-transformers' own")


def _asks_for_code(value: Any) -> bool:
    if isinstance(value, dict):
        return "auto_map" in value or any(map(_asks_for_code, value.values()))
    return isinstance(value, list) and any(map(_asks_for_code, value))


def refuse_damaged(weights: Path) -> None:
    """Raise ``UnreadableModel`` unless a safetensors file has a header, and as many bytes as that speaks of."""
    size = weights.stat().st_size
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if length <= size else b""
    try:
        tensors = [tensor for name, tensor in json.loads(header).items() if name != "__metadata__"]
        end = max(tensor["data_offsets"][1] for tensor in tensors)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise UnreadableModel(f"{weights.name} is not a safetensors file") from None
    if size != 8 + length + end:
        raise UnreadableModel(f"{weights.name} is damaged: it is shorter or longer than it says")


def window_of(folder: Path) -> int:
    """Return the smallest window, in tokens, that any of the folder's files names. Raises ``UnreadableModel``."""
    named = [
        read_json(folder / "sentence_bert_config.json").get("max_seq_length"),
        read_json(folder / "tokenizer_config.json").get("model_max_length"),
        read_json(folder / "config.json").get("max_position_embeddings"),
    ]
    windows = [int(window) for window in named if window]
    if not windows:
        raise UnreadableModel("no file says how long a text may be")
    return min(windows)


def read_json(path: Path) -> Any:
    """Return what a JSON file says, nothing where there is none. Raises ``UnreadableModel`` when it is not JSON."""
    try:
        return json.loads(path.read_bytes()) if path.exists() else {}
    except ValueError as error:
        raise UnreadableModel(f"{path.name} is not JSON") from error


def sha256_of(path: Path) -> str:
    """Return the hash of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
