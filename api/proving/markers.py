"""The markers of one session: a random word for each way that something of a learner comes in."""

from collections.abc import Iterator

from proof.needles import Needle, new_marker, of_key, of_text, of_vector
from vectorstore.embedder import Embedder

# What a session holds until it ends; what is only passing cannot be expected to be found before.
HELD = ("body", "file name", "pixels", "turn", "slow upload", "vector", "key")
PASSING = ("question", "metadata", "link")
CONTROL = "control"


class Markers:
    """What is looked for of one session. ``label`` is what reports call it.

    With ``lean``, texts in UTF-8 and part of the vector only, so that some hundred sessions can be looked for at once.
    """

    def __init__(self, label: str, *, lean: bool = False) -> None:
        self.label = label
        self._lean = lean
        self.words = {kind: new_marker() for kind in (*HELD[:5], *PASSING)}
        self._needles = [needle for kind, word in self.words.items() for needle in of_text(self.kind(kind), word)]

    def kind(self, kind: str) -> str:
        """Return the name that a kind of this session is counted under."""
        return f"{self.label}: {kind}"

    def sentence(self, kind: str) -> str:
        """Return a sentence with the marker in it."""
        return sentence(self.words[kind])

    def learn_vector(self, embedder: Embedder) -> None:
        """Make the vector of the document that is one sentence, as the service made it."""
        text = self.sentence("body")
        (vector,) = embedder.embed_passages([text])
        self._needles += of_vector(self.kind("vector"), vector)

    def learn_key(self, key: bytes) -> None:
        """Look for a key too."""
        self._needles += of_key(self.kind("key"), key)

    def needles(self) -> Iterator[Needle]:
        """Yield everything to look for."""
        for place, needle in enumerate(self._needles):
            if not self._lean or needle.form == "utf-8" or (needle.form == "float32" and place % 4 == 0):
                yield needle


def sentence(marker: str) -> str:
    """Return a sentence about a marker."""
    return f"The {marker} is a bird that nests only in the bell tower of the old observatory."
