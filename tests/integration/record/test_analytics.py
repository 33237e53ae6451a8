"""The database's sums are those that a loop over the rows would give, on both databases alike."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest

from models.conversations import analytics as conversations
from models.conversations.tables import Conversation
from models.database import Database
from models.feedback import analytics as feedback
from models.progress import streaks
from models.usage import analytics as usage
from models.usage.tables import ApiUsage
from tests.support.record import Owner
from tests.support.two_years import FIRST_DAY, LAST_DAY, fill, rows_of


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


RANGES = [(date.min, date.max), (FIRST_DAY + timedelta(days=100), FIRST_DAY + timedelta(days=130))]


@pytest.fixture
def filled(database: Database, owner: Owner, stranger: Owner) -> Owner:
    """A learner with some weeks of activity, beside another."""
    for number, each in enumerate((owner, stranger)):
        fill(database, each.user_id, each.session_id, seed=number, days=150)
    return owner


@pytest.mark.parametrize(("first", "last"), RANGES)
def test_time_by_language_and_week(database: Database, filled: Owner, first: date, last: date):
    expected = defaultdict[tuple[date, str], list[int]](lambda: [0, 0])
    for row in rows_of(database, Conversation, filled.user_id):
        if first <= row.started_on <= last:
            sums = expected[monday(row.started_on), row.target_language]
            sums[0] += 1
            sums[1] += row.duration_seconds or 0

    with database.transaction() as db:
        found = conversations.by_week(db, filled.user_id, first, last)

    assert [((each.week, each.language), [each.conversations, each.seconds]) for each in found] == sorted(
        expected.items()
    )


@pytest.mark.parametrize(("first", "last"), RANGES)
def test_topics(database: Database, filled: Owner, first: date, last: date):
    expected = defaultdict[str, list[int]](lambda: [0, 0])
    for row in rows_of(database, Conversation, filled.user_id):
        if first <= row.started_on <= last and row.topic:
            expected[row.topic][0] += 1
            expected[row.topic][1] += row.duration_seconds or 0

    with database.transaction() as db:
        found = conversations.by_topic(db, filled.user_id, first, last)

    assert [(each.topic, [each.conversations, each.seconds]) for each in found] == sorted(expected.items())


@pytest.mark.parametrize(("first", "last"), RANGES)
def test_spend(database: Database, filled: Owner, first: date, last: date):
    expected = defaultdict[tuple[date, str], Decimal](Decimal)
    for row in rows_of(database, ApiUsage, filled.user_id):
        if first <= row.used_on <= last:
            expected[monday(row.used_on), row.service_name] += row.cost

    with database.transaction() as db:
        found = usage.by_week(db, filled.user_id, first, last)

    assert [((each.week, each.service_name), each.cost) for each in found] == sorted(expected.items())


def test_a_range_takes_the_streaks_and_weeks_it_touches(database: Database, filled: Owner):
    with database.transaction() as db:
        everything = streaks.history(db, filled.user_id)
        second = everything[1]
        touched = streaks.history(db, filled.user_id, second.last_day, second.last_day)
        none = feedback.by_week(db, filled.user_id, LAST_DAY + timedelta(days=1), date.max)

    assert len(everything) > 2
    assert touched == [second]
    assert none == []
