"""Recording what the tutor's services cost, once each.

Owns the rows of ``api_usage_log`` and their sums in ``usage_months``. Writers of one account take turns, so no sum
loses a cent. Refuses to tie a request to another account's conversation. Budgets are in ``models.usage.budgets``.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import cast

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models.database import hits, now
from models.holding import hold_account, require_own_conversation
from models.usage.tables import ApiUsage, ErasedUsage, UsageMonth
from models.vocabulary import ServiceName


@dataclass(frozen=True, slots=True)
class Usage:
    """One request to a service. ``cost`` has at most six places; ``usage_id`` is the client's own name for it."""

    usage_id: str
    service_name: ServiceName
    tokens: int
    duration_ms: int
    cost: Decimal
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True)
class UsageInfo:
    """One row of the log, readable without a transaction."""

    usage: Usage
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Month:
    """What an account used in one month (UTC)."""

    requests: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)


def month_of(day: date) -> int:
    """Return the month of a day as the tables have it: 202611 for November 2026."""
    return day.year * 100 + day.month


def record(db: Session, usage: Usage, *, user_id: str) -> bool:
    """Write one request and add it to its month; say whether it was new. One that is known stays as it is.

    Raises ``NoSuchThing`` for a conversation that is not the account's, ``SessionExpired`` when the account is gone.
    """
    hold_account(db, user_id)
    if db.get(ApiUsage, (user_id, usage.usage_id), populate_existing=True) is not None:
        return False
    if usage.conversation_id is not None:
        require_own_conversation(db, usage.conversation_id, user_id)
    moment = now()
    row = ApiUsage(
        user_id=user_id,
        usage_id=usage.usage_id,
        conversation_id=usage.conversation_id,
        service_name=usage.service_name,
        tokens=usage.tokens,
        duration_ms=usage.duration_ms,
        cost=usage.cost,
        used_on=moment.date(),
        created_at=moment,
    )
    db.add(row)
    db.flush()
    _add_to_month(db, usage, user_id=user_id, month=month_of(moment.date()))
    return True


def in_month(db: Session, user_id: str, month: int) -> Month:
    """Return what an account used in a month."""
    wanted = select(UsageMonth.requests, UsageMonth.tokens, UsageMonth.cost)
    row = db.execute(wanted.where(UsageMonth.user_id == user_id, UsageMonth.month == month)).first()
    return Month() if row is None else Month(*row)


def of_everybody(db: Session, month: int) -> Decimal:
    """Return what the whole deployment spent in a month, accounts that are erased by now included."""
    living = db.scalar(select(func.sum(UsageMonth.cost)).where(UsageMonth.month == month)) or Decimal(0)
    return living + (db.scalar(select(ErasedUsage.cost).where(ErasedUsage.month == month)) or Decimal(0))


def of_user(db: Session, user_id: str) -> list[UsageInfo]:
    """Return the whole log of an account in the order of time, for its export."""
    wanted = select(ApiUsage).where(ApiUsage.user_id == user_id).order_by(ApiUsage.created_at, ApiUsage.usage_id)
    return [_info(row) for row in db.scalars(wanted)]


def months_of_user(db: Session, user_id: str) -> dict[int, Month]:
    """Return the months of an account, the earliest first."""
    wanted = select(UsageMonth).where(UsageMonth.user_id == user_id).order_by(UsageMonth.month)
    return {row.month: Month(row.requests, row.tokens, row.cost) for row in db.scalars(wanted)}


def keep_spent(db: Session, user_id: str) -> None:
    """Before an account is erased: keep what it cost in the months' sums, which lead back to nobody."""
    for month, used in months_of_user(db, user_id).items():
        more = update(ErasedUsage).where(ErasedUsage.month == month).values(cost=ErasedUsage.cost + used.cost)
        if hits(db, more) == 0:
            db.add(ErasedUsage(month=month, cost=used.cost))
            db.flush()


def _add_to_month(db: Session, usage: Usage, *, user_id: str, month: int) -> None:
    sums = {
        "requests": UsageMonth.requests + 1,
        "tokens": UsageMonth.tokens + usage.tokens,
        "cost": UsageMonth.cost + usage.cost,
    }
    mine = update(UsageMonth).where(UsageMonth.user_id == user_id, UsageMonth.month == month)
    if hits(db, mine.values(sums)) == 0:
        db.add(UsageMonth(user_id=user_id, month=month, requests=1, tokens=usage.tokens, cost=usage.cost))
        db.flush()


def _info(row: ApiUsage) -> UsageInfo:
    usage = Usage(
        usage_id=row.usage_id,
        service_name=cast("ServiceName", row.service_name),
        tokens=row.tokens,
        duration_ms=row.duration_ms,
        cost=row.cost,
        conversation_id=row.conversation_id,
    )
    return UsageInfo(usage, row.created_at)
