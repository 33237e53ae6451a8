"""The alarm of a purge that found something of its session: an error in the log and a metric, by place."""

from api import logging
from api.metrics import Metrics
from models.receipts.statement import TracedPlace


def raise_alarm(place: TracedPlace, count: int, session_id: str, *, metrics: Metrics | None = None) -> None:
    """Say that copies of an ended session's tracer were found in a place."""
    logging.get().error("residue_found", place=place, count=count, session_id=session_id)
    if metrics is not None:
        metrics.tracers_found.labels(place).inc(count)
