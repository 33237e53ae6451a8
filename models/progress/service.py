"""Recording what a learner did, once each, in whatever order it arrives.

Owns the rows of ``activity_events``, ``activity_days`` and ``learner_clocks``. The merge rule: a day counts from its
first event on and no event takes one away, so a late event can join streaks and lengthen them, and never shortens one
that was earned. Refuses what lies in the future, or so far back that no honest client still holds it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.database import now
from models.holding import hold_account
from models.progress.days import LocalDay, local_day
from models.progress.tables import ActivityDay, ActivityEvent, LearnerClock
from models.vocabulary import ActivityKind, Topic

LATEST = timedelta(minutes=10)
EARLIEST = timedelta(days=400)

Outcome = Literal["recorded", "known", "in_the_future", "too_old"]


@dataclass(frozen=True, slots=True)
class Activity:
    """One thing a learner did. ``event_id`` is his client's own name for it; ``time_zone`` is where he was (IANA)."""

    event_id: str
    kind: ActivityKind
    language: str
    occurred_at: datetime
    time_zone: str
    topic: Topic | None = None


@dataclass(frozen=True, slots=True)
class ActivityInfo:
    """One event as the record has it. Times are UTC; ``day`` was the learner's own."""

    event_id: str
    kind: ActivityKind
    language: str
    topic: Topic | None
    day: date
    occurred_at: datetime


def record(
    db: Session, events: Sequence[Activity], *, user_id: str, moment: datetime | None = None
) -> list[tuple[str, Outcome]]:
    """Write events that are new and say of each what became of it. Any order, any number of times.

    Raises ``SessionExpired`` when the account is gone.
    """
    hold_account(db, user_id)
    known = _known(db, [event.event_id for event in events], user_id)
    outcomes = list[tuple[str, Outcome]]()
    for event in events:
        outcome = _outcome(event, known, moment or now())
        if outcome == "recorded":
            known.add(event.event_id)
            _write(db, event, user_id)
        outcomes.append((event.event_id, outcome))
    db.flush()
    return outcomes


def clock(db: Session, user_id: str) -> str:
    """Return the time zone a learner was in last; UTC before his first event."""
    row = db.get(LearnerClock, user_id, populate_existing=True)
    return "UTC" if row is None else row.time_zone


def of_user(db: Session, user_id: str) -> list[ActivityInfo]:
    """Return all events of an account in the order they happened, for its export."""
    wanted = select(ActivityEvent).where(ActivityEvent.user_id == user_id)
    return [_info(row) for row in db.scalars(wanted.order_by(ActivityEvent.occurred_at, ActivityEvent.event_id))]


def _known(db: Session, event_ids: Sequence[str], user_id: str) -> set[str]:
    wanted = select(ActivityEvent.event_id).where(
        ActivityEvent.user_id == user_id, ActivityEvent.event_id.in_(event_ids)
    )
    return set(db.scalars(wanted))


def _outcome(event: Activity, known: set[str], moment: datetime) -> Outcome:
    if event.event_id in known:
        return "known"
    if event.occurred_at > moment + LATEST:
        return "in_the_future"
    return "too_old" if event.occurred_at < moment - EARLIEST else "recorded"


def _write(db: Session, event: Activity, user_id: str) -> None:
    found = local_day(event.occurred_at, event.time_zone)
    row = ActivityEvent(
        user_id=user_id,
        event_id=event.event_id,
        kind=event.kind,
        language=event.language,
        topic=event.topic,
        day=found.day,
        occurred_at=event.occurred_at,
    )
    db.add(row)
    _widen(db, found, user_id)
    _set_clock(db, event, user_id)


def _widen(db: Session, found: LocalDay, user_id: str) -> None:
    """Note the day; where it was practised on in several places it lasts from the first midnight to the last."""
    row = db.get(ActivityDay, (user_id, found.day))
    if row is None:
        db.add(ActivityDay(user_id=user_id, day=found.day, starts_at=found.starts_at, ends_at=found.ends_at))
        db.flush()
    else:
        row.starts_at, row.ends_at = min(row.starts_at, found.starts_at), max(row.ends_at, found.ends_at)


def _set_clock(db: Session, event: Activity, user_id: str) -> None:
    row = db.get(LearnerClock, user_id)
    if row is None:
        db.add(LearnerClock(user_id=user_id, time_zone=event.time_zone, set_at=event.occurred_at))
        db.flush()
    elif event.occurred_at >= row.set_at:
        row.time_zone, row.set_at = event.time_zone, event.occurred_at


def _info(row: ActivityEvent) -> ActivityInfo:
    return ActivityInfo(
        event_id=row.event_id,
        kind=cast("ActivityKind", row.kind),
        language=row.language,
        topic=cast("Topic | None", row.topic),
        day=row.day,
        occurred_at=row.occurred_at,
    )
