"""Joining what meaning and words say of a chunk into one score.

Rank fusion was measured to ruin questions in another language than the passage; this rule does not: where no word
matches, the share is near 0 and the order by meaning stands. See docs/adr/0010-search.md.
"""

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]


def fuse(cosines: Scores, coverages: Scores, *, lexical_weight: float) -> Scores:
    """Add to each chunk's cosine the weighted share of the question that its words cover.

    All arrays are ``(n_chunks,) float32``; a score depends on its own chunk's row only. The weight belongs to the
    model: it is measured against how far that model's cosines lie apart.
    """
    return (cosines + lexical_weight * coverages).astype(np.float32)


def best(scores: Scores, k: int) -> NDArray[np.intp]:
    """Return the places of the ``k`` greatest scores, greatest first; of equal ones the earlier place comes first."""
    if k < len(scores):
        worst = np.partition(scores, len(scores) - k)[len(scores) - k]
        places = np.flatnonzero(scores >= worst)
    else:
        places = np.arange(len(scores))
    return places[np.argsort(-scores[places], kind="stable")][:k]
