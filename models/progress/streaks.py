"""Streaks and sums, calculated by the database from the days and events.

A streak is a run of days that hang together (see ``models.progress.days``); it is never stored, so it cannot differ
from the days it is made of. The current one lives until the end of the day after its last.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Subquery, and_, case, func, or_, select
from sqlalchemy.orm import Session

from models.columns import number_of
from models.database import now
from models.progress import service
from models.progress.days import SHORTEST_DAY_SECONDS, LocalDay, day_in, hang_together, local_day
from models.progress.tables import ActivityDay, ActivityEvent


@dataclass(frozen=True, slots=True)
class Streak:
    """A run of days: its first and last, and on how many of them the learner practised."""

    first_day: date
    last_day: date
    days: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a learner stands. ``streak_until`` (UTC) is when the current streak breaks unless he practises."""

    current_streak: int
    longest_streak: int
    active_today: bool
    streak_until: datetime | None
    last_activity_date: date | None
    time_zone: str
    lessons_completed: int
    topics: tuple[str, ...]
    languages: tuple[str, ...]


def progress(db: Session, user_id: str, moment: datetime | None = None) -> Progress:
    """Return where a learner stands at a moment (now)."""
    time_zone = service.clock(db, user_id)
    today = local_day(moment or now(), time_zone)
    streaks = history(db, user_id)
    last = _last_day(db, user_id)
    done = _done(db, user_id)
    lives = last is not None and hang_together(last, today)
    return Progress(
        current_streak=streaks[-1].days if lives else 0,
        longest_streak=max((streak.days for streak in streaks), default=0),
        active_today=last is not None and last.day >= today.day,
        streak_until=_until(last, today, time_zone) if last is not None and lives else None,
        last_activity_date=last and last.day,
        time_zone=time_zone,
        lessons_completed=sum(times for kind, _, _, times in done if kind == "lesson_completed"),
        topics=tuple(sorted({topic for _, _, topic, _ in done if topic is not None})),
        languages=tuple(sorted({language for _, language, _, _ in done})),
    )


def history(db: Session, user_id: str, first: date = date.min, last: date = date.max) -> list[Streak]:
    """Return the streaks of a learner that touch the days from ``first`` to ``last``, the earliest first."""
    chained = _chained(user_id)
    first_day, last_day = func.min(chained.c.day), func.max(chained.c.day)
    wanted = (
        select(first_day, last_day, func.count())
        .group_by(chained.c.chain)
        .having(and_(first_day <= last, last_day >= first))
        .order_by(first_day)
    )
    return [Streak(*row) for row in db.execute(wanted)]


def _chained(user_id: str) -> Subquery:
    """Return the days of a learner, each with the number of the run it belongs to (``chain``)."""
    number = number_of(ActivityDay.day)
    days_since = (number - func.lag(number).over(order_by=ActivityDay.day)).label("days_since")
    seconds_since = ActivityDay.starts_at - func.lag(ActivityDay.ends_at).over(order_by=ActivityDay.day)
    mine = ActivityDay.user_id == user_id
    # MariaDB 10.11 calculates a disjunction of window functions wrongly: they get a query of their own.
    gaps = select(ActivityDay.day, days_since, seconds_since.label("seconds_since")).where(mine).subquery()
    short = and_(gaps.c.days_since == 2, gaps.c.seconds_since < SHORTEST_DAY_SECONDS)
    begins = case((or_(gaps.c.days_since <= 1, short), 0), else_=1)
    return select(gaps.c.day, func.sum(begins).over(order_by=gaps.c.day).label("chain")).subquery()


def _last_day(db: Session, user_id: str) -> LocalDay | None:
    wanted = select(ActivityDay).where(ActivityDay.user_id == user_id).order_by(ActivityDay.day.desc()).limit(1)
    row = db.scalar(wanted)
    return None if row is None else LocalDay(row.day, row.starts_at, row.ends_at)


def _until(last: LocalDay, today: LocalDay, time_zone: str) -> datetime:
    """Return the end of the day after the last one, or of today where that is later: a short day cannot be missed."""
    following = day_in(last.day + timedelta(days=1), time_zone)
    return datetime.fromtimestamp(max(following.ends_at, today.ends_at if last.day < today.day else 0), UTC)


def _done(db: Session, user_id: str) -> list[tuple[str, str, str | None, int]]:
    """Return kind, language and topic of what a learner did, and how often."""
    what = (ActivityEvent.kind, ActivityEvent.language, ActivityEvent.topic)
    wanted = select(*what, func.count()).where(ActivityEvent.user_id == user_id).group_by(*what)
    return [(kind, language, topic, times) for kind, language, topic, times in db.execute(wanted)]
