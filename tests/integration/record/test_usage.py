import functools
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.accounts import service as account_record
from models.conversations import service as conversations
from models.conversations.service import Start
from models.database import Database
from models.errors import NoSuchThing
from models.ids import new_id
from models.usage import budgets, service
from models.usage.budgets import Ceilings, state_of
from models.usage.service import Month, Usage, month_of
from tests.support.record import Owner, at_once

MOMENT = datetime(2026, 11, 15, 12, tzinfo=UTC)
THIS_MONTH = month_of(MOMENT.date())


@pytest.fixture(autouse=True)
def one_month(monkeypatch: pytest.MonkeyPatch) -> None:
    """A month that does not end between two steps of a test."""
    for module in (service, budgets):
        monkeypatch.setattr(module, "now", lambda: MOMENT)


def usage(**changes: object) -> Usage:
    values: dict[str, object] = {
        "usage_id": new_id(),
        "service_name": "chat",
        "tokens": 100,
        "duration_ms": 250,
        "cost": Decimal("0.000123"),
    }
    return Usage(**values | changes)  # pyright: ignore[reportArgumentType]  # Tests also pass what is wrong.


def record(database: Database, owner: Owner, wanted: Usage) -> bool:
    with database.transaction() as db:
        return service.record(db, wanted, user_id=owner.user_id)


def test_a_request_that_is_sent_again_is_counted_once(database: Database, owner: Owner):
    wanted = usage()

    assert [record(database, owner, wanted) for _ in range(3)] == [True, False, False]

    with database.transaction() as db:
        (read,) = service.of_user(db, owner.user_id)
        assert read.usage == wanted
        assert service.in_month(db, owner.user_id, THIS_MONTH) == Month(1, 100, Decimal("0.000123"))


def test_two_learners_may_choose_the_same_id(database: Database, owner: Owner, stranger: Owner):
    wanted = usage()

    assert record(database, owner, wanted)
    assert record(database, stranger, wanted)


def test_a_request_cannot_be_tied_to_another_learners_conversation(database: Database, owner: Owner, stranger: Owner):
    with database.transaction() as db:
        own = conversations.start(db, Start(owner.session_id, owner.user_id, "fr")).conversation_id

    assert record(database, owner, usage(conversation_id=own))
    for conversation_id in (own, new_id()):
        with pytest.raises(NoSuchThing):
            record(database, stranger, usage(conversation_id=conversation_id))
    with database.transaction() as db:
        assert service.of_user(db, stranger.user_id) == []


COSTS = st.decimals(0, 5, places=6)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 10**6), COSTS), min_size=1, max_size=40))
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_thirty_two_writers_at_once_add_up_to_what_one_after_the_other_would(
    database: Database, owner: Owner, stranger: Owner, requests: list[tuple[bool, int, int, Decimal]]
):
    run = new_id()[:31]
    model: dict[tuple[str, str], Usage] = {}
    works = list[functools.partial[bool]]()
    for mine, number, tokens, cost in requests:
        user_id = owner.user_id if mine else stranger.user_id
        # What comes twice under one id comes with the same figures: it is the same request, sent again.
        wanted = model.setdefault(
            (user_id, f"{run}{number}"), usage(usage_id=f"{run}{number}", tokens=tokens, cost=cost)
        )
        works.append(functools.partial(service.record, usage=wanted, user_id=user_id))
    with database.transaction() as db:
        before = {user_id: service.in_month(db, user_id, THIS_MONTH) for user_id in (owner.user_id, stranger.user_id)}

    at_once(database, works)

    for user_id, month in before.items():
        own = [wanted for (whose, _), wanted in model.items() if whose == user_id]
        with database.transaction() as db:
            after = service.in_month(db, user_id, THIS_MONTH)
            log = [info.usage for info in service.of_user(db, user_id)]
        assert after.requests - month.requests == len(own)
        assert after.tokens - month.tokens == sum(wanted.tokens for wanted in own)
        assert after.cost - month.cost == sum(wanted.cost for wanted in own)
        assert sum((wanted.cost for wanted in log), Decimal(0)) == after.cost, "the log adds up to the month"
        assert max(Counter(wanted.usage_id for wanted in log).values(), default=1) == 1


def test_the_lower_limit_holds_to_the_last_millionth(database: Database, owner: Owner):
    ceilings = Ceilings(account=Decimal(10))
    with database.transaction() as db:
        budgets.set_budget(db, owner.user_id, monthly_limit=Decimal("0.5"), warn_percent=50)
    record(database, owner, usage(cost=Decimal("0.25")))

    with database.transaction() as db:
        fits = budgets.may_spend(db, owner.user_id, Decimal("0.25"), ceilings)
        too_much = budgets.may_spend(db, owner.user_id, Decimal("0.250001"), ceilings)
        found = budgets.budget(db, owner.user_id, ceilings)

    assert (fits.allowed, fits.account, fits.deployment) == (True, "spent", "unlimited")
    assert not too_much.allowed
    assert (found.limit, found.spent, found.state) == (Decimal("0.5"), Decimal("0.25"), "near")


def test_without_a_limit_of_his_own_the_operators_holds(database: Database, owner: Owner):
    with database.transaction() as db:
        budgets.set_budget(db, owner.user_id, monthly_limit=Decimal(1), warn_percent=50)
        budgets.set_budget(db, owner.user_id, monthly_limit=None, warn_percent=50)
        found = budgets.budget(db, owner.user_id, Ceilings(account=Decimal(10)))

    assert (found.limit, found.own_limit, found.warn_percent) == (Decimal(10), None, 80)


def test_everybody_spends_from_the_deployments_budget_also_who_is_erased(
    database: Database, owner: Owner, stranger: Owner
):
    with database.transaction() as db:
        already = service.of_everybody(db, THIS_MONTH)
    record(database, owner, usage(cost=Decimal(2)))
    record(database, stranger, usage(cost=Decimal(1)))
    with database.transaction() as db:
        service.keep_spent(db, stranger.user_id)
        account_record.erase(db, stranger.user_id)

    with database.transaction() as db:
        spent = service.of_everybody(db, THIS_MONTH)
        ceilings = Ceilings(deployment=spent + 1)
        verdicts = [budgets.may_spend(db, owner.user_id, Decimal(cost), ceilings).allowed for cost in (1, 2)]

    assert spent - already == 3
    assert verdicts == [True, False]


@given(COSTS, COSTS, st.integers(1, 100))
def test_a_budget_is_near_from_its_warning_on_and_spent_at_its_limit(spent: Decimal, limit: Decimal, percent: int):
    state = state_of(spent, limit, percent)

    assert (state == "spent") == (spent >= limit)
    assert (state == "near") == (limit * percent / 100 <= spent < limit)
    assert state_of(spent, None, percent) == "unlimited"
