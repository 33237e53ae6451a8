"""Whether every part answers, and what is measured of them."""

from fastapi import FastAPI

from api import weaknesses
from api.metrics import Metrics
from api.problems import Starting
from api.resources import Progress, Resources
from ingestion.quarantine import usage
from models.errors import MayflyError


def check(app: FastAPI) -> None:
    """Return when the service can work. Raises ``Starting`` before the first sweep, ``PartUnavailable`` later.

    With a host or embedder that is not hardened, or a jail without walls, it cannot, unless the operator allows that.
    """
    progress: Progress = app.state.progress
    if not progress.is_open:
        raise Starting(retry_after_seconds=1)
    resources: Resources = app.state.resources
    with resources.database.transaction() as db:
        db.connection()
    host, embedder = resources.host.hello().hardening, resources.embedder.ping()
    settings = resources.settings
    if weaknesses.of_parts(host, embedder) and not settings.allow_weak_host:
        raise Starting(retry_after_seconds=1)
    if weaknesses.of_jail(resources.jail.level()) and not settings.allow_weak_jail:
        raise Starting(retry_after_seconds=1)


def measure(app: FastAPI) -> bytes:
    """Return the metrics with the gauges read now; while a part is away its gauges keep their last value."""
    metrics: Metrics = app.state.metrics
    resources: Resources | None = getattr(app.state, "resources", None)
    if resources is not None:
        _measure_host(metrics, resources)
        files, used = usage(resources.settings.sockets.quarantine)
        metrics.quarantine_files.set(files)
        metrics.quarantine_bytes.set(used)
    return metrics.render()


def _measure_host(metrics: Metrics, resources: Resources) -> None:
    try:
        hello = resources.host.hello()
    except MayflyError:
        return
    metrics.live_sessions.set(hello.live)
    metrics.session_capacity.set(hello.capacity)
