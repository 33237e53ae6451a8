"""Sums over the record, by week."""

from datetime import date
from decimal import Decimal

from pydantic import ConfigDict

from api.schemas import Outgoing
from api.schemas.record import DayText, Metadata
from models.vocabulary import FeedbackType, ServiceName, Topic


class Range(Metadata):
    """Which days are wanted, both ends included; what is left out does not narrow."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"first_day": "2026-01-01", "last_day": "2026-12-31"}, {}]}
    )

    first_day: DayText | None = None
    last_day: DayText | None = None

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day."""
        return self.first_day or date.min, self.last_day or date.max


class Streak(Outgoing):
    """A run of days on which the learner practised."""

    first_day: date
    last_day: date
    days: int


class Streaks(Outgoing):
    """The streaks that touch the range, the earliest first."""

    streaks: list[Streak]


class WeekOfLanguage(Outgoing):
    """One language in the week that begins on the Monday ``week``, by the learner's own days."""

    week: date
    language: str
    conversations: int
    seconds: int


class Time(Outgoing):
    """Time by language and week; conversations that have not ended count with no seconds."""

    weeks: list[WeekOfLanguage]


class TopicTime(Outgoing):
    """One topic."""

    topic: Topic
    conversations: int
    seconds: int


class Topics(Outgoing):
    """The topics that were talked about, by name."""

    topics: list[TopicTime]


class Trend(Outgoing):
    """One kind of feedback in the week (UTC) that begins on the Monday ``week``."""

    week: date
    feedback_type: FeedbackType
    times: int
    mean_score: float


class Trends(Outgoing):
    """Feedback by week and type."""

    weeks: list[Trend]


class Spend(Outgoing):
    """One service in the week (UTC) that begins on the Monday ``week``; money as a decimal with six places."""

    week: date
    service_name: ServiceName
    requests: int
    tokens: int
    duration_ms: int
    cost: Decimal


class Spending(Outgoing):
    """What was spent, by week and service."""

    weeks: list[Spend]
