"""The durable record over HTTP: scenarios, conversations, and that dialogue never gets in."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from api.client import Client, LearnerSession
from api.schemas.record import DIALOGUE_NAMES
from tests.conftest import PASSWORD, new_learner
from tests.support import inspection, residue
from tests.support.service import Service


@pytest.fixture
def http(service: Service, learner: LearnerSession) -> Iterator[httpx2.Client]:
    with service.client(learner.signed_in.token) as http:
        yield http


def test_a_conversation_from_start_to_end(http: httpx2.Client) -> None:
    wish = {"target_language": "fr", "scenario_id": "fr-a2-missed-connection", "time_zone": "Europe/Paris"}

    begun = http.post("/v1/conversations", json=wish)
    path = f"/v1/conversations/{begun.json()['conversation_id']}"
    added = [http.post(f"{path}/usage", json={"tokens": 10, "cost": "0.0001"}).json() for _ in range(3)][-1]
    ended = http.post(f"{path}/end").json()
    listed = http.post("/v1/searches/conversations", json={"limit": 1}).json()

    assert begun.status_code == 201
    assert begun.json()["label"] == "French · Travel · 0 min"
    assert (added["total_ai_tokens_used"], added["estimated_cost"]) == (30, "0.0003")
    assert ended["duration_seconds"] >= 0
    assert listed["conversations"] == [ended]
    assert http.post("/v1/searches/conversations", json={"after": listed["next_after"]}).json()["conversations"] == []


@pytest.mark.parametrize("name", sorted(DIALOGUE_NAMES))
def test_a_request_that_carries_dialogue_is_refused_by_name_and_goes_nowhere(
    service: Service, http: httpx2.Client, name: str
) -> None:
    marker = residue.new_marker()
    body = {"target_language": "fr", name: [{"role": "user", "content": marker}]}

    refused = http.post("/v1/conversations", json=body)

    assert (refused.status_code, refused.json()["code"]) == (422, "dialogue_refused")
    assert marker not in refused.text
    assert residue.in_files(inspection.folders(service), marker) == []


def test_a_conversation_about_a_scenario_that_is_not_there_is_not_started(http: httpx2.Client) -> None:
    refused = http.post("/v1/conversations", json={"target_language": "fr", "scenario_id": "none", "topic": "food"})

    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


def test_scenarios_are_listed_by_language_and_level(http: httpx2.Client) -> None:
    found = http.post("/v1/searches/scenarios", json={"language": "ja", "level": "B2"}).json()["scenarios"]

    assert [scenario["title"] for scenario in found] == ["古本屋の面接"]
    assert http.get(f"/v1/scenarios/{found[0]['scenario_id']}").json() == found[0]


def test_a_request_is_paid_once_and_the_log_is_csv(http: httpx2.Client) -> None:
    wanted = {"usage_id": "0f" * 16, "service_name": "chat", "tokens": 7, "duration_ms": 9, "cost": "0.000001"}

    replies = [http.post("/v1/usage", json=wanted).json()["recorded"] for _ in range(2)]
    budget = http.put("/v1/usage/budget", json={"monthly_limit": "0.000002", "warn_percent": 50}).json()
    verdicts = [http.post("/v1/usage/checks", json={"cost": cost}).json() for cost in ("0.000001", "0.000002")]
    export = http.get("/v1/usage/export")

    assert replies == [True, False]
    assert (budget["spent"], budget["limit"], budget["state"]) == ("0.000001", "0.000002", "near")
    assert [verdict["allowed"] for verdict in verdicts] == [True, False]
    assert export.headers["content-type"].startswith("text/csv")
    header, row = export.text.splitlines()
    assert header == "created_at,usage_id,conversation_id,service_name,tokens,duration_ms,cost"
    assert row.endswith(f"{wanted['usage_id']},,chat,7,9,0.000001")


def test_events_that_come_twice_count_once_and_tell_where_the_learner_stands(http: httpx2.Client) -> None:
    event = {"event_id": "ab" * 16, "kind": "lesson_completed", "language": "fr", "time_zone": "Asia/Tokyo"}
    moment = datetime.now(UTC)
    events = [
        event | {"occurred_at": moment.isoformat()},
        event | {"event_id": "cd" * 16, "occurred_at": (moment - timedelta(days=1)).isoformat()},
        event | {"event_id": "ef" * 16, "occurred_at": "9999-12-31T23:59:59-23:59"},
        event | {"event_id": "12" * 16, "occurred_at": "0001-01-01T00:00:00+23:59"},
    ]

    first, again = (http.post("/v1/progress/events", json={"events": events}).json() for _ in range(2))

    assert [told["outcome"] for told in first["outcomes"]] == ["recorded", "recorded", "in_the_future", "too_old"]
    assert [told["outcome"] for told in again["outcomes"]] == ["known", "known", "in_the_future", "too_old"]
    assert first["progress"] == again["progress"] == http.get("/v1/progress").json()
    assert (first["progress"]["current_streak"], first["progress"]["lessons_completed"]) == (2, 2)


def test_suggestions_are_readable_in_the_session_and_sealed_everywhere_else(
    service: Service, http: httpx2.Client
) -> None:
    marker = residue.new_marker()
    wanted = {"feedback_type": "grammar", "score": 0.7254, "suggestions": f"Mind the {marker}."}

    given = http.post("/v1/feedback", json=wanted).json()
    listed = http.post("/v1/searches/feedback", json={}).json()["feedback"]
    trend = http.post("/v1/analytics/feedback", json={}).json()["weeks"]

    assert (given["suggestions"], given["score"]) == (wanted["suggestions"], 0.725)
    assert listed == [given]
    assert http.get(f"/v1/feedback/{given['feedback_id']}").json() == given
    assert [(each["times"], each["mean_score"]) for each in trend] == [(1, 0.725)]
    files = inspection.folders(service)
    assert residue.in_files(files, given["feedback_id"]), "the row was never found, so the absence proves nothing"
    assert residue.in_files(files, marker) == []


@pytest.mark.parametrize("what", ["streaks", "time", "topics", "feedback", "spend"])
def test_analytics_of_somebody_new_are_empty(http: httpx2.Client, what: str) -> None:
    reply = http.post(f"/v1/analytics/{what}", json={"first_day": "2026-12-31", "last_day": "2026-01-01"})

    assert reply.status_code == 200
    assert list(reply.json().values()) == [[]]


def test_an_archive_holds_every_row_and_an_erasure_counts_them(service: Service, client: Client) -> None:
    learner = new_learner(client)
    http = service.client(learner.signed_in.token)
    talk = http.post("/v1/conversations", json={"target_language": "fr"}).json()
    http.post("/v1/usage", json={"service_name": "chat", "cost": "0.25", "conversation_id": talk["conversation_id"]})
    http.put("/v1/usage/budget", json={"monthly_limit": "3"})
    http.post("/v1/feedback", json={"feedback_type": "fluency", "score": 1, "suggestions": '=Speak, "up"\n!'})
    moment = datetime.now(UTC).isoformat()
    event = {"event_id": "0a" * 16, "kind": "review", "language": "fr", "occurred_at": moment, "time_zone": "UTC"}
    http.post("/v1/progress/events", json={"events": [event]})

    reply = http.get("/v1/accounts/me/archive")
    erased = http.delete("/v1/accounts/me").json()["statement"]
    http.close()

    archive = zipfile.ZipFile(io.BytesIO(reply.content))
    tables = json.loads(archive.read("archive.json"))["tables"]
    described = json.loads(archive.read("schema.json"))["tables"]
    counted = {name: len(rows) for name, rows in tables.items() if rows}
    assert reply.headers["content-type"] == "application/zip"
    assert counted == {
        "activity_days": 1,
        "activity_events": 1,
        "api_usage_log": 1,
        "conversations": 1,
        "feedback": 1,
        "learner_clocks": 1,
        "sessions": 1,
        "usage_budgets": 1,
        "usage_months": 1,
        "users": 1,
    }
    assert erased["rows_by_table"] == counted
    assert erased["rows_erased"] == sum(counted.values())
    assert tables["feedback"][0]["suggestions"] == '=Speak, "up"\n!'
    assert tables["users"][0].keys().isdisjoint({"password_hash", "password_wrap", "recovery_wrap", "email_hash"})
    for name, rows in tables.items():
        read = list(csv.DictReader(io.StringIO(archive.read(f"{name}.csv").decode(), newline="")))
        assert len(read) == len(rows)
        assert all(row.keys() <= described[name].keys() for row in rows if name != "receipts")
    assert learner.session_id == tables["sessions"][0]["session_id"]


def test_turns_are_held_bounded_and_cleared(http: httpx2.Client) -> None:
    path = "/v1/sessions/current/turns"
    wanted = [{"role": "learner" if number % 2 else "tutor", "text": f"turn {number}"} for number in range(45)]
    held = [http.post(path, json=turn).json() for turn in wanted][-1]

    read = http.get(path).json()
    seen = http.get("/v1/sessions/current").json()["turns"]
    cleared = http.delete(path).json()

    assert [turn["text"] for turn in read["turns"]] == [f"turn {number}" for number in range(5, 45)]
    assert held == {"turns": 40, "bytes": read["bytes"]}
    assert seen == 40
    assert cleared == {"turns": 0, "bytes": 0}
    assert http.get(path).json() == {"turns": [], "bytes": 0}


def test_a_conversation_is_continued_with_facts_and_without_dialogue(service: Service, client: Client) -> None:
    first, marker = new_learner(client, languages=("fr",)), residue.new_marker()
    (document,) = first.upload(("holiday.txt", f"The {marker} leaves at seven.".encode(), "text/plain"))
    first.wait(document.document_id)
    with service.client(first.signed_in.token) as http:
        wish = {"target_language": "fr", "scenario_id": "fr-a1-two-croissants"}
        talk = http.post("/v1/conversations", json=wish).json()
        judged = {"feedback_type": "fluency", "conversation_id": talk["conversation_id"]}
        for score in (0.5, 1):
            http.post("/v1/feedback", json=judged | {"score": score, "suggestions": f"Slow down, {marker}."})
        http.post("/v1/sessions/current/turns", json={"role": "learner", "text": f"Deux {marker}"})
        path = f"/v1/conversations/{talk['conversation_id']}/context"
        here = http.get(path).json()
        email = http.get("/v1/accounts/me/export").json()["email"]
    first.sign_out()
    with client.sign_in(email, PASSWORD) as later, service.client(later.signed_in.token) as http:
        found = http.get(path)
        turns = http.get("/v1/sessions/current/turns").json()["turns"]

    context = found.json()
    assert (here["upload_again"], context["upload_again"]) == (False, True)
    assert context["scenario"]["topic"] == "shopping"
    assert context["conversation"]["end_time"], "its session is over, so it is too"
    assert [each["filename"] for each in context["documents"]] == ["holiday.txt"]
    assert context["feedback"] == [{"feedback_type": "fluency", "times": 2, "mean_score": 0.75}]
    assert turns == []
    assert marker not in found.text
