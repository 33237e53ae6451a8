"""A cross-encoder from a local folder: what it scores, and which folders are refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.support.cross_encoders import write_cross_encoder
from vectorstore.container import UnreadableModel
from vectorstore.cross_encoder import CrossEncoderJudge, adopt, check
from vectorstore.model_folder import sha256_of

QUESTION = "how deep is the lake"
PASSAGES = ("the lake is ninety metres deep", "bread", "a ferry leaves at seven every day of the week")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cross_encoder(tmp_path_factory.mktemp("models") / "tiny-judge")


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copied"))


def test_its_scores_are_what_the_model_itself_gives_each_pair_alone(folder: Path):
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        alone = [
            model(**tokenizer(QUESTION, passage, return_tensors="pt")).logits.item() for passage in PASSAGES
        ]  # fmt: skip

    scores = CrossEncoderJudge(folder, threads=1).scores([QUESTION] * len(PASSAGES), PASSAGES)

    assert scores.dtype == np.float32
    assert np.ptp(alone) > 0.01, "all alike, so an order would prove nothing"
    assert np.allclose(scores, alone, atol=1e-5)


def test_a_passage_beyond_the_window_is_cut(folder: Path):
    long = "lake " * 400
    judge = CrossEncoderJudge(folder, threads=1)
    assert judge.count_tokens(long) > judge.card.max_tokens

    cut, longer = judge.scores([QUESTION] * 2, [long, long + "ferry " * 50])

    assert cut == longer


def test_its_card_names_the_weights_by_their_hash(folder: Path):
    card = adopt(folder)

    assert (card.name, card.max_tokens) == ("tiny-judge", 512)
    assert card.sha256 == sha256_of(folder / "model.safetensors")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt", "extra/head.pkl", "modeling.py", "x.PTH"])
def test_a_folder_with_a_program_or_a_pickle_is_refused(copied: Path, name: str):
    adopt(copied)
    (copied / name).parent.mkdir(exist_ok=True)
    (copied / name).write_bytes(b"")

    with pytest.raises(UnreadableModel, match="only safetensors are read"):
        adopt(copied)


@pytest.mark.parametrize("place", ["config.json", "tokenizer_config.json", "nested"])
def test_a_folder_that_asks_for_code_of_its_own_is_refused_wherever_it_says_so(copied: Path, place: str):
    adopt(copied)
    file = copied / ("config.json" if place == "nested" else place)
    config = json.loads(file.read_bytes())
    wish = {"auto_map": {"AutoModel": "modeling.Model"}}
    file.write_text(json.dumps(config | ({"text_config": [wish]} if place == "nested" else wish)), encoding="utf-8")

    with pytest.raises(UnreadableModel, match="code of its own"):
        adopt(copied)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_folder_that_lacks_something_is_refused(copied: Path, name: str):
    (copied / name).unlink()

    with pytest.raises(UnreadableModel, match=f"the folder has no {name}"):
        adopt(copied)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path):
    with pytest.raises(UnreadableModel, match="does not exist"):
        adopt(tmp_path / "nowhere")


def test_a_model_that_gives_several_scores_is_refused(tmp_path: Path):
    with pytest.raises(UnreadableModel, match="one score"):
        adopt(write_cross_encoder(tmp_path / "classifier", labels=3))


@pytest.mark.parametrize("damage", ["cut off", "longer", "zeros", "empty"])
def test_damaged_weights_are_refused_before_anything_is_loaded(copied: Path, damage: str):
    weights = copied / "model.safetensors"
    whole = weights.read_bytes()
    damaged = {"cut off": whole[:-1], "longer": whole + b"x", "zeros": bytes(len(whole)), "empty": b""}[damage]
    weights.write_bytes(damaged)

    with pytest.raises(UnreadableModel, match="safetensors"):
        check(copied)


def test_a_folder_of_another_architecture_than_its_weights_is_refused_when_it_is_loaded(copied: Path):
    config = json.loads((copied / "config.json").read_bytes())
    (copied / "config.json").write_text(json.dumps(config | {"model_type": "unheard-of"}), encoding="utf-8")

    with pytest.raises(UnreadableModel, match="cannot be loaded"):
        CrossEncoderJudge(copied, threads=1)
