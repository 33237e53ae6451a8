import threading
from datetime import timedelta

from sqlalchemy import update

from models import holdings
from models.accounts import service as account_record
from models.accounts.tables import User
from models.database import Database, now
from models.privacy import DATA_MAP
from tests.support.record import Owner
from tests.support.two_years import fill


def test_every_row_of_an_account_is_held_and_counted_and_gone_when_it_is_erased(
    database: Database, owner: Owner, stranger: Owner
):
    written = fill(database, owner.user_id, owner.session_id, seed=1, days=20)
    others = fill(database, stranger.user_id, stranger.session_id, seed=2, days=20)

    with database.transaction() as db:
        held = {each.table: len(each.rows) for each in holdings.of_user(db, owner.user_id)}
        counted = holdings.count(db, owner.user_id)
        account_record.erase(db, owner.user_id)
    with database.transaction() as db:
        left = holdings.count(db, owner.user_id)
        of_the_other = holdings.count(db, stranger.user_id)

    assert counted == written | {"users": 1, "sessions": 1}
    assert {name: rows for name, rows in held.items() if rows} == counted
    assert left == {}
    assert of_the_other == others | {"users": 1, "sessions": 1}


def test_no_hash_and_no_key_is_handed_out_and_what_is_sealed_is_said(database: Database, owner: Owner):
    with database.transaction() as db:
        held = holdings.of_user(db, owner.user_id)

    kinds = {(each.table, name): DATA_MAP[each.table][name].kind for each in held for name in each.columns}
    assert {"hash", "key"}.isdisjoint(kinds.values())
    assert {(each.table, name) for each in held for name in each.sealed} == {
        place for place, kind in kinds.items() if kind == "sealed"
    }


def test_a_snapshot_sees_one_moment(database: Database, owner: Owner):
    def change() -> None:
        with database.transaction() as db:
            db.execute(update(User).values(primary_language="la"))

    with database.snapshot() as db:
        before = account_record.get(db, owner.user_id).primary_language
        writer = threading.Thread(target=change)
        writer.start()
        writer.join()
        db.expire_all()
        after = account_record.get(db, owner.user_id).primary_language
    with database.transaction() as db:
        changed = account_record.get(db, owner.user_id).primary_language

    assert (before, after, changed) == ("en", "en", "la")


def test_an_erasure_that_was_asked_for_is_found_until_it_is_done(database: Database, owner: Owner, stranger: Owner):
    with database.transaction() as db:
        account_record.ask_erasure(db, owner.user_id)

    with database.transaction() as db:
        assert account_record.erasures_asked_before(db, now() + timedelta(seconds=1)) == [owner.user_id]
        assert account_record.erasures_asked_before(db, now() - timedelta(seconds=60)) == []
        account_record.erase(db, owner.user_id)
        assert account_record.erasures_asked_before(db, now() + timedelta(seconds=1)) == []
