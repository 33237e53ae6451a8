import functools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, DateTime, Integer, String, inspect, update

from models.columns import Fixed
from models.conversations import service
from models.conversations.service import ConversationInfo, Start
from models.conversations.tables import Conversation
from models.database import Database
from models.errors import NoSuchThing, SessionExpired
from models.sessions import service as sessions
from tests.support.record import Owner, at_once

LONGEST_CLOSED_WORD = 36
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def start(database: Database, owner: Owner, **changes: str) -> ConversationInfo:
    wish = Start(**({"session_id": owner.session_id, "user_id": owner.user_id, "target_language": "fr"} | changes))  # pyright: ignore[reportArgumentType]  # Closed words come as plain text here.
    with database.transaction() as db:
        return service.start(db, wish)


def test_there_is_no_column_that_a_sentence_could_land_in(database: Database):
    columns = inspect(database.engine).get_columns("conversations")

    assert len(columns) == 12
    for column in columns:
        assert isinstance(column["type"], String | Integer | BigInteger | DateTime), column
        if isinstance(column["type"], String):
            assert 0 < (column["type"].length or 0) <= LONGEST_CLOSED_WORD, column


def test_a_conversation_that_ends_has_a_duration_and_the_first_end_stands(
    database: Database, owner: Owner, monkeypatch: pytest.MonkeyPatch
):
    moments = [NOON, NOON + timedelta(seconds=95.7), NOON + timedelta(hours=1)]
    monkeypatch.setattr(service, "now", lambda: moments.pop(0))
    begun = start(database, owner, topic="travel")
    with database.transaction() as db:
        first = service.end(db, begun.conversation_id, user_id=owner.user_id)
    with database.transaction() as db:
        second = service.end(db, begun.conversation_id, user_id=owner.user_id)

    assert begun.end_time is None
    assert first.end_time == NOON + timedelta(seconds=95.7)
    assert (first.duration_seconds, first.topic) == (95, "travel")
    assert second == first


def test_the_day_of_a_conversation_is_the_learners_own(database: Database, owner: Owner):
    east = start(database, owner, time_zone="Pacific/Kiritimati")
    west = start(database, owner, time_zone="Pacific/Niue")

    assert (east.started_on - west.started_on).days in {1, 2}, "these zones are 25 hours apart"


def test_another_learners_conversation_does_not_exist(database: Database, owner: Owner, stranger: Owner):
    mine = start(database, owner)

    for attempt in (
        functools.partial(service.get),
        functools.partial(service.end),
        functools.partial(service.add_usage, tokens=1, cost=Decimal(1)),
    ):
        with pytest.raises(NoSuchThing), database.transaction() as db:
            attempt(db, mine.conversation_id, user_id=stranger.user_id)
    with pytest.raises(NoSuchThing), database.transaction() as db:
        service.page(db, stranger.user_id, limit=1, after=mine.conversation_id)
    with database.transaction() as db:
        assert service.of_user(db, stranger.user_id) == []
        assert service.of_user(db, owner.user_id) == [mine]


def test_pages_hold_everything_once_the_latest_first_also_where_times_are_equal(database: Database, owner: Owner):
    begun = [start(database, owner) for _ in range(7)]
    with database.transaction() as db:
        db.execute(update(Conversation).values(start_time=begun[0].start_time))

    found, after = list[str](), None
    with database.transaction() as db:
        while page := service.page(db, owner.user_id, limit=3, after=after):
            found += [info.conversation_id for info in page]
            after = found[-1]

    assert found == sorted((info.conversation_id for info in begun), reverse=True)


def test_no_conversation_starts_in_a_session_that_ends_and_its_open_ones_are_ended(database: Database, owner: Owner):
    begun = start(database, owner)
    with database.transaction() as db:
        sessions.begin_ending(db, owner.session_id, "sign_out")
        assert service.close(db, owner.session_id) == 1

    with pytest.raises(SessionExpired):
        start(database, owner)
    with database.transaction() as db:
        assert service.close(db, owner.session_id) == 0
        assert service.get(db, begun.conversation_id, user_id=owner.user_id).end_time is not None


@given(st.lists(st.tuples(st.integers(0, 10**6), st.decimals(0, 100, places=4)), min_size=1, max_size=40))
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_thirty_two_writers_at_once_none_loses_a_token_or_a_cent(
    database: Database, owner: Owner, amounts: list[tuple[int, Decimal]]
):
    conversation_id = start(database, owner).conversation_id

    at_once(
        database,
        [
            functools.partial(
                service.add_usage, conversation_id=conversation_id, user_id=owner.user_id, tokens=tokens, cost=cost
            )
            for tokens, cost in amounts
        ],
    )

    with database.transaction() as db:
        read = service.get(db, conversation_id, user_id=owner.user_id)
    assert read.total_ai_tokens_used == sum(tokens for tokens, _ in amounts)
    assert read.estimated_cost == sum(cost for _, cost in amounts)


def test_money_with_more_places_than_the_column_has_is_refused_not_rounded():
    column = Fixed(4)

    assert column.process_bind_param(Decimal("0.0001"), None) == 1  # pyright: ignore[reportArgumentType]  # Unused.
    with pytest.raises(ValueError, match="places"):
        column.process_bind_param(Decimal("0.00001"), None)  # pyright: ignore[reportArgumentType]  # Unused.
