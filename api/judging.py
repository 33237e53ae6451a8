"""Feedback on its way in and out: its words pass the session process, which alone has the learner's key."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from api.dependencies import LearnersSession
from api.schemas import feedback as wire
from models.feedback import service
from models.feedback.service import FeedbackInfo, NewFeedback
from sessions.messages import SUGGESTION_PURPOSE, SealedText


def give(db: Session, session: LearnersSession, new: wire.NewFeedback) -> wire.Feedback:
    """Seal the suggestions and write the feedback. Raises ``NoSuchThing``, ``SessionExpired``."""
    sealed = None
    if new.suggestions is not None:
        sealed = session.client.seal(new.suggestions, purpose=SUGGESTION_PURPOSE)
    info = service.give(
        db,
        NewFeedback(
            session_id=session.session_id,
            user_id=session.user_id,
            feedback_type=new.feedback_type,
            score=new.exact_score,
            conversation_id=new.conversation_id,
            sealed_suggestions=sealed,
        ),
    )
    return opened(session, [info])[0]


def opened(session: LearnersSession, infos: Sequence[FeedbackInfo]) -> list[wire.Feedback]:
    """Return feedback as its learner may read it."""
    sealed = [SealedText(purpose=SUGGESTION_PURPOSE, sealed=info.sealed_suggestions or b"") for info in infos]
    words = session.client.unseal(sealed)
    return [_wire(info, suggestions) for info, suggestions in zip(infos, words, strict=True)]


def _wire(info: FeedbackInfo, suggestions: str | None) -> wire.Feedback:
    return wire.Feedback(
        feedback_id=info.feedback_id,
        session_id=info.session_id,
        conversation_id=info.conversation_id,
        feedback_type=info.feedback_type,
        score=float(info.score),
        created_at=info.created_at,
        suggestions=suggestions,
    )
