"""Analytics: sums over the record, calculated by the database, of one learner and a range of days."""

from fastapi import APIRouter

from api.dependencies import Db, SeenSession
from api.problems import TAKES_JSON
from api.routers import refuses
from api.schemas import analytics as wire
from models.conversations import analytics as conversations
from models.errors import DialogueRefused, InvalidRequest, NotAllowed, SessionExpired
from models.feedback import analytics as feedback
from models.progress import streaks
from models.usage import analytics as usage

router = APIRouter(prefix="/v1/analytics", tags=["analytics"])

_RESPONSES = refuses(*TAKES_JSON, InvalidRequest, DialogueRefused, SessionExpired, NotAllowed)


@router.post("/streaks", responses=_RESPONSES)
def analyse_streaks(wanted: wire.Range, db: Db, session: SeenSession) -> wire.Streaks:
    """Return the history of streaks."""
    found = streaks.history(db, session.user_id, *wanted.days)
    return wire.Streaks(streaks=[wire.Streak.model_validate(each, from_attributes=True) for each in found])


@router.post("/time", responses=_RESPONSES)
def analyse_time(wanted: wire.Range, db: Db, session: SeenSession) -> wire.Time:
    """Return conversations and their time by language and week."""
    found = conversations.by_week(db, session.user_id, *wanted.days)
    return wire.Time(weeks=[wire.WeekOfLanguage.model_validate(each, from_attributes=True) for each in found])


@router.post("/topics", responses=_RESPONSES)
def analyse_topics(wanted: wire.Range, db: Db, session: SeenSession) -> wire.Topics:
    """Return the topics that were talked about, and for how long."""
    found = conversations.by_topic(db, session.user_id, *wanted.days)
    return wire.Topics(topics=[wire.TopicTime.model_validate(each, from_attributes=True) for each in found])


@router.post("/feedback", responses=_RESPONSES)
def analyse_feedback(wanted: wire.Range, db: Db, session: SeenSession) -> wire.Trends:
    """Return how feedback developed by type and week. Nothing is unsealed for it."""
    found = feedback.by_week(db, session.user_id, *wanted.days)
    return wire.Trends(weeks=[wire.Trend.model_validate(each, from_attributes=True) for each in found])


@router.post("/spend", responses=_RESPONSES)
def analyse_spend(wanted: wire.Range, db: Db, session: SeenSession) -> wire.Spending:
    """Return what the tutor's services cost by week."""
    found = usage.by_week(db, session.user_id, *wanted.days)
    return wire.Spending(weeks=[wire.Spend.model_validate(each, from_attributes=True) for each in found])
