"""The alarm of a purge that found something of its session: an error in the log and a metric, by place."""

from msgspec import UnsetType

from api import logging
from api.metrics import Metrics
from models.receipts.signing import Receipt


def tell_residue(receipt: Receipt, metrics: Metrics | None = None) -> None:
    """Raise the alarm for each place where a purge found its session's tracer; do nothing where it found none."""
    statement = receipt.statement
    if isinstance(statement.searched, UnsetType):
        return
    for place, count in statement.searched.items():
        if count:
            logging.get().error(
                "residue_found",
                place=place,
                count=count,
                session_id=statement.session_id,
                receipt_id=statement.receipt_id,
            )
            if metrics is not None:
                metrics.tracers_found.labels(place).inc(count)
