"""Queries: a question in, passages out."""

from fastapi import APIRouter

from api import asking
from api.dependencies import Asker, Res
from api.problems import TAKES_JSON
from api.routers import refuses
from api.schemas.queries import Passages, Question
from models.errors import (
    EmbeddingFailed,
    InvalidRequest,
    ModelChanged,
    NoSuchThing,
    NothingIndexed,
    QueueFull,
    RateLimited,
    SessionExpired,
)

router = APIRouter(prefix="/v1/sessions/current/queries", tags=["queries"])


@router.post(
    "",
    responses=refuses(
        *TAKES_JSON,
        InvalidRequest,
        SessionExpired,
        NoSuchThing,
        NothingIndexed,
        EmbeddingFailed,
        ModelChanged,
        RateLimited,
        QueueFull,
    ),
)
def ask(question: Question, resources: Res, asker: Asker) -> Passages:
    """Return the passages of this session's documents that best answer one question."""
    return asking.ask(resources, asker, question)
