"""The same weights give the same meaning on both backends."""

import numpy as np
import pytest

from tests.support.embedders import packaged
from tests.support.library import CHINESE, ENGLISH, FRENCH, JAPANESE

TEXTS = (*ENGLISH[:6], *FRENCH[:4], *CHINESE[:4], *JAPANESE[:4])


@pytest.mark.slow
def test_onnx_and_sentence_transformers_agree_on_every_passage():
    ours = packaged("onnx").embed_passages(TEXTS)
    reference = packaged("sentence-transformers").embed_passages(TEXTS)

    assert (ours * reference).sum(axis=1).min() >= 0.99
    different_texts = (ours[:1] * reference[1:]).sum(axis=1)
    assert different_texts.max() < 0.95, "if all vectors were alike, agreement would prove nothing"


@pytest.mark.slow
@pytest.mark.parametrize("question", ["Why is the sky blue?", "Pourquoi le train a-t-il du retard ?", "为什么?"])
def test_onnx_and_sentence_transformers_agree_on_questions(question: str):
    ours = packaged("onnx").embed_query(question)
    reference = packaged("sentence-transformers").embed_query(question)

    assert float(np.dot(ours, reference)) >= 0.99
