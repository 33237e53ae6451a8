"""Turning the packaged weights into files that standard libraries read: ONNX and a tokenizer, or a model folder.

Nothing is downloaded and nothing of the package is executed. The same source gives the same bytes.
"""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from vectorstore import graph
from vectorstore.container import Container, Floats, Vocabulary
from vectorstore.model_folder import TOKENIZER_FILE
from vectorstore.packaged import MODEL_FILE, PASSAGE_PREFIX, QUERY_PREFIX, WINDOW_TOKENS
from vectorstore.tokens import JOINER, PIECES_FILE

_MASK = "<mask>"


def write_onnx(source: Container, folder: Path) -> None:
    """Write the 8-bit model and its tokenizer into an existing folder."""
    (folder / MODEL_FILE).write_bytes(graph.build(source))
    (folder / PIECES_FILE).write_bytes(build_pieces(source.vocabulary))


def write_sentence_transformers(source: Container, folder: Path) -> None:
    """Write the same weights, unrounded further, as a folder that ``SentenceTransformer(folder)`` opens."""
    from safetensors.numpy import save_file

    for name in ("1_Pooling", "2_Normalize"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    save_file(_state(source), folder / "model.safetensors", metadata={"format": "pt"})
    build_tokenizer(source.vocabulary).save(str(folder / TOKENIZER_FILE), pretty=False)
    for name, value in _folder_papers(source).items():
        (folder / name).write_text(json.dumps(value, indent=1), encoding="utf-8")


def build_pieces(vocabulary: Vocabulary) -> bytes:
    """Return the XLM-RoBERTa tokenizer over this vocabulary as a sentencepiece model."""
    messages: Any = importlib.import_module("sentencepiece.sentencepiece_model_pb2")  # It has no types.
    kinds = messages.ModelProto.SentencePiece
    special = dict.fromkeys((vocabulary.start, vocabulary.end, vocabulary.padding), kinds.CONTROL)
    special[vocabulary.unknown] = kinds.UNKNOWN
    model = messages.ModelProto()
    for id_, (piece, score) in enumerate(zip(vocabulary.pieces, vocabulary.scores, strict=True)):
        model.pieces.add(piece=piece, score=score, type=special.get(id_, kinds.NORMAL))
    named = {"bos": vocabulary.start, "eos": vocabulary.end, "pad": vocabulary.padding, "unk": vocabulary.unknown}
    for name, id_ in named.items():
        setattr(model.trainer_spec, f"{name}_id", id_)
        setattr(model.trainer_spec, f"{name}_piece", vocabulary.pieces[id_])
    model.trainer_spec.model_type = messages.TrainerSpec.UNIGRAM
    model.trainer_spec.vocab_size = len(vocabulary.pieces)
    model.normalizer_spec.CopyFrom(_unicode_folding())
    return model.SerializeToString(deterministic=True)


def build_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """Return the XLM-RoBERTa tokenizer over this vocabulary as ``tokenizers`` has it."""
    pieces = list(zip(vocabulary.pieces, vocabulary.scores, strict=True))
    tokenizer: Any = Tokenizer(models.Unigram(pieces, unk_id=vocabulary.unknown, byte_fallback=False))
    folding = normalizers.Precompiled(_unicode_folding().precompiled_charsmap)
    blanks = [normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip()]
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace(JOINER, " "), folding, *blanks])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    _add_special_tokens(tokenizer, vocabulary)
    return tokenizer


def _add_special_tokens(tokenizer: Any, vocabulary: Vocabulary) -> None:
    ids = (vocabulary.start, vocabulary.padding, vocabulary.end, vocabulary.unknown)
    special = [AddedToken(vocabulary.pieces[i], normalized=False, special=True) for i in ids]
    tokenizer.add_special_tokens([*special, AddedToken(_MASK, lstrip=True, normalized=False, special=True)])
    start, end = vocabulary.pieces[vocabulary.start], vocabulary.pieces[vocabulary.end]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} {end} $B {end}",
        special_tokens=[(start, vocabulary.start), (end, vocabulary.end)],
    )


