"""Progress: say what a learner did, ask where he stands."""

from fastapi import APIRouter

from api.dependencies import CurrentSession, Db, SeenSession
from api.problems import TAKES_JSON
from api.routers import refuses
from api.schemas import progress as wire
from models.errors import DialogueRefused, InvalidRequest, NotAllowed, SessionExpired
from models.progress import service, streaks
from models.progress.service import Activity

router = APIRouter(prefix="/v1/progress", tags=["progress"])


@router.post("/events", responses=refuses(*TAKES_JSON, InvalidRequest, DialogueRefused, SessionExpired, NotAllowed))
def record_activities(new: wire.NewActivities, db: Db, session: CurrentSession) -> wire.RecordedActivities:
    """Record what a learner did, each event once, late ones too: none ever shortens a streak."""
    events = [Activity(**event.model_dump()) for event in new.events]
    outcomes = service.record(db, events, user_id=session.user_id)
    return wire.RecordedActivities(
        outcomes=[wire.ActivityOutcome(event_id=event_id, outcome=outcome) for event_id, outcome in outcomes],
        progress=get_progress(db, session),
    )


@router.get("", responses=refuses(SessionExpired, NotAllowed))
def get_progress(db: Db, session: SeenSession) -> wire.Progress:
    """Tell where the learner stands, by the clock of the place he was in last."""
    return wire.Progress.model_validate(streaks.progress(db, session.user_id), from_attributes=True)
