import functools
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from models.database import Database
from models.ids import new_id
from models.progress import service, streaks
from models.progress.days import LocalDay, hang_together, local_day
from models.progress.service import EARLIEST, LATEST, Activity, Outcome
from models.progress.streaks import Progress, Streak
from models.progress.tables import ActivityDay, ActivityEvent, LearnerClock
from models.time_zones import TIME_ZONES
from tests.support.record import Owner, at_once

# Zones on both sides of the date line, with and without daylight saving time, with half hours, and one at which clocks
# change at midnight.
ZONES = (
    "Pacific/Kiritimati",
    "Pacific/Niue",
    "America/New_York",
    "Europe/Paris",
    "Asia/Kathmandu",
    "Asia/Beirut",
    "UTC",
)
FROM = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 12, 31, 12, tzinfo=UTC)


def activity(occurred_at: datetime, time_zone: str = "UTC", **changes: object) -> Activity:
    values: dict[str, object] = {
        "event_id": new_id(),
        "kind": "practice",
        "language": "fr",
        "occurred_at": occurred_at,
        "time_zone": time_zone,
    }
    return Activity(**values | changes)  # pyright: ignore[reportArgumentType]  # Tests also pass what is wrong.


def local(text: str, time_zone: str) -> Activity:
    """Return an activity at a time of day in a place."""
    return activity(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(time_zone)), time_zone)


def record(database: Database, owner: Owner, *events: Activity, moment: datetime = NOW) -> list[Outcome]:
    with database.transaction() as db:
        return [outcome for _, outcome in service.record(db, events, user_id=owner.user_id, moment=moment)]


def progress(database: Database, owner: Owner, moment: datetime = NOW) -> Progress:
    with database.transaction() as db:
        return streaks.progress(db, owner.user_id, moment)


def history(database: Database, owner: Owner) -> list[Streak]:
    with database.transaction() as db:
        return streaks.history(db, owner.user_id)


def forget(database: Database) -> None:
    with database.transaction() as db:
        for table in (ActivityEvent, ActivityDay, LearnerClock):
            db.execute(delete(table))


def expected(events: Iterable[Activity]) -> list[Streak]:
    """Return the streaks as a learner would count them with a calendar: days first, then runs of them."""
    days = dict[date, LocalDay]()
    for found in (local_day(event.occurred_at, event.time_zone) for event in events):
        other = days.get(found.day, found)
        days[found.day] = LocalDay(found.day, min(found.starts_at, other.starts_at), max(found.ends_at, other.ends_at))
    runs = list[list[LocalDay]]()
    for _, day in sorted(days.items()):
        if runs and hang_together(runs[-1][-1], day):
            runs[-1].append(day)
        else:
            runs.append([day])
    return [Streak(run[0].day, run[-1].day, len(run)) for run in runs]


EVENTS = st.lists(
    st.builds(
        activity,
        st.integers(0, 40 * 48).map(lambda half_hours: FROM + timedelta(minutes=30 * half_hours)),
        st.sampled_from(ZONES),
    ),
    min_size=1,
    max_size=40,
)
MODEL = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(events=EVENTS, batch=st.integers(1, 7))
@MODEL
def test_no_event_however_late_ever_shortens_a_streak_that_was_earned(
    database: Database, owner: Owner, events: Sequence[Activity], batch: int
):
    forget(database)
    earned = list[Streak]()
    for start in range(0, len(events), batch):
        record(database, owner, *events[start : start + batch])
        now_there = history(database, owner)
        for streak in earned:
            (still,) = [each for each in now_there if each.first_day <= streak.first_day <= each.last_day]
            assert still.last_day >= streak.last_day
            assert still.days >= streak.days
        earned = now_there

    assert earned == expected(events)


@given(events=EVENTS, order=st.randoms(use_true_random=False))
@MODEL
def test_neither_order_nor_repetition_changes_what_is_there(
    database: Database, owner: Owner, stranger: Owner, events: list[Activity], order: st.DataObject
):
    forget(database)
    shuffled = [*events, *events[::2]]
    order.shuffle(shuffled)  # pyright: ignore[reportAttributeAccessIssue]  # It is a random.Random.

    record(database, owner, *events)
    for event in shuffled:
        record(database, stranger, event)

    assert history(database, owner) == history(database, stranger)
    last = max(event.occurred_at for event in events)
    zones = {event.time_zone for event in events if event.occurred_at == last}
    assert progress(database, stranger).time_zone in zones
    with database.transaction() as db:
        assert len(service.of_user(db, stranger.user_id)) == len(events)


@given(
    time_zone=st.sampled_from(sorted(TIME_ZONES)),
    first=st.dates(date(2026, 1, 1), date(2026, 11, 1)),
    minutes=st.lists(st.integers(0, 24 * 60 - 1), min_size=2, max_size=30),
)
@MODEL
def test_who_practises_on_each_day_of_his_calendar_has_a_streak_of_as_many_days_in_every_zone(
    database: Database, owner: Owner, time_zone: str, first: date, minutes: list[int]
):
    forget(database)
    zone = ZoneInfo(time_zone)
    moments = [moment_on(first + timedelta(days=number), at, zone) for number, at in enumerate(minutes)]

    record(database, owner, *(activity(moment.astimezone(UTC), time_zone) for moment in moments))

    assert [streak.days for streak in history(database, owner)] == [len(minutes)]
    assert progress(database, owner, moments[-1].astimezone(UTC)).current_streak == len(minutes)


