"""The application: routes, middleware, and a lifespan that builds the resources and starts the sweeper."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import anyio.to_thread
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from api import problems, resources
from api.metrics import Metrics
from api.middleware import Dressed, Gate, Intake, LastResort, Observed
from api.routers import (
    accounts,
    analytics,
    conversations,
    documents,
    feedback,
    links,
    log,
    operations,
    progress,
    queries,
    receipts,
    resumable,
    scenarios,
    sessions,
    turns,
    usage,
)
from api.schemas import JSON_BODY_BYTES
from api.settings import Settings
from api.sweeper import Sweeper
from api.watching import Watchers

_THREADS = 100
_ROUTERS = (
    accounts.router,
    sessions.router,
    documents.router,
    links.router,
    resumable.router,
    queries.router,
    receipts.router,
    log.router,
    scenarios.router,
    conversations.router,
    usage.router,
    progress.router,
    feedback.router,
    turns.router,
    analytics.router,
    operations.router,
)
_NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def create_app(settings: Settings, *, tracer_secret: bytes = b"") -> FastAPI:
    """Return the application. Nothing is opened or started before its lifespan begins."""
    app = FastAPI(
        title="Mayfly",
        version=version("mayfly"),
        description="Privacy-first retrieval over documents that vanish with the learner's session.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
        generate_unique_id_function=_operation_id,
        lifespan=_lifespan,
    )
    app.state.settings = settings
    app.state.tracer_secret = tracer_secret
    app.state.metrics = Metrics()
    app.state.progress = resources.Progress()
    for router in _ROUTERS:
        app.include_router(router)
    app.state.routes = [route for router in _ROUTERS for route in router.routes]
    problems.install(app)
    _add_middleware(app, settings)
    return app


def openapi_document() -> str:
    """Return the OpenAPI document as it is kept in docs/openapi.json; ``python -m api.app`` prints it."""
    schema = create_app(Settings()).openapi()
    schema["components"]["schemas"] |= problems.schemas()
    _drop_undeclared(schema)
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _drop_undeclared(schema: dict[str, Any]) -> None:
    """Take out FastAPI's own validation error: it is added to every route with a parameter, and never answered."""
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)
    for path in schema["paths"].values():
        for operation in path.values():
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    # The last one added is the outermost.
    app.add_middleware(Intake, max_bytes=JSON_BODY_BYTES, idle_seconds=settings.uploads.idle_seconds)
    app.add_middleware(Gate, hosts=settings.trusted_hosts, is_open=lambda: app.state.progress.is_open)
    app.add_middleware(LastResort)
    app.add_middleware(Dressed)
    app.add_middleware(Observed, metrics=app.state.metrics)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    state = app.state
    built = await run_in_threadpool(resources.build, state.settings, state.metrics, state.tracer_secret)
    app.state.resources = built
    app.state.watchers = Watchers(app.state.progress)
    sweeper = Sweeper(built, app.state.progress)
    sweeper.start()
    try:
        yield
    finally:
        await run_in_threadpool(sweeper.stop)
        built.database.dispose()


def _operation_id(route: APIRoute) -> str:
    return route.name


if __name__ == "__main__":
    print(openapi_document(), end="")  # noqa: T201  # It is what `python -m api.app` is for.
