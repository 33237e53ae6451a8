"""Counters and gauges for Prometheus: one registry per app, closed label sets, nothing about anybody.

Labels are route templates, methods, statuses and reasons; never an id, a name or an address.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from processes.events import LOG

METHODS = frozenset({"GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"})
UNKNOWN_ROUTE = "none"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Every metric of a front, in a registry of its own."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        disable_created_metrics()
        registry = CollectorRegistry()
        self._registry = registry
        self.requests = Counter(
            "mayfly_http_requests_total", "Requests answered", ("route", "method", "status"), registry=registry
        )
        self.request_seconds = Histogram(
            "mayfly_http_request_seconds", "Time to answer", ("route",), buckets=_SECONDS, registry=registry
        )
        self.problems = Counter("mayfly_problems_total", "Refusals by code", ("code",), registry=registry)
        self.documents = Counter("mayfly_documents_accepted_total", "Documents queued", registry=registry)
        self.upload_bytes = Counter("mayfly_upload_bytes_total", "Bytes of documents queued", registry=registry)
        self.queries = Counter("mayfly_queries_total", "Questions answered", ("outcome",), registry=registry)
        self.second_stages = Counter(
            "mayfly_second_stages_total",
            "Questions whose passages were put in order again, or were to be",
            ("outcome",),
            registry=registry,
        )
        self.purges = Counter("mayfly_purges_total", "Sessions purged", ("reason",), registry=registry)
        self.tracers_found = Counter(
            "mayfly_tracers_found_total", "Copies of an ended session's tracer that were found", ("place",),
            registry=registry,
        )  # fmt: skip
        self.sweep_failures = Counter("mayfly_sweep_failures_total", "Sweeps that failed", registry=registry)
        self.last_sweep = Gauge(
            "mayfly_last_sweep_timestamp_seconds", "Unix time of the last sweep that succeeded", registry=registry
        )
        self.lost_log_lines = Gauge(
            "mayfly_log_lines_lost", "Log lines of the front that could not be written", registry=registry
        )
        self.lost_log_lines.set_function(lambda: LOG.lost)
        self.live_sessions = Gauge("mayfly_live_sessions", "Session processes alive", registry=registry)
        self.session_capacity = Gauge("mayfly_session_capacity", "Session processes allowed", registry=registry)
        self.quarantine_files = Gauge("mayfly_quarantine_files", "Sealed files waiting", registry=registry)
        self.quarantine_bytes = Gauge("mayfly_quarantine_bytes", "Bytes of sealed files waiting", registry=registry)

    def observe(self, *, route: str | None, method: str, status: int, seconds: float) -> None:
        """Count one answered request. Unknown routes and methods share one label each."""
        template = route or UNKNOWN_ROUTE
        self.requests.labels(template, method if method in METHODS else "other", str(status)).inc()
        self.request_seconds.labels(template).observe(seconds)

    def render(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
