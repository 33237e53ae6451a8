"""Budgets: how much may be spent a month, by an account and by the whole deployment.

Owns the rows of ``usage_budgets`` and the answer to "may I spend?". The answer is no reservation: of two who ask at
once both may hear yes, and the next one hears what they spent.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from sqlalchemy.orm import Session

from models.database import now
from models.holding import hold_account
from models.usage import service
from models.usage.tables import UsageBudget

BudgetState = Literal["unlimited", "within", "near", "spent"]
WARN_PERCENT = 80


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What the operator allows a month, in the deployment's currency; ``None`` is no limit."""

    account: Decimal | None = None
    deployment: Decimal | None = None
    warn_percent: int = WARN_PERCENT


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent and what was, in one month. ``limit`` is the lower of the learner's and the operator's."""

    month: int
    spent: Decimal
    limit: Decimal | None
    own_limit: Decimal | None
    warn_percent: int

    @property
    def state(self) -> BudgetState:
        """How far the budget is used up."""
        return state_of(self.spent, self.limit, self.warn_percent)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an amount may be spent, and the budgets after it would be."""

    allowed: bool
    account: BudgetState
    deployment: BudgetState


def state_of(spent: Decimal, limit: Decimal | None, warn_percent: int) -> BudgetState:
    """Return how far a budget is used up; ``near`` begins at ``warn_percent`` of it."""
    if limit is None:
        return "unlimited"
    if spent >= limit:
        return "spent"
    return "near" if spent * 100 >= limit * warn_percent else "within"


def budget(db: Session, user_id: str, ceilings: Ceilings) -> Budget:
    """Return an account's budget of this month (UTC)."""
    own = db.get(UsageBudget, user_id, populate_existing=True)
    limits = [limit for limit in (own and own.monthly_limit, ceilings.account) if limit is not None]
    month = service.month_of(now().date())
    return Budget(
        month=month,
        spent=service.in_month(db, user_id, month).cost,
        limit=min(limits, default=None),
        own_limit=own.monthly_limit if own else None,
        warn_percent=own.warn_percent if own else ceilings.warn_percent,
    )


def set_budget(db: Session, user_id: str, *, monthly_limit: Decimal | None, warn_percent: int) -> None:
    """Set what a learner allows a month; ``None`` takes his limit away, and the operator's holds alone."""
    hold_account(db, user_id)
    own = db.get(UsageBudget, user_id, populate_existing=True)
    if monthly_limit is None:
        if own is not None:
            db.delete(own)
    elif own is None:
        db.add(UsageBudget(user_id=user_id, monthly_limit=monthly_limit, warn_percent=warn_percent))
    else:
        own.monthly_limit, own.warn_percent = monthly_limit, warn_percent
    db.flush()


def may_spend(db: Session, user_id: str, cost: Decimal, ceilings: Ceilings) -> Verdict:
    """Say whether this much more may be spent this month, by the account and by the deployment."""
    mine = budget(db, user_id, ceilings)
    everybody = Decimal(0)
    if ceilings.deployment is not None:
        everybody = service.of_everybody(db, mine.month)
    fits = [
        limit is None or spent + cost <= limit
        for spent, limit in ((mine.spent, mine.limit), (everybody, ceilings.deployment))
    ]
    return Verdict(
        allowed=all(fits),
        account=state_of(mine.spent + cost, mine.limit, mine.warn_percent),
        deployment=state_of(everybody + cost, ceilings.deployment, ceilings.warn_percent),
    )
