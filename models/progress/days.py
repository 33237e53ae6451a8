"""What a day is, and when two days hang together.

Two days on which a learner practised hang together when they follow on one another in his calendar. Who flies east over
the date line has a day of few hours, or none: one of which he had less than twelve hours cannot be missed. Nothing else
that a clock does, daylight saving time or a flight west, takes a day out of a calendar.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

# A day with fewer seconds than this between its neighbours need not be practised on.
SHORTEST_DAY_SECONDS = 12 * 3600


@dataclass(frozen=True, slots=True)
class LocalDay:
    """A day in some place: its date there, and when it begins and ends (Unix seconds)."""

    day: date
    starts_at: int
    ends_at: int


def local_day(moment: datetime, time_zone: str) -> LocalDay:
    """Return the day that a moment falls on in a time zone, from midnight to midnight, be it 23 or 25 hours long."""
    day = moment.astimezone(ZoneInfo(time_zone)).date()
    return day_in(day, time_zone)


def day_in(day: date, time_zone: str) -> LocalDay:
    """Return a date as a day in a time zone."""
    return LocalDay(day, _midnight(day, time_zone), _midnight(day + timedelta(days=1), time_zone))


def hang_together(earlier: LocalDay, later: LocalDay) -> bool:
    """Say whether no day between the two was missed."""
    between = (later.day - earlier.day).days - 1
    return between <= 0 or (between == 1 and later.starts_at - earlier.ends_at < SHORTEST_DAY_SECONDS)


def _midnight(day: date, time_zone: str) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(time_zone)).timestamp())
