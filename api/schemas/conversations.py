"""Conversations: metadata only."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

from pydantic import ConfigDict, Field

from api.schemas import Outgoing
from api.schemas.accounts import Language
from api.schemas.record import NUMBER, Metadata, Money4, RecordId, TimeZone
from api.schemas.scenarios import Scenario
from models.conversations import service
from models.conversations.service import MAX_TOKENS, ConversationInfo
from models.language_names import LANGUAGE_NAMES
from models.vocabulary import FeedbackType, Topic


class NewConversation(Metadata):
    """What a conversation starts with; the scenario gives the topic unless one is named."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"target_language": "fr", "scenario_id": "fr-a2-missed-connection", "time_zone": "Europe/Paris"},
                {"target_language": "es", "topic": "food"},
            ]
        }
    )

    target_language: Language
    scenario_id: RecordId | None = None
    topic: Topic | None = None
    time_zone: TimeZone = "UTC"


class ConversationUsage(Metadata):
    """What a turn of the tutor cost: tokens, and money as a decimal with up to four places."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tokens": 812, "cost": "0.0042"}]})

    tokens: Annotated[int, Field(ge=0, le=MAX_TOKENS), NUMBER]
    cost: Money4


class Conversation(Outgoing):
    """One conversation. ``label`` is for people and is derived; ``duration_seconds`` is null until it has ended."""

    conversation_id: str
    session_id: str
    label: str
    scenario_id: str | None
    topic: Topic | None
    target_language: str
    start_time: datetime
    end_time: datetime | None
    duration_seconds: int | None
    total_ai_tokens_used: int
    estimated_cost: Annotated[Decimal, Field(json_schema_extra={"description": "Four places"})]

    @classmethod
    def of(cls, info: ConversationInfo) -> Self:
        """Return the wire form of a conversation."""
        own = {name: getattr(info, name) for name in cls.model_fields if name != "label"}
        return cls(label=label(info), **own)


class PastDocument(Outgoing):
    """That a document was there; its name only where the learner's own sign-in opens it. Its content is gone."""

    document_id: str
    filename: Annotated[str | None, Field(repr=False)]
    file_type: str | None
    pages: int
    language: str | None
    status: str
    uploaded_at: datetime


class FeedbackSummary(Outgoing):
    """One kind of feedback in a conversation."""

    feedback_type: FeedbackType
    times: int
    mean_score: float


class ConversationContext(Outgoing):
    """What a tutor may know of a past conversation. ``upload_again``: its documents are gone with their session."""

    conversation: Conversation
    scenario: Scenario | None
    documents: list[PastDocument]
    feedback: list[FeedbackSummary]
    upload_again: bool


class Conversations(Outgoing):
    """A part of the list, the latest first; ``next_after`` asks for the part that follows, null at the end."""

    conversations: list[Conversation]
    next_after: str | None

    @classmethod
    def of(cls, infos: list[ConversationInfo], limit: int) -> Self:
        """Return the wire form of a part of the list that was asked for with this limit."""
        full = len(infos) == limit
        return cls(
            conversations=[Conversation.of(info) for info in infos],
            next_after=infos[-1].conversation_id if full else None,
        )


def label(info: ConversationInfo) -> str:
    """Return what people call a conversation, like ``French · Travel · 15 min``: derived, never stored."""
    language = LANGUAGE_NAMES.get(info.target_language, info.target_language)
    parts = [language, *([info.topic.capitalize()] if info.topic else []), f"{service.minutes(info)} min"]
    return " · ".join(parts)
