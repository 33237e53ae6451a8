"""What operators and clients ask about the service itself: limits, assurance, health, metrics."""

from fastapi import APIRouter, Request, Response

from api import assurance as looked_up
from api import health
from api.dependencies import Res
from api.problems import Starting
from api.routers import refuses
from api.schemas import JSON_BODY_BYTES
from api.schemas.operations import Alive, Assurance, Limits, Ready
from api.schemas.queries import MAX_TOP_K, QUESTION_CHARACTERS
from api.schemas.sessions import MAX_GRANT_TTL_SECONDS, MIN_GRANT_TTL_SECONDS
from models.errors import PartUnavailable
from models.vocabulary import FILE_TYPES, OTHER_FILE_TYPE

router = APIRouter(tags=["operations"])


@router.get("/v1/limits", responses=refuses())
def limits(resources: Res) -> Limits:
    """Return what this service allows."""
    settings = resources.settings
    return Limits(
        file_bytes=settings.uploads.file_bytes,
        files_per_session=settings.uploads.files,
        session_bytes=settings.uploads.session_bytes,
        pages_per_document=settings.ingest.pages,
        pixels_per_image=settings.ingest.pixels,
        chunks_per_session=settings.ingest.chunks,
        text_bytes_per_document=settings.ingest.text_bytes,
        document_seconds=settings.ingest.document_seconds,
        ocr_page_seconds=settings.ingest.ocr_page_seconds,
        ocr_seconds=settings.ingest.ocr_seconds,
        archive_entries=settings.ingest.archive_entries,
        archive_bytes=settings.ingest.archive_bytes,
        archive_ratio=settings.ingest.archive_ratio,
        cells_per_document=settings.ingest.cells,
        nesting_depth=settings.ingest.depth,
        tags_per_page=settings.ingest.tags,
        upload_idle_seconds=settings.uploads.idle_seconds,
        upload_total_seconds=settings.uploads.total_seconds,
        upload_resume_seconds=settings.uploads.resume_seconds,
        queue_files=settings.uploads.queue_files,
        queue_bytes=settings.uploads.queue_bytes,
        idle_timeout_seconds=settings.sessions.idle_seconds,
        absolute_timeout_seconds=settings.sessions.absolute_seconds,
        sessions_per_account=settings.sessions.per_account,
        grant_ttl_seconds=settings.sessions.grant_ttl_seconds,
        sign_ins_per_minute=settings.accounts.sign_ins_per_minute,
        sign_ups_per_hour=settings.accounts.sign_ups_per_hour,
        queries_per_minute=settings.accounts.queries_per_minute,
        json_body_bytes=JSON_BODY_BYTES,
        question_characters=QUESTION_CHARACTERS,
        max_top_k=MAX_TOP_K,
        min_grant_ttl_seconds=MIN_GRANT_TTL_SECONDS,
        max_grant_ttl_seconds=MAX_GRANT_TTL_SECONDS,
        sessions_per_machine=settings.sessions.capacity,
        links_allowed=settings.links.allowed,
        link_bytes=settings.links.bytes,
        link_seconds=settings.links.seconds,
        link_redirects=settings.links.redirects,
        media_types=sorted(FILE_TYPES - {OTHER_FILE_TYPE}),
    )


@router.get("/v1/assurance", responses=refuses())
def assurance(resources: Res) -> Assurance:
    """Return what this host really guarantees."""
    return looked_up.assurance(resources)


@router.get("/health/live", responses=refuses())
async def live() -> Alive:
    """Answer while the process runs."""
    return Alive()


@router.get("/health/ready", responses=refuses(Starting, PartUnavailable))
def ready(request: Request) -> Ready:
    """Answer 200 once the start-up sweep is done and every part answers."""
    health.check(request.app)
    return Ready()


@router.get("/metrics", response_class=Response, responses=refuses() | {200: {"content": {"text/plain": {}}}})
def metrics(request: Request) -> Response:
    """Return counters and gauges in the text format of Prometheus."""
    return Response(health.measure(request.app), media_type=request.app.state.metrics.content_type)
