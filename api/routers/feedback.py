"""Feedback: give, look, list. Its words are sealed before they reach the record."""

from fastapi import APIRouter

from api import judging
from api.dependencies import CurrentSession, Db, SeenSession
from api.problems import TAKES_JSON
from api.routers import refuses
from api.schemas import feedback as wire
from models.errors import DialogueRefused, InvalidRequest, NoSuchThing, NotAllowed, SessionExpired
from models.feedback import service

router = APIRouter(prefix="/v1", tags=["feedback"])

_REFUSALS = (*TAKES_JSON, InvalidRequest, DialogueRefused, SessionExpired, NotAllowed, NoSuchThing)


@router.post("/feedback", status_code=201, responses=refuses(*_REFUSALS))
def give_feedback(new: wire.NewFeedback, db: Db, session: CurrentSession) -> wire.Feedback:
    """Keep one judgement of the tutor; its suggestions open only while the learner is signed in."""
    return judging.give(db, session, new)


@router.post("/searches/feedback", responses=refuses(*_REFUSALS))
def list_feedback(wanted: wire.FeedbackPageRequest, db: Db, session: SeenSession) -> wire.FeedbackPage:
    """List the learner's feedback, the latest first."""
    found = service.page(
        db, session.user_id, limit=wanted.limit, after=wanted.after, conversation_id=wanted.conversation_id
    )
    full = len(found) == wanted.limit
    return wire.FeedbackPage(
        feedback=judging.opened(session, found), next_after=found[-1].feedback_id if full else None
    )


@router.get("/feedback/{feedback_id}", responses=refuses(SessionExpired, NotAllowed, NoSuchThing))
def get_feedback(feedback_id: str, db: Db, session: SeenSession) -> wire.Feedback:
    """Return one judgement."""
    return judging.opened(session, [service.get(db, feedback_id, user_id=session.user_id)])[0]
