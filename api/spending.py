"""What may be spent, and the log of what was, as CSV."""

import csv
import io
from collections.abc import Iterable

from api.settings import BudgetSettings
from models.usage.budgets import Ceilings
from models.usage.service import UsageInfo

CSV_COLUMNS = ("created_at", "usage_id", "conversation_id", "service_name", "tokens", "duration_ms", "cost")


def ceilings(settings: BudgetSettings) -> Ceilings:
    """Return the operator's limits as the record wants them."""
    return Ceilings(settings.account_monthly, settings.deployment_monthly, settings.warn_percent)


def as_csv(log: Iterable[UsageInfo]) -> str:
    """Return the log as CSV (RFC 4180) with a header; money with six places, times in UTC."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for info in log:
        usage = info.usage
        writer.writerow(
            (
                info.created_at.isoformat(),
                usage.usage_id,
                usage.conversation_id or "",
                usage.service_name,
                usage.tokens,
                usage.duration_ms,
                usage.cost,
            )
        )
    return text.getvalue()
