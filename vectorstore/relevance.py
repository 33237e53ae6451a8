"""How well a chunk fits a question, in words: high, medium, low, or not at all.

Evidence is the likeness by which chunks are ordered plus the weighted share of the question that the chunk's words
cover. Of the rules tried (either alone, both, the lead over other chunks, the mean of all, logistic regressions of up
to eight of these) this one refuses as many questions whose answer is not there as any, and fewest that are asked in
words of their own; the figures are in benchmarks/README.md. The best of many wrong chunks has more evidence than the
best of few, by chance: it grows with the logarithm of their number.
"""

import math
from collections.abc import Sequence

from models.content import Relevance
from vectorstore.embedder import ModelCard, RelevanceBands
from vectorstore.held import Hit
from vectorstore.language import identify

# Questions of XQuAD in en, es, zh and ar: above this, 99 % of the answers given are right and 1 % get none.
_MIN_LANGUAGE_PROBABILITY = 0.3
# The bands are measured among so many chunks, and what chance adds down to the second number.
_MEASURED_CHUNKS, _LEAST_CHUNKS = 240, 5


def language_of(question: str) -> str | None:
    """Return the language of a question, ISO 639-1, or ``None`` where it cannot be told."""
    return identify(question, min_probability=_MIN_LANGUAGE_PROBABILITY)


class Judge:
    """Judges chunks for one question: what is much depends on whether question and chunk share a language.

    Within one language it also depends on how many ``chunks`` were searched: of few, less is asked. A question whose
    language cannot be told (a formula, a name), and a chunk of none, are held to the stricter bands of one language:
    two of 240 paragraphs, held to the others, let one in seven of the absent questions through.
    """

    def __init__(self, card: ModelCard, language: str | None, *, chunks: int = _MEASURED_CHUNKS) -> None:
        """``language`` is the question's, as ``language_of`` tells it."""
        self._card = card
        self._allowance = allowance(card, chunks)
        self._language = language

    def relevance(self, hit: Hit) -> Relevance | None:
        """Name the band of a chunk; ``None`` when it is not relevant. One that has the quoted phrase is."""
        one_language = self._language is None or hit.language in {None, self._language}
        bands = self._card.relevance if one_language else self._card.relevance_across
        evidence = hit.cosine + self._card.evidence_weight * hit.coverage + (self._allowance if one_language else 0.0)
        found = band_of(evidence, bands)
        return "medium" if hit.quoted and found in {None, "low"} else found

    def relevant(self, hits: Sequence[Hit]) -> list[Hit]:
        """Return those that are relevant, in the order given; none when no better than low ones are there.

        A single doubtful passage misleads more than it helps; beside a good one it may add to it.
        """
        found = {self.relevance(hit) for hit in hits}
        return [hit for hit in hits if self.relevance(hit)] if found & {"medium", "high"} else []


def allowance(card: ModelCard, chunks: int) -> float:
    """Return how much evidence is not asked for because so few chunks were searched."""
    counted = min(max(chunks, _LEAST_CHUNKS), _MEASURED_CHUNKS)
    return card.chance_evidence * math.log(_MEASURED_CHUNKS / counted)


def band_of(evidence: float, bands: RelevanceBands) -> Relevance | None:
    """Name the band that this much evidence falls into; ``None`` below all."""
    if evidence >= bands.high:
        return "high"
    if evidence >= bands.medium:
        return "medium"
    return "low" if evidence >= bands.low else None
