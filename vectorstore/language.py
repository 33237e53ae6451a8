"""Which language a text is in."""

import functools
from typing import Any


def identify(text: str, *, min_probability: float) -> str | None:
    """Return the ISO 639-1 code of the text's language, or ``None`` when none is as probable as asked for (0 to 1)."""
    code, probability = _identifier().classify(text)
    return str(code) if probability >= min_probability else None


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
