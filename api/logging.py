"""Logs without content: one JSON object a line, a fixed event name, and fields from an allow-list.

A field that is not on the list, or a text that does not look like a name or an id, is dropped and counted. Records of
libraries (uvicorn, SQLAlchemy, warnings) keep their logger, level and exception type; their message, which may quote
input, is never written.
"""

import logging
import re
import sys
import threading
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from api.settings import LogSettings
from processes.events import LOG

ALLOWED_FIELDS = frozenset({
    "attempt", "child", "count", "delay_seconds", "documents", "dropped_fields", "duration_ms", "error", "event",
    "exit_code", "level", "logger", "method", "pid", "place", "port", "problem", "reason", "receipt_id", "request_id",
    "route", "session_id", "status", "timestamp", "where",
})  # fmt: skip
_HARMLESS_TEXT = re.compile(r"[A-Za-z0-9_.:/{}\[\]<> +-]{0,120}")
# Texts that this code did not choose are held to a narrower form than event names.
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.:/{}-]{0,120}")

Event = MutableMapping[str, Any]


def configure(settings: LogSettings, *, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's root logger for this process; the default is standard error."""
    output: Any = stream if stream is not None else LOG
    level: int = getattr(logging, settings.level.upper())
    renderer = structlog.processors.JSONRenderer() if settings.format == "json" else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            keep_allowed_fields,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(output),
        cache_logger_on_first_use=False,
    )
    _quiet_libraries(level)


def catch_crashes() -> None:
    """Log an exception that ends the process or a thread by type and place; its traceback could show content."""
    sys.excepthook = lambda _kind, error, _trace: _tell_crash(error)
    threading.excepthook = lambda crash: _tell_crash(crash.exc_value)


def get() -> Any:
    """Return the logger. Call it as ``get().info("event_name", field=...)``."""
    return structlog.get_logger()


def keep_allowed_fields(_logger: object, _method: str, event: Event) -> Event:
    """Drop every field that is not allowed or whose text could be content; say how many were dropped."""
    kept = {name: value for name, value in event.items() if name in ALLOWED_FIELDS and _is_harmless(name, value)}
    dropped = len(event) - len(kept)
    return kept | {"dropped_fields": dropped} if dropped else kept


def where(error: BaseException) -> str:
    """Return ``module:line`` of the innermost frame of an exception: code location, no values."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "unknown"
    name = "/".join(frames[-1].filename.split("/")[-2:])
    return f"{name}:{frames[-1].lineno}"


def _tell_crash(error: BaseException | None) -> None:
    if error is not None and not isinstance(error, SystemExit | KeyboardInterrupt):
        get().error("crashed", error=type(error).__name__, where=where(error))


def _is_harmless(name: str, value: object) -> bool:
    if value is None or isinstance(value, bool | int | float):
        return True
    form = _HARMLESS_TEXT if name in {"event", "timestamp"} else _IDENTIFIER
    return isinstance(value, str) and form.fullmatch(value) is not None


class _ContentFree(logging.Handler):
    """Re-tells a library's record without its message."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            fields |= {"error": type(error).__name__, "where": where(error)}
        get().log(record.levelno, "library_log", **fields)


def _quiet_libraries(level: int) -> None:
    root = logging.getLogger()
    root.handlers = [_ContentFree()]
    # Below a warning, libraries only chat; at debug they may quote what passes through them, so nothing is lost.
    root.setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)
