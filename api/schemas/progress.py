"""What a learner did, and where he stands."""

from datetime import date, datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from api.schemas import Outgoing
from api.schemas.accounts import Language
from api.schemas.record import ClientsId, Metadata, MomentText, TimeZone
from models.progress.service import Outcome
from models.vocabulary import ActivityKind, Topic

MAX_EVENTS = 100


class NewActivity(Metadata):
    """One thing a learner did: when, where (his time zone), what. The same ``event_id`` again is not counted again."""

    event_id: ClientsId
    kind: ActivityKind
    language: Language
    topic: Topic | None = None
    occurred_at: MomentText
    time_zone: TimeZone


class NewActivities(Metadata):
    """What a learner did since his client could last say so, in any order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "events": [
                        {
                            "event_id": "5b1e0f6c2d3a49788796a5b4c3d2e1f0",
                            "kind": "lesson_completed",
                            "language": "fr",
                            "topic": "travel",
                            "occurred_at": "2026-11-24T23:58:00+01:00",
                            "time_zone": "Europe/Paris",
                        }
                    ]
                }
            ]
        }
    )

    events: Annotated[list[NewActivity], Field(min_length=1, max_length=MAX_EVENTS)]


class ActivityOutcome(Outgoing):
    """What became of one event; whatever it says, there is no need to send the event again."""

    event_id: str
    outcome: Outcome


class Progress(Outgoing):
    """Where a learner stands. ``streak_until`` is when the current streak breaks unless he practises."""

    current_streak: int
    longest_streak: int
    active_today: bool
    streak_until: datetime | None
    last_activity_date: date | None
    time_zone: str
    lessons_completed: int
    topics: list[str]
    languages: list[str]


class RecordedActivities(Outgoing):
    """What became of each event, in the order they came, and where the learner stands now."""

    outcomes: list[ActivityOutcome]
    progress: Progress
