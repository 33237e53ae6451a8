"""A whole service whose faults are found by its own tracers: on the receipt, in the public log, in the alarm."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli import app
from api.client import Client, LearnerSession, Question
from api.receipts import check
from sessions.client import SessionClient
from tests.conftest import new_learner
from tests.support.faults import Failpoints, breakable
from tests.support.inspection import metrics, wait_until
from tests.support.service import Service

NOTE = ("note.txt", b"The lamplighter keeps seven keys.", "text/plain")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Failpoints]]:
    wanted = {"MAYFLY_SESSIONS_TRACER": "true", "MAYFLY_SESSIONS_MEMORY_SEARCH_SECONDS": "0.5"}
    with breakable(tmp_path_factory.mktemp("tracer"), **wanted) as made:
        yield made


@pytest.fixture
def service(broken: tuple[Service, Failpoints]) -> Service:
    return broken[0]


@pytest.fixture
def points(broken: tuple[Service, Failpoints]) -> Iterator[Failpoints]:
    yield broken[1]
    broken[1].disarm()


@pytest.fixture
def learner(service: Service, points: Failpoints) -> Iterator[LearnerSession]:  # They end first.
    with Client(service.url) as client, new_learner(client) as session:
        yield session


def mayfly(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def went(service: Service, learner: LearnerSession) -> bool:
    return SessionClient(service.runtime_dir / "sessions" / f"{learner.session_id}.sock").tracer_went()


def filled(service: Service, learner: LearnerSession) -> None:
    """Have a document ready, and the tracer everywhere."""
    (document,) = learner.upload(NOTE)
    assert learner.wait(document.document_id).status == "ready"
    wait_until(service, lambda: went(service, learner))


def shown(receipt: object, service: Service, folder: Path) -> Result:
    file = folder / "receipt.json"
    file.write_text(json.dumps(receipt))
    return mayfly("verify-receipt", str(file), "--key", service.url)


def test_a_clean_session_was_searched_in_all_places(service: Service, learner: LearnerSession, tmp_path: Path) -> None:
    filled(service, learner)

    receipt = learner.sign_out()

    statement = receipt["statement"]
    assert statement["residue_found"] == 0
    assert statement["searched"] == dict.fromkeys(("quarantine", "runtime", "temporary", "record", "log"), 0)
    assert statement["not_searched"] == {"embedder_memory": "later"}
    assert {"tracer_went_all_the_way", "no_tracer_found"} <= set(statement["verified"])
    assert len(json.dumps(statement)) < 1600, "a receipt stays below two kilobytes"
    said = shown(receipt, service, tmp_path)
    assert said.exit_code == 0, said.output
    assert "record 0" in said.output


@pytest.mark.parametrize(
    ("place", "fault"),
    [("log", "log"), ("temporary", "leave_file"), ("record", "write_sql {data}/record.sqlite")],
)
def test_a_fault_that_writes_down_what_was_read_is_on_the_receipt_and_raises_the_alarm(
    service: Service, points: Failpoints, learner: LearnerSession, tmp_path: Path, place: str, fault: str
) -> None:
    # The learner's document passes by; the tracer, which comes after it, is what is written down.
    points.arm("extracted", fault.format(data=service.data_dir), passing=1)
    filled(service, learner)
    assert points.reached("extracted")

    receipt = learner.sign_out()

    statement = receipt["statement"]
    others = {"quarantine", "runtime", "temporary", "record", "log"} - {place}
    assert statement["searched"] == dict.fromkeys(others, 0) | {place: 1}
    assert statement["residue_found"] == 1
    assert "no_tracer_found" not in statement["verified"]
    with Client(service.url) as client:
        assert check(receipt, client.receipt_key()) is not None, "the log's entry is of another statement"
    said, audited = shown(receipt, service, tmp_path), mayfly("audit-log", service.url)
    assert (said.exit_code, audited.exit_code) == (6, 6)
    assert "RESIDUE WAS FOUND" in said.output
    assert "RESIDUE WAS FOUND" in audited.output
    (alarm,) = [event for event in events(service) if event.get("session_id") == learner.session_id]
    assert (alarm["level"], alarm["place"], alarm["count"]) == ("error", place, 1)
    assert f'mayfly_tracers_found_total{{place="{place}"}} 1.0' in metrics(service)


def events(service: Service) -> list[dict[str, object]]:
    return [event for event in service.events if event["event"] == "residue_found"]


def test_the_tracer_waits_in_the_embedders_queue_and_no_answer_ever_has_it(
    service: Service, points: Failpoints, learner: LearnerSession
) -> None:
    points.arm("extracted", "log", passing=1)  # So that this test knows the word.
    points.arm("computing", "hold", passing=1)
    (document,) = learner.upload(NOTE)
    assert learner.wait(document.document_id).status == "ready"
    points.await_reached("computing")
    assert not went(service, learner)
    tracer = re.findall(r'"text": "([0-9a-f]{64})"', service.log)[-1]

    points.release("computing")
    wait_until(service, lambda: went(service, learner))

    for text in (tracer, f'"{tracer}"'):
        answer = learner.ask(Question(text=text, top_k=20, doubtful=True))
        assert [passage.document_id for passage in answer.passages] == [document.document_id]
        assert tracer not in repr([passage.text for passage in answer.passages])
    held = learner.held()
    assert (held["documents"], held["chunks"], held["bytes"]) == (1, 1, len(NOTE[1]))
    assert tracer not in repr([learner.documents(), held])


def test_what_the_embedder_kept_is_found_in_its_memory_a_little_later_and_of_no_other_session(
    service: Service, points: Failpoints, learner: LearnerSession
) -> None:
    points.arm("taking_text", "keep", passing=1)
    filled(service, learner)
    assert points.reached("taking_text")

    statement = learner.sign_out()["statement"]

    assert statement["residue_found"] == 0, "it is in no file"
    wait_until(service, lambda: any(event["place"] == "embedder_memory" for event in events(service)))
    found = {event["session_id"] for event in events(service) if event["place"] == "embedder_memory"}
    assert found == {learner.session_id}
    assert 'mayfly_tracers_found_total{place="embedder_memory"}' in metrics(service)
