import msgspec
import numpy as np
import pytest

from benchmarks.centring import QUESTIONS
from tests.support.embedders import packaged
from tests.support.vectors import CARD, clustered
from vectorstore.centring import centred, common


def test_a_model_that_nobody_measured_keeps_its_vectors():
    vector = clustered(1)[0]

    assert centred(vector, CARD, "en") is vector


def test_what_is_taken_is_the_share_on_the_card_of_what_its_language_has_in_common():
    card, vector = msgspec.structs.replace(CARD, common_weight=0.5), clustered(1)[0]

    assert centred(vector, card, "es") == pytest.approx(vector - 0.5 * common("es"), abs=1e-6)
    assert centred(vector, card, "xx") == pytest.approx(vector - 0.5 * common(None), abs=1e-6), "of all languages"
    assert not np.allclose(common("es"), common(None), atol=0.01)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_table_holds_what_the_packaged_model_says(language: str):
    vectors = np.stack([packaged().embed_query(text) for text in QUESTIONS[language]])

    assert common(language) == pytest.approx(vectors.mean(axis=0), abs=0.006)
    assert packaged().card.common_weight > 0
