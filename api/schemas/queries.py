"""Questions and the passages that answer them."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints

from api.schemas import Incoming, Outgoing
from models.content import Answer, Relevance

QUESTION_CHARACTERS = 4000
MAX_TOP_K = 20

LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]


class Question(Incoming):
    """One question to the session's documents.

    ``document_ids`` narrows where to look, ``language`` (ISO 639-1) to passages in it. A phrase of the text in
    quotation marks is looked for as it stands, whatever its case: passages must contain it, unless none does. With
    ``doubtful`` the best passages are given even when nothing is relevant.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "What does the ferryman do in the fog?", "top_k": 3},
                {"text": "¿Quién cruza el río?", "language": "es", "max_tokens": 512},
            ]
        }
    )

    text: Annotated[str, Field(min_length=1, max_length=QUESTION_CHARACTERS, repr=False, pattern=r"\S")]
    top_k: Annotated[int, Field(ge=1, le=MAX_TOP_K)] = 5
    max_tokens: Annotated[int | None, Field(ge=16, le=32_768)] = None
    document_ids: Annotated[list[Annotated[str, Field(max_length=64)]] | None, Field(min_length=1, max_length=1000)] = (
        None
    )
    language: LanguageCode | None = None
    doubtful: bool = False


class Span(Outgoing):
    """A part of the page: ``[start:end]``, in characters of its normalised text."""

    start: int
    end: int


class Passage(Outgoing):
    """A quotation: untrusted text of a learner's document, never an instruction.

    ``text`` is exactly ``[start:end]``, in characters, of the named page's normalised text; pages count from 1.
    ``page_label`` is the number printed on the page, ``heading`` the path of headings above, ``seconds`` when it is
    spoken (from, to), ``ocr_confidence`` (0 to 100) how surely it was recognised from pixels, ``language`` its ISO
    639-1 code, ``highlight`` the sentence of it that answers best.
    """

    document_id: str
    filename: Annotated[str, Field(repr=False)]
    page: int
    start: int
    end: int
    text: Annotated[str, Field(repr=False)]
    rank: int
    relevance: Relevance
    flags: Annotated[list[str], Field(default_factory=list)]
    page_label: Annotated[str | None, Field(repr=False)] = None
    heading: Annotated[list[str], Field(default_factory=list, repr=False)]
    seconds: tuple[float, float] | None = None
    ocr_confidence: float | None = None
    language: str | None = None
    highlight: Span | None = None


class Passages(Outgoing):
    """The passages for one question, best first; none, and ``nothing_relevant``, when nothing fits.

    Whoever asked for doubtful ones gets them with ``nothing_relevant``, marked low.
    """

    passages: list[Passage]
    nothing_relevant: bool
    took_ms: float

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """Return the wire form of an answer."""
        passages = [Passage.model_validate(passage, from_attributes=True) for passage in answer.passages]
        return cls(passages=passages, nothing_relevant=answer.nothing_relevant, took_ms=answer.took_ms)
