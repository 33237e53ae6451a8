"""Made-up hits, for tests of what happens to chunks after they were found."""

from vectorstore.held import Hit

SENTENCES = (
    "The mayfly lives for one day above the river.",
    "Photosynthesis turns light into sugar inside the leaf.",
    "In 1789 the estates met at Versailles for the first time since 1614.",
    "A prime number has exactly two divisors, one and itself.",
    "Tectonic plates drift a few centimetres in a year.",
    "The subjunctive follows expressions of doubt and desire.",
    "Basalt cools into columns with six sides.",
    "A choir of four voices fills the nave.",
)


def hit(document: str, cosine: float, text: str, *, number: int = 0, start: int = 5, page: int = 1) -> Hit:
    """Return a hit that is scored by its cosine alone."""
    return Hit(document, page, start, start + len(text), text, cosine, number=number, score=cosine)
