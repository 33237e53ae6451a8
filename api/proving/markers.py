"""The markers of one session: a random word for each way that something of a learner comes in."""

from collections.abc import Iterator, Mapping

from proof.needles import Needle, new_marker, of_key, of_text, of_vector
from vectorstore.embedder import Embedder

# What a session holds until it ends; what is only passing cannot be expected to be found before.
HELD = ("body", "file name", "pixels", "turn", "slow upload", "vector", "key")
HELD_OF_LINKS = ("link", "page")
PASSING = ("question", "metadata", "page title")
CONTROL = "control"
_MADE_OF_BYTES = ("vector", "key")


class Markers:
    """What is looked for of one session. ``label`` is what reports call it.

    With ``words``, those of another session are used, which looks for them.
    """

    def __init__(self, label: str, *, words: Mapping[str, str] | None = None) -> None:
        self.label = label
        kinds = (*HELD, *HELD_OF_LINKS, *PASSING)
        self.words = words or {kind: new_marker() for kind in kinds if kind not in _MADE_OF_BYTES}
        own = {} if words else self.words
        self._needles = [needle for kind, word in own.items() for needle in of_text(self.kind(kind), word)]

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
        yield from self._needles

    def another(self) -> "Markers":
        """Return the markers of one more session, which the needles of this one find too, however many there are.

        Its document is the same, and so is the vector of it; every other word goes on with letters of its own.
        """
        words = {kind: word + new_marker()[:8] for kind, word in self.words.items()}
        return Markers(self.label, words=words | {"body": self.words["body"]})


def sentence(marker: str) -> str:
    """Return a sentence about a marker."""
    return f"The {marker} is a bird that nests only in the bell tower of the old observatory."
