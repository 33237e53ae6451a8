"""The tables of usage. The log has one row a request; the months add it up, so that a budget is one look away."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from models.columns import Day, Fixed
from models.database import Base, Moment
from models.vocabulary import SERVICE_NAMES

COST_PLACES = 6


class ApiUsage(Base):
    """One request to a service. The client names it, so that it can send it again without paying twice."""

    __tablename__ = "api_usage_log"
    __table_args__ = (
        CheckConstraint(f"service_name IN {SERVICE_NAMES}", name="service_name"),
        CheckConstraint("tokens >= 0 AND duration_ms >= 0 AND cost >= 0", name="not_negative"),
        Index("ix_api_usage_log_by_day", "user_id", "used_on", "service_name", "cost", "tokens", "duration_ms"),
    )

    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True)
    usage_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    conversation_id: Mapped[str | None] = mapped_column(
        ForeignKey("conversations.conversation_id", ondelete="SET NULL"), index=True
    )
    service_name: Mapped[str] = mapped_column(String(24))
    tokens: Mapped[int] = mapped_column(BigInteger)
    duration_ms: Mapped[int] = mapped_column(Integer)
    cost: Mapped[Decimal] = mapped_column(Fixed(COST_PLACES))
    used_on: Mapped[date] = mapped_column(Day)
    created_at: Mapped[datetime] = mapped_column(Moment)


class UsageMonth(Base):
    """What one account used in one month (UTC). ``month`` is the year times a hundred plus the month."""

    __tablename__ = "usage_months"
    __table_args__ = (Index("ix_usage_months_month_cost", "month", "cost"),)

    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True)
    month: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    requests: Mapped[int] = mapped_column(Integer)
    tokens: Mapped[int] = mapped_column(BigInteger)
    cost: Mapped[Decimal] = mapped_column(Fixed(COST_PLACES))


class ErasedUsage(Base):
    """What accounts had spent in a month when they were erased, in one sum: the deployment paid it all the same."""

    __tablename__ = "erased_usage"

    month: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    cost: Mapped[Decimal] = mapped_column(Fixed(COST_PLACES))


class UsageBudget(Base):
    """What a learner allows his tutor to spend a month, and at how many percent of it to warn."""

    __tablename__ = "usage_budgets"
    __table_args__ = (
        CheckConstraint("monthly_limit >= 0", name="monthly_limit"),
        CheckConstraint("warn_percent BETWEEN 1 AND 100", name="warn_percent"),
    )

    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True)
    monthly_limit: Mapped[Decimal] = mapped_column(Fixed(COST_PLACES))
    warn_percent: Mapped[int] = mapped_column(Integer)
