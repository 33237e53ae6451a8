"""Continuing a conversation: what a tutor may know of one that is over. No dialogue is among it: none was kept."""

from sqlalchemy.orm import Session

from api.dependencies import LearnersSession
from api.resources import Resources
from api.schemas import conversations as wire
from api.schemas.scenarios import Scenario
from models.conversations import service
from models.documents import service as document_record
from models.documents.service import DocumentInfo
from models.errors import NoSuchThing
from models.feedback import analytics as feedback
from sessions.messages import FILENAME_PURPOSE, SealedText


def context(
    resources: Resources, db: Session, session: LearnersSession, conversation_id: str
) -> wire.ConversationContext:
    """Return scenario, topic, times, the documents of that time and what was judged. Raises ``NoSuchThing``."""
    info = service.get(db, conversation_id, user_id=session.user_id)
    documents = document_record.of_session(db, info.session_id)
    names = session.client.unseal(
        [SealedText(purpose=FILENAME_PURPOSE, sealed=each.facts.sealed_filename or b"") for each in documents]
    )
    return wire.ConversationContext(
        conversation=wire.Conversation.of(info),
        scenario=_scenario(resources, info.scenario_id),
        documents=[_document(each, name) for each, name in zip(documents, names, strict=True)],
        feedback=[
            wire.FeedbackSummary(feedback_type=kind, times=times, mean_score=float(score))
            for kind, times, score in feedback.of_conversation(db, conversation_id)
        ],
        upload_again=bool(documents) and info.session_id != session.session_id,
    )


def _scenario(resources: Resources, scenario_id: str | None) -> Scenario | None:
    try:
        found = None if scenario_id is None else resources.catalogue.get(scenario_id)
    except NoSuchThing:
        return None
    return None if found is None else Scenario.model_validate(found, from_attributes=True)


def _document(info: DocumentInfo, filename: str | None) -> wire.PastDocument:
    facts = info.facts
    return wire.PastDocument(
        document_id=facts.content_id,
        filename=filename,
        file_type=facts.media_type,
        pages=facts.pages,
        language=facts.language,
        status=facts.status,
        uploaded_at=info.upload_time,
    )
