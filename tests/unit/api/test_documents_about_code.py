"""What docs/ says of settings, problems and routes is what the code does."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from api import problems
from api.app import create_app, openapi_document
from api.routers.operations import limits
from api.schemas import JSON_BODY_BYTES
from api.schemas.accounts import NewAccount, Recovery
from api.schemas.analytics import Range
from api.schemas.conversations import ConversationUsage, NewConversation
from api.schemas.feedback import FeedbackPageRequest, NewFeedback
from api.schemas.progress import NewActivities
from api.schemas.queries import Question
from api.schemas.scenarios import ScenarioFilter
from api.schemas.sessions import GrantRequest, SignIn
from api.schemas.turns import NewTurn
from api.schemas.usage import BudgetWish, NewUsage, SpendingCheck
from api.settings import Settings

REQUESTS: list[type[BaseModel]] = [
    NewAccount,
    Recovery,
    SignIn,
    GrantRequest,
    Question,
    ScenarioFilter,
    NewConversation,
    ConversationUsage,
    NewUsage,
    BudgetWish,
    SpendingCheck,
    NewActivities,
    NewFeedback,
    FeedbackPageRequest,
    Range,
    NewTurn,
]
DOCS = Path(__file__).parents[3] / "docs"
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|", re.MULTILINE)


def rows(page: str) -> dict[str, tuple[str, str]]:
    text = (DOCS / page).read_text(encoding="utf-8")
    found = [(name, (second.strip(), third.strip())) for name, second, third in ROW.findall(text)]
    assert len(found) == len(dict(found)), "a row is there twice"
    return dict(found)


def settings_in_code(model: type[BaseModel], prefix: str = "MAYFLY_") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            found |= settings_in_code(type(field.default), f"{prefix}{name.upper()}_")
        else:
            found[f"{prefix}{name.upper()}"] = field.default
    return found


def test_every_setting_is_described_and_no_other() -> None:
    assert set(rows("settings.md")) == set(settings_in_code(Settings))


@pytest.mark.parametrize(("name", "default"), settings_in_code(Settings).items())
def test_a_described_default_is_the_default(name: str, default: Any) -> None:
    described = rows("settings.md")[name][0]

    if default is PydanticUndefined or default is None or name.endswith(("_JAILS", "_THREADS", "_OCR_WORKERS")):
        assert described
    elif isinstance(default, tuple):
        assert json.loads(described.strip("`")) == list(default)
    else:
        assert described == f"`{default}`"


def test_every_setting_can_be_set_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAYFLY_SESSIONS_IDLE_SECONDS", "7")
    monkeypatch.setenv("MAYFLY_ACCOUNTS_ARGON2_MEMORY_KIB", "64")
    monkeypatch.setenv("MAYFLY_RUNTIME_DIR", "/somewhere")

    settings = Settings()

    assert settings.sessions.idle_seconds == 7
    assert settings.accounts.argon2_memory_kib == 64
    assert str(settings.runtime_dir) == "/somewhere"


def test_every_problem_is_described_with_its_status_and_title() -> None:
    described = rows("problems.md")

    in_code = {slug: (str(problems.status_of(kind)), kind.title) for slug, kind in problems.known_problems().items()}

    assert described == in_code


def test_the_committed_openapi_document_is_the_one_the_code_makes() -> None:
    committed = (DOCS / "openapi.json").read_text(encoding="utf-8")

    assert committed == openapi_document(), "run: python -m api.app > docs/openapi.json"


def test_every_route_declares_its_problems_and_what_it_answers() -> None:
    for path, operations in json.loads(openapi_document())["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            assert {"400", "500", "503"} <= answers.keys(), (method, path)
            assert any(status.startswith("2") for status in answers), (method, path)
            assert operation["description"], (method, path)
            refusals = [answer for status, answer in answers.items() if status >= "400"]
            assert all(list(answer["content"]) == [problems.MEDIA_TYPE] for answer in refusals), (method, path)


def test_no_route_takes_anything_from_the_query_string() -> None:
    operations = [operation for path in json.loads(openapi_document())["paths"].values() for operation in path.values()]

    assert {parameter["in"] for operation in operations for parameter in operation.get("parameters", [])} == {
        "path",
        "header",
    }


def test_the_contract_has_these_routes() -> None:
    paths = {
        (method.upper(), path)
        for path, operations in json.loads(openapi_document())["paths"].items()
        for method in operations
    }

    assert paths == {
        ("POST", "/v1/accounts"),
        ("POST", "/v1/accounts/recovery"),
        ("DELETE", "/v1/accounts/me"),
        ("GET", "/v1/accounts/me/export"),
        ("GET", "/v1/accounts/me/archive"),
        ("POST", "/v1/sessions"),
        ("GET", "/v1/sessions/current"),
        ("DELETE", "/v1/sessions/current"),
        ("POST", "/v1/sessions/current/grants"),
        ("POST", "/v1/sessions/current/documents"),
        ("GET", "/v1/sessions/current/documents"),
        ("GET", "/v1/sessions/current/documents/{document_id}"),
        ("GET", "/v1/sessions/current/documents/{document_id}/events"),
        ("DELETE", "/v1/sessions/current/documents/{document_id}"),
        ("OPTIONS", "/v1/sessions/current/uploads"),
        ("POST", "/v1/sessions/current/uploads"),
        ("HEAD", "/v1/sessions/current/uploads/{upload_id}"),
        ("PATCH", "/v1/sessions/current/uploads/{upload_id}"),
        ("DELETE", "/v1/sessions/current/uploads/{upload_id}"),
        ("POST", "/v1/sessions/current/links"),
        ("POST", "/v1/sessions/current/queries"),
        ("POST", "/v1/sessions/{session_id}/end"),
        ("POST", "/v1/conversations"),
        ("POST", "/v1/searches/conversations"),
        ("GET", "/v1/conversations/{conversation_id}"),
        ("POST", "/v1/conversations/{conversation_id}/usage"),
        ("POST", "/v1/conversations/{conversation_id}/end"),
        ("POST", "/v1/searches/scenarios"),
        ("POST", "/v1/analytics/streaks"),
        ("POST", "/v1/analytics/time"),
        ("POST", "/v1/analytics/topics"),
        ("POST", "/v1/analytics/feedback"),
        ("POST", "/v1/analytics/spend"),
        ("POST", "/v1/feedback"),
        ("GET", "/v1/feedback/{feedback_id}"),
        ("POST", "/v1/searches/feedback"),
        ("GET", "/v1/conversations/{conversation_id}/context"),
        ("POST", "/v1/sessions/current/turns"),
        ("GET", "/v1/sessions/current/turns"),
        ("DELETE", "/v1/sessions/current/turns"),
        ("GET", "/v1/progress"),
        ("POST", "/v1/progress/events"),
        ("POST", "/v1/usage"),
        ("POST", "/v1/usage/checks"),
        ("GET", "/v1/usage/budget"),
        ("PUT", "/v1/usage/budget"),
        ("GET", "/v1/usage/export"),
        ("GET", "/v1/scenarios/{scenario_id}"),
        ("GET", "/v1/receipts/key"),
        ("GET", "/v1/receipts/{receipt_id}"),
        ("GET", "/v1/log/checkpoint"),
        ("GET", "/v1/log/entries/{first}"),
        ("GET", "/v1/log/consistency/{old_size}/{new_size}"),
        ("GET", "/v1/log/proofs/{receipt_id}"),
        ("GET", "/v1/log/open"),
        ("GET", "/v1/limits"),
        ("GET", "/v1/assurance"),
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
        ("GET", "/metrics"),
    }


def test_the_database_url_can_come_from_a_mounted_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "database_url"
    secret.write_text("mariadb://mayfly:hunter2@127.0.0.1/mayfly\n")
    monkeypatch.setenv("MAYFLY_DATABASE_URL_FILE", str(secret))

    assert Settings().resolved_database_url == "mariadb://mayfly:hunter2@127.0.0.1/mayfly"


def test_a_database_password_never_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAYFLY_DATABASE_URL", "mariadb://mayfly:hunter2@127.0.0.1/mayfly")

    settings = Settings()

    assert "hunter2" in settings.resolved_database_url
    assert "hunter2" not in f"{settings!r} {settings} {create_app(settings).state.settings!r}"


def test_no_number_that_an_operator_can_change_is_in_the_description() -> None:
    upload = json.loads(openapi_document())["paths"]["/v1/sessions/current/documents"]["post"]
    files = upload["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]["file"]

    assert "maxItems" not in files


@pytest.mark.parametrize("schema", REQUESTS)
def test_every_request_has_examples_that_are_valid(schema: type[BaseModel]) -> None:
    examples = json.loads(openapi_document())["components"]["schemas"][schema.__name__]["examples"]

    assert examples
    for example in examples:
        schema.model_validate(example)


def test_the_limits_that_are_shown_are_the_ones_enforced() -> None:
    schemas = json.loads(openapi_document())["components"]["schemas"]
    question, grant = schemas["Question"]["properties"], schemas["GrantRequest"]["properties"]["ttl_seconds"]["anyOf"]

    resources = cast("Any", SimpleNamespace(settings=Settings()))
    shown = limits(resources)

    assert shown.question_characters == question["text"]["maxLength"]
    assert shown.max_top_k == question["top_k"]["maximum"]
    assert (shown.min_grant_ttl_seconds, shown.max_grant_ttl_seconds) == (grant[0]["minimum"], grant[0]["maximum"])
    assert shown.sessions_per_machine == Settings().sessions.capacity
    assert shown.json_body_bytes == JSON_BODY_BYTES