def _unicode_folding() -> Any:
    """Return sentencepiece's ``nmt_nfkc`` rules as a ``NormalizerSpec``."""
    from sentencepiece import SentencePieceNormalizer

    messages: Any = importlib.import_module("sentencepiece.sentencepiece_model_pb2")
    rules = SentencePieceNormalizer(rule_name="nmt_nfkc", add_dummy_prefix=True, remove_extra_whitespaces=True)
    return messages.NormalizerSpec.FromString(rules.serialized_normalizer_spec())


_MATRICES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


def _state(source: Container) -> dict[str, Floats]:
    """Return all tensors by their names in a BERT checkpoint."""
    width = source.shape.width
    state = {
        "embeddings.word_embeddings.weight": source.matrix("emb.word", width),
        "embeddings.position_embeddings.weight": source.floats("emb.pos").reshape(-1, width),
        "embeddings.token_type_embeddings.weight": source.floats("emb.type").reshape(-1, width),
        "embeddings.LayerNorm.weight": source.floats("emb.ln.w"),
        "embeddings.LayerNorm.bias": source.floats("emb.ln.b"),
        # Nothing reads the pooler, but the library draws random numbers for it and complains when it is missing.
        "pooler.dense.weight": np.zeros((width, width), np.float32),
        "pooler.dense.bias": np.zeros(width, np.float32),
    }
    for layer in range(source.shape.layers):
        state |= _layer_state(source, layer)
    return {name: np.ascontiguousarray(tensor) for name, tensor in state.items()}


def _layer_state(source: Container, layer: int) -> dict[str, Floats]:
    ours, theirs = f"l{layer}", f"encoder.layer.{layer}"
    state: dict[str, Floats] = {}
    for short, long in _MATRICES.items():
        columns = source.shape.inner_width if short == "fo" else source.shape.width
        state[f"{theirs}.{long}.weight"] = source.matrix(f"{ours}.{short}.w", columns)
        state[f"{theirs}.{long}.bias"] = source.floats(f"{ours}.{short}.b")
    for short, long in _NORMS.items():
        state[f"{theirs}.{long}.weight"] = source.floats(f"{ours}.{short}.w")
        state[f"{theirs}.{long}.bias"] = source.floats(f"{ours}.{short}.b")
    return state


def _folder_papers(source: Container) -> dict[str, Any]:
    """Return the JSON files of a sentence-transformers folder by name."""
    modules = "sentence_transformers.models"
    parts = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    return {
        "config.json": _encoder_config(source),
        "tokenizer_config.json": _tokenizer_config(source.vocabulary),
        "sentence_bert_config.json": {"max_seq_length": WINDOW_TOKENS, "do_lower_case": False},
        "modules.json": [
            {"idx": i, "name": str(i), "path": path, "type": f"{modules}.{kind}"}
            for i, (path, kind) in enumerate(parts)
        ],
        "1_Pooling/config.json": {"word_embedding_dimension": source.shape.width, "pooling_mode_mean_tokens": True},
        "config_sentence_transformers.json": {
            "prompts": {"query": QUERY_PREFIX, "document": PASSAGE_PREFIX},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    }


def _encoder_config(source: Container) -> dict[str, Any]:
    shape = source.shape
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": shape.width,
        "intermediate_size": shape.inner_width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.positions,
        "type_vocab_size": shape.token_types,
        "layer_norm_eps": float(f"{shape.epsilon:.6g}"),
        "pad_token_id": 0,
    }


def _tokenizer_config(vocabulary: Vocabulary) -> dict[str, Any]:
    pieces = vocabulary.pieces
    start, end = pieces[vocabulary.start], pieces[vocabulary.end]
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": start,
        "cls_token": start,
        "eos_token": end,
        "sep_token": end,
        "pad_token": pieces[vocabulary.padding],
        "unk_token": pieces[vocabulary.unknown],
        "mask_token": _MASK,
        "model_max_length": WINDOW_TOKENS,
    }
