"""Which model is used, and getting it ready: converted, checked and hash-pinned before anything is loaded.

A model is the packaged one, a local folder, or an installed package that holds such a folder. Nothing is downloaded,
and a folder with code or pickles in it is refused: safetensors and JSON are data, those are programs.
"""

import fcntl
import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from vectorstore import packaged
from vectorstore.container import Container, UnreadableModel
from vectorstore.embedder import UNMEASURED, Embedder, ModelCard
from vectorstore.endpoint import EndpointConfig
from vectorstore.model_folder import TOKENIZER_FILE, WEIGHTS_FILE, read_json, refuse_programs, sha256_of, window_of
from vectorstore.tokens import PIECES_FILE

Backend = Literal["onnx", "sentence-transformers"]
BackendChoice = Literal["auto", "onnx", "sentence-transformers"]

PACKAGED = "packaged"
# Grows when the same source would be converted into different files.
CONVERSION = 2

_PAPERS_FILE = "mayfly.json"


class PreparedModel(msgspec.Struct, frozen=True):
    """A folder that is ready to be loaded, and what is in it."""

    folder: Path
    card: ModelCard

    @property
    def backend(self) -> str:
        """The library that runs it."""
        return self.card.backend


class _Papers(msgspec.Struct, frozen=True):
    """``mayfly.json`` in a prepared folder: the card, and the hash of every other file."""

    card: ModelCard
    files: dict[str, str]


def prepare(model: str, model_dir: Path, *, backend: BackendChoice = "auto") -> PreparedModel:
    """Make a model ready to load and return where it is. A second call finds it done, after checking every hash.

    ``model`` is ``packaged``, a copy of the packaged weights file, a folder, or the name of an installed package.
    Converted files appear under ``model_dir`` whole or not at all. Raises ``UnreadableModel`` when the model is
    missing, is not what its pin says, or contains code.
    """
    if model == PACKAGED or Path(model).is_file():
        return _prepare_packaged(model, model_dir, "onnx" if backend == "auto" else backend)
    if backend == "onnx":
        raise UnreadableModel("only the packaged model has an ONNX form")
    return _adopt_folder(find_folder(model))


def load(prepared: PreparedModel, *, threads: int) -> Embedder:
    """Load a prepared model to run with that many threads. Raises ``ImportError`` when its library is not installed."""
    if prepared.backend == "onnx":
        from vectorstore.onnx_backend import OnnxEmbedder

        return OnnxEmbedder(prepared.folder, prepared.card, threads=threads)
    from vectorstore.st_backend import SentenceTransformersEmbedder

    return SentenceTransformersEmbedder(prepared.folder, prepared.card, threads=threads)


def tokenizer_file(prepared: PreparedModel) -> Path:
    """Return the tokenizer that counts as the model does."""
    return prepared.folder / (PIECES_FILE if prepared.backend == "onnx" else TOKENIZER_FILE)


def tokenizer_of(endpoint: EndpointConfig, model_dir: Path) -> Path:
    """Return the tokenizer that counts for an endpoint: the operator's, else the packaged model's, prepared."""
    if endpoint.tokenizer_file is not None:
        return Path(endpoint.tokenizer_file)
    return tokenizer_file(prepare(PACKAGED, model_dir, backend="onnx"))


# --- the packaged model ----------------------------------------------------------------------------------------------


def _prepare_packaged(model: str, model_dir: Path, backend: Backend) -> PreparedModel:
    folder = model_dir / f"{packaged.NAME}-{packaged.SHA256[:12]}-{backend}-{CONVERSION}"
    with _one_at_a_time(model_dir):
        if not _is_intact(folder):
            source = Container(packaged.weights_file() if model == PACKAGED else Path(model))
            if source.sha256 != packaged.SHA256:
                raise UnreadableModel("the weights file is not the one that was measured: its hash differs")
            _appear(folder, lambda fresh: _convert(source, fresh, backend))
        # The papers say what was converted; what its cosines mean is for the code of today to say.
        return PreparedModel(folder, packaged.card(backend, _read_papers(folder).card.dim))


def _convert(source: Container, folder: Path, backend: Backend) -> None:
    from vectorstore import convert

    write = convert.write_onnx if backend == "onnx" else convert.write_sentence_transformers
    write(source, folder)
    card = packaged.card(backend, source.shape.width)
    _write_papers(folder, card)
    packaged.check(load(PreparedModel(folder, card), threads=1))


@contextmanager
def _one_at_a_time(model_dir: Path) -> Generator[None]:
    model_dir.mkdir(parents=True, exist_ok=True)
    with (model_dir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _appear(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a new folder beside its place, then move it there in one step, replacing a damaged one."""
    fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        fill(fresh)
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _write_papers(folder: Path, card: ModelCard) -> None:
    files = {str(path.relative_to(folder)): sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    (folder / _PAPERS_FILE).write_bytes(msgspec.json.encode(_Papers(card, files), order="sorted"))


def _read_papers(folder: Path) -> _Papers:
    return msgspec.json.decode((folder / _PAPERS_FILE).read_bytes(), type=_Papers)


def _is_intact(folder: Path) -> bool:
    try:
        papers = _read_papers(folder)
        return all(sha256_of(folder / name) == expected for name, expected in papers.files.items())
    except (OSError, msgspec.DecodeError):
        return False


# --- other models ----------------------------------------------------------------------------------------------------


def find_folder(model: str) -> Path:
    """Return the model folder that a path or the name of an installed package means; the package is not imported.

    Raises ``UnreadableModel`` when there is none.
    """
    if Path(model).is_dir():
        return Path(model)
    spec = importlib.util.find_spec(model) if model.isidentifier() else None
    places = spec.submodule_search_locations if spec is not None else None
    found = sorted(Path(places[0]).rglob("modules.json")) if places else []
    if not found:
        raise UnreadableModel("neither a model folder nor an installed model package")
    return found[0].parent


def _adopt_folder(folder: Path) -> PreparedModel:
    refuse_programs(folder, ("modules.json",))
    if (folder / _PAPERS_FILE).exists():
        if not _is_intact(folder):
            raise UnreadableModel("a file of the model is missing or has changed")
        return PreparedModel(folder, _read_papers(folder).card)
    return PreparedModel(folder, _card_of(folder))


def _card_of(folder: Path) -> ModelCard:
    """Read the card of a folder that sentence-transformers wrote."""
    prompts = read_json(folder / "config_sentence_transformers.json").get("prompts") or {}
    return ModelCard(
        name=folder.parent.name if folder.name == "model" else folder.name,
        backend="sentence-transformers",
        sha256=sha256_of(folder / WEIGHTS_FILE),
        dim=_vector_length(folder),
        max_tokens=window_of(folder),
        query_prefix=prompts.get("query") or "",
        passage_prefix=prompts.get("document") or prompts.get("passage") or "",
        relevance=UNMEASURED,
        relevance_across=UNMEASURED,
    )


def _vector_length(folder: Path) -> int:
    """Return the width after the last module that says one."""
    length = read_json(folder / "config.json").get("hidden_size", 0)
    for module in read_json(folder / "modules.json"):
        config = read_json(folder / module["path"] / "config.json") if module["path"] else {}
        length = config.get("out_features") or config.get("word_embedding_dimension") or length
    return int(length)
