"""Sums over usage: spend by service and week. The database adds; one index holds all it reads."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.columns import week_of
from models.usage.tables import ApiUsage


@dataclass(frozen=True, slots=True)
class Spend:
    """One service in one week (from Monday, UTC): requests, tokens, milliseconds, cost with six places."""

    week: date
    service_name: str
    requests: int
    tokens: int
    duration_ms: int
    cost: Decimal


def by_week(db: Session, user_id: str, first: date, last: date) -> list[Spend]:
    """Return what each service cost between two days, the earliest week first."""
    week = week_of(ApiUsage.used_on).label("week")
    sums = (func.count(), func.sum(ApiUsage.tokens), func.sum(ApiUsage.duration_ms), func.sum(ApiUsage.cost))
    mine = (ApiUsage.user_id == user_id, ApiUsage.used_on.between(first, last))
    grouped = select(week, ApiUsage.service_name, *sums).where(*mine).group_by(week, ApiUsage.service_name)
    # Over a long range MariaDB takes the primary key, whose rows are four times as wide.
    grouped = grouped.with_hint(ApiUsage, "FORCE INDEX (ix_api_usage_log_by_day)", "mariadb")
    return [
        Spend(when, service_name, requests, int(tokens), int(duration_ms), cost)
        for when, service_name, requests, tokens, duration_ms, cost in db.execute(
            grouped.order_by(week, ApiUsage.service_name)
        )
    ]
