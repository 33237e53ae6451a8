"""Feedback: a score, and what the tutor suggests."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import ConfigDict, Field

from api.schemas import Outgoing
from api.schemas.record import NUMBER, Metadata, PageRequest, RecordId
from models.vocabulary import FeedbackType

SUGGESTION_CHARACTERS = 4000


class NewFeedback(Metadata):
    """One judgement. ``score`` runs from 0 to 1 and is kept in thousandths; suggestions are sealed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"feedback_type": "grammar", "score": 0.72, "suggestions": "Mind the agreement of past participles."}
            ]
        }
    )

    feedback_type: FeedbackType
    score: Annotated[float, Field(ge=0, le=1), NUMBER]
    conversation_id: RecordId | None = None
    suggestions: Annotated[str | None, Field(max_length=SUGGESTION_CHARACTERS, repr=False)] = None

    @property
    def exact_score(self) -> Decimal:
        """The score in thousandths."""
        return Decimal(str(round(self.score, 3)))


class Feedback(Outgoing):
    """One judgement; ``suggestions`` are null when there are none, or when their seal does not fit."""

    feedback_id: str
    session_id: str
    conversation_id: str | None
    feedback_type: FeedbackType
    score: float
    created_at: datetime
    suggestions: Annotated[str | None, Field(repr=False)]


class FeedbackPageRequest(PageRequest):
    """A part of the list, of one conversation or of all."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"limit": 20}]})

    conversation_id: RecordId | None = None


class FeedbackPage(Outgoing):
    """A part of the list, the latest first; ``next_after`` asks for the part that follows, null at the end."""

    feedback: list[Feedback]
    next_after: str | None
