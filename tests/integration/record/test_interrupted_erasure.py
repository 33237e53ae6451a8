from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from api import erasure, lifecycle
from models import holdings
from models.accounts import service as account_record
from models.accounts.service import Accounts
from models.database import Database, now
from models.ids import new_id
from models.receipts.signing import Signer
from models.sessions import service as sessions
from tests.support.record import Owner
from tests.support.two_years import fill


@pytest.fixture
def resources(database: Database, accounts: Accounts, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    """What an erasure reaches, with a purge that only writes down that it happened."""

    def end(_resources: Any, user_id: str, _reason: str) -> list[str]:
        with database.transaction() as db:
            ended = [info.session_id for info in sessions.unended_of_user(db, user_id)]
            return [each for each in ended if sessions.begin_ending(db, each, "erasure") and sessions.finish(db, each)]

    monkeypatch.setattr(lifecycle, "end_all_of_account", end)
    return SimpleNamespace(database=database, accounts=accounts, signer=Signer.load(tmp_path / f"key-{new_id()}"))


def test_an_erasure_that_broke_off_is_finished_and_counts_every_row(
    resources: Any, database: Database, owner: Owner, stranger: Owner, monkeypatch: pytest.MonkeyPatch
):
    written = fill(database, owner.user_id, owner.session_id, seed=3, days=10)
    with database.transaction() as db:
        account_record.ask_erasure(db, owner.user_id)  # And then its front died.
    early = erasure.finish_interrupted(resources)
    later = now() + timedelta(seconds=61)
    monkeypatch.setattr(erasure, "now", lambda: later)

    (receipt,) = erasure.finish_interrupted(resources)

    assert early == [], "a front may still be at it"
    assert receipt.statement.rows_by_table == written | {"users": 1, "sessions": 1}
    with database.transaction() as db:
        assert holdings.count(db, owner.user_id) == {}
        assert holdings.count(db, stranger.user_id) == {"users": 1, "sessions": 1}
    assert erasure.finish_interrupted(resources) == []


def test_an_erasure_deletes_and_signs_in_one_transaction_or_not_at_all(
    resources: Any, database: Database, owner: Owner, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("models.receipts.service.add", fail)
    with pytest.raises(ZeroDivisionError):
        erasure.erase_account(resources, owner.user_id)

    with database.transaction() as db:
        assert holdings.count(db, owner.user_id) == {"users": 1, "sessions": 1}
        assert account_record.erasures_asked_before(db, now()) == [owner.user_id]
