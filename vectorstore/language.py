"""Which language a text is in."""

import functools
from typing import Any

# The identifier tells some varieties apart that have no ISO 639-1 code but belong to a language that has one.
_VARIETIES = {"arz": "ar", "ary": "ar", "yue": "zh", "wuu": "zh", "sdh": "ku", "uzs": "uz"}
_CODE_LETTERS = 2


def identify(text: str, *, min_probability: float) -> str | None:
    """Return the ISO 639-1 code of the text's language.

    Returns ``None`` when none is as probable as asked for (0 to 1), or when the language has no such code.
    """
    untold, probability = _identifier().classify(text)
    code = _VARIETIES.get(str(untold), str(untold))
    return code if probability >= min_probability and len(code) == _CODE_LETTERS else None


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