def moment_on(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """Return a moment of a day: a time that the clock jumps over is an hour later, or earlier before midnight."""
    wall = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minutes)
    moments = [wall.replace(fold=fold).astimezone(UTC).astimezone(zone) for fold in (0, 1)]
    return next(moment for moment in moments if moment.date() == day)


def test_the_day_before_a_clock_jumps_to_midnight_is_a_day(database: Database, owner: Owner):
    days = (date(2026, 3, 27), date(2026, 3, 28), date(2026, 3, 29))
    events = [activity(moment_on(day, 23 * 60 + 30, ZoneInfo("America/Nuuk")), "America/Nuuk") for day in days]

    record(database, owner, *events)

    assert history(database, owner) == [Streak(days[0], days[-1], 3)]


def test_a_minute_to_midnight_and_midnight_are_two_days(database: Database, owner: Owner):
    record(database, owner, local("2026-05-04T23:59", "Europe/Paris"), local("2026-05-05T00:00", "Europe/Paris"))

    assert history(database, owner) == [Streak(date(2026, 5, 4), date(2026, 5, 5), 2)]


@pytest.mark.parametrize(
    ("today", "streak"), [("2026-05-05T23:59", 1), ("2026-05-06T23:59", 1), ("2026-05-07T00:00", 0)]
)
def test_a_streak_lives_to_the_last_second_of_the_day_after(database: Database, owner: Owner, today: str, streak: int):
    record(database, owner, local("2026-05-05T12:00", "America/New_York"))

    found = progress(database, owner, local(today, "America/New_York").occurred_at)

    assert (found.current_streak, found.longest_streak) == (streak, 1)
    midnight = datetime(2026, 5, 7, tzinfo=ZoneInfo("America/New_York"))
    assert found.streak_until == (midnight if streak else None)


@pytest.mark.parametrize(
    ("events", "days"),
    [
        # East over the date line: the sixth of May had no hour for him.
        ([("2026-05-05T20:00", "Pacific/Niue"), ("2026-05-07T09:00", "Pacific/Kiritimati")], [2]),
        # East from New York to Paris: the day between had 18 hours, enough to be missed.
        ([("2026-05-05T20:00", "America/New_York"), ("2026-05-07T09:00", "Europe/Paris")], [1, 1]),
        # West over the date line: the same day twice.
        ([("2026-05-05T09:00", "Pacific/Kiritimati"), ("2026-05-05T20:00", "Pacific/Niue")], [1]),
        # West by nearly a day: the next day begins very late.
        ([("2026-05-05T09:00", "Pacific/Kiritimati"), ("2026-05-06T20:00", "Pacific/Niue")], [2]),
        # Spring forward, fall back: days of 23 and 25 hours are days.
        ([("2026-03-28T00:30", "Europe/Paris"), ("2026-03-29T23:30", "Europe/Paris")], [2]),
        ([("2026-10-24T23:30", "Europe/Paris"), ("2026-10-26T00:30", "Europe/Paris")], [1, 1]),
    ],
)
def test_journeys_and_clock_changes(database: Database, owner: Owner, events: list[tuple[str, str]], days: list[int]):
    record(database, owner, *(local(text, zone) for text, zone in events))

    assert [streak.days for streak in history(database, owner)] == days


def test_what_lies_in_the_future_or_too_far_back_is_said_and_not_kept(database: Database, owner: Owner):
    instant = timedelta(seconds=1)
    moments = (NOW + LATEST, NOW + LATEST + instant, NOW - EARLIEST, NOW - EARLIEST - instant)

    outcomes = record(database, owner, *map(activity, moments))

    assert outcomes == ["recorded", "in_the_future", "recorded", "too_old"]


def test_lessons_topics_and_languages_are_counted(database: Database, owner: Owner, stranger: Owner):
    record(
        database,
        owner,
        activity(NOW, kind="lesson_completed", topic="food"),
        activity(NOW, kind="lesson_completed", topic="travel", language="ja"),
        activity(NOW, topic="food"),
    )

    found = progress(database, owner)

    assert (found.lessons_completed, found.topics, found.languages) == (2, ("food", "travel"), ("fr", "ja"))
    assert progress(database, stranger).languages == ()


@given(events=EVENTS)
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_thirty_two_writers_at_once_lose_no_activity(database: Database, owner: Owner, events: list[Activity]):
    forget(database)

    at_once(
        database,
        [
            functools.partial(service.record, events=[event], user_id=owner.user_id, moment=NOW)
            for event in [*events, *events]
        ],
    )

    assert history(database, owner) == expected(events)
    with database.transaction() as db:
        assert {info.event_id for info in service.of_user(db, owner.user_id)} == {each.event_id for each in events}


def test_every_time_zone_is_known_to_this_machine():
    assert all(ZoneInfo(name).key == name for name in TIME_ZONES)
