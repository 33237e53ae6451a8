"""Types of columns that SQLite and MariaDB store and calculate with alike: exact decimals, and days.

Owns why money is never a float: SQLite has no decimals, so both databases hold whole numbers of the smallest unit, and
sums are exact on both.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Dialect, Integer, type_coerce
from sqlalchemy.types import TypeDecorator

_EPOCH = date(1970, 1, 1).toordinal()
DAYS_PER_WEEK = 7
# Day 0, the first of January 1970, was a Thursday, the fourth day of its week (ISO 8601 weeks begin on Monday).
_DAYS_FROM_MONDAY = 3


class Fixed(TypeDecorator[Decimal]):
    """A decimal with a fixed number of ``places``, held as a whole number: 0.25 with 4 places is 2500."""

    impl = BigInteger
    cache_ok = True

    def __init__(self, places: int) -> None:
        super().__init__()
        self.places = places

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Store the number of smallest units. Raises ``ValueError`` for a fraction of one: nothing is rounded."""
        if value is None:
            return None
        units = value.scaleb(self.places)
        if units != int(units):
            raise ValueError("more decimal places than the column has")
        return int(units)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Read it back with exactly ``places`` places. A sum of them comes back as whatever number its driver has."""
        return None if value is None else Decimal(int(value)).scaleb(-self.places)


class Day(TypeDecorator[date]):
    """A day, held as the number of days since 1970-01-01, so that both databases subtract days and form weeks."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Store the number of the day."""
        return None if value is None else value.toordinal() - _EPOCH

    def process_result_value(self, value: int | None, dialect: Dialect) -> date | None:  # noqa: ARG002
        """Read the day."""
        return None if value is None else date.fromordinal(int(value) + _EPOCH)


def number_of(day: Any) -> ColumnElement[int]:
    """Return a ``Day`` column as the whole number it is, to calculate with."""
    return type_coerce(day, Integer)


def week_of(day: Any) -> ColumnElement[date]:
    """Return the Monday of the week that a ``Day`` column falls in, for days since 1970."""
    number = number_of(day)
    return type_coerce(number - (number + _DAYS_FROM_MONDAY) % DAYS_PER_WEEK, Day)
