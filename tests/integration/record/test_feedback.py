from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import update

from models.conversations import service as conversations
from models.conversations.service import Start
from models.database import Database, now
from models.errors import NoSuchThing, SessionExpired
from models.feedback import analytics, service
from models.feedback.service import FeedbackInfo, NewFeedback
from models.feedback.tables import Feedback
from models.ids import new_id
from models.sealing import new_key, seal
from models.sessions import service as sessions
from tests.support.record import Owner


def give(database: Database, owner: Owner, **changes: object) -> FeedbackInfo:
    values: dict[str, object] = {
        "session_id": owner.session_id,
        "user_id": owner.user_id,
        "feedback_type": "grammar",
        "score": Decimal("0.5"),
    }
    with database.transaction() as db:
        return service.give(db, NewFeedback(**values | changes))  # pyright: ignore[reportArgumentType]  # As above.


def conversation_of(database: Database, owner: Owner) -> str:
    with database.transaction() as db:
        return conversations.start(db, Start(owner.session_id, owner.user_id, "fr")).conversation_id


def test_feedback_comes_back_as_it_was_sealed(database: Database, owner: Owner):
    sealed = seal(new_key(), b"Mind the accents.", purpose="suggestion")

    given = give(database, owner, sealed_suggestions=sealed, score=Decimal("0.123"))

    with database.transaction() as db:
        read = service.get(db, given.feedback_id, user_id=owner.user_id)
        assert service.of_user(db, owner.user_id) == [read]
    assert (read.sealed_suggestions, read.score) == (sealed, Decimal("0.123"))


def test_another_learners_feedback_and_conversation_do_not_exist(database: Database, owner: Owner, stranger: Owner):
    conversation_id = conversation_of(database, owner)
    mine = give(database, owner, conversation_id=conversation_id)

    for named in (conversation_id, new_id()):
        with pytest.raises(NoSuchThing):
            give(database, stranger, conversation_id=named)
        with pytest.raises(NoSuchThing), database.transaction() as db:
            service.page(db, stranger.user_id, limit=1, conversation_id=named)
    with pytest.raises(NoSuchThing), database.transaction() as db:
        service.get(db, mine.feedback_id, user_id=stranger.user_id)
    with pytest.raises(NoSuchThing), database.transaction() as db:
        service.page(db, stranger.user_id, limit=1, after=mine.feedback_id)


def test_no_feedback_is_given_in_a_session_that_ends(database: Database, owner: Owner):
    with database.transaction() as db:
        sessions.begin_ending(db, owner.session_id, "sign_out")

    with pytest.raises(SessionExpired):
        give(database, owner)


def test_pages_hold_everything_once_and_may_be_of_one_conversation(database: Database, owner: Owner):
    conversation_id = conversation_of(database, owner)
    given = [give(database, owner, conversation_id=conversation_id if n % 2 else None) for n in range(5)]

    with database.transaction() as db:
        first = service.page(db, owner.user_id, limit=3)
        rest = service.page(db, owner.user_id, limit=3, after=first[-1].feedback_id)
        of_one = service.page(db, owner.user_id, limit=10, conversation_id=conversation_id)

    assert {each.feedback_id for each in (*first, *rest)} == {each.feedback_id for each in given}
    assert len(first) == 3
    assert {each.feedback_id for each in of_one} == {given[1].feedback_id, given[3].feedback_id}


def test_sums_by_type_and_week_need_no_key(database: Database, owner: Owner, stranger: Owner):
    scores = {"grammar": ("0.2", "0.4"), "fluency": ("1",)}
    for kind, values in scores.items():
        for score in values:
            given = give(database, owner, feedback_type=kind, score=Decimal(score), sealed_suggestions=b"\0")
            with database.transaction() as db:
                here = update(Feedback).where(Feedback.feedback_id == given.feedback_id)
                db.execute(here.values(given_on=date(2026, 11, 22)))  # A Sunday.
    give(database, owner)
    give(database, stranger)

    with database.transaction() as db:
        found = analytics.by_week(db, owner.user_id, date(2026, 11, 1), date(2026, 11, 22))
        everything = analytics.by_week(db, owner.user_id, date.min, date.max)

    assert [(each.week, each.feedback_type, each.times, each.mean_score) for each in found] == [
        (date(2026, 11, 16), "fluency", 1, Decimal(1)),
        (date(2026, 11, 16), "grammar", 2, Decimal("0.3")),
    ]
    assert sum(each.times for each in everything) == 4
    assert max(each.week for each in everything) <= now().date()
