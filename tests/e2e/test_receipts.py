"""What a learner can show, and what anybody can see, of a whole running service: receipts, proofs, the public log."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner, Result

from api.cli import app
from api.client import Client, LearnerSession, SignUp
from api.receipts import check
from models.ids import new_id
from models.receipts import entries, merkle
from tests.support.service import Service

SECRET = b"The toothfish does not freeze."


def mayfly(*arguments: str) -> Result:
    """Run the command line in this process: a new one takes seconds to import."""
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def learner(service: Service) -> Iterator[LearnerSession]:
    name = f"learner-{new_id()}"
    wish = SignUp(username=name, email=f"{name}@example.org", password="correct horse battery")
    with Client(service.url) as client:
        client.sign_up(wish)
        yield client.sign_in(wish.email, wish.password)


def test_a_learner_shows_that_a_receipt_is_about_his_file_and_nobody_without_the_nonce_can(
    service: Service, learner: LearnerSession, tmp_path: Path
) -> None:
    (document,) = learner.upload(("secret.txt", SECRET, "text/plain"))
    learner.wait(document.document_id)
    receipt, file, other = tmp_path / "receipt.json", tmp_path / "file", tmp_path / "other"
    receipt.write_text(json.dumps(learner.sign_out()))
    file.write_bytes(SECRET)
    other.write_bytes(SECRET + b"!")
    about = ("verify-receipt", str(receipt), "--key", service.url, "--document")

    shown = mayfly(*about, str(file), "--nonce", document.commitment_nonce)

    assert shown.exit_code == 0, shown.output
    assert "It is about this document." in shown.stdout
    assert mayfly(*about, str(other), "--nonce", document.commitment_nonce).exit_code == 4
    assert mayfly(*about, str(file), "--nonce", "00" * 32).exit_code == 4
    assert mayfly(*about, str(file)).exit_code == 2


def test_the_log_has_a_session_from_its_first_reply_to_its_last_and_never_its_names(
    service: Service, learner: LearnerSession
) -> None:
    receipt_id = learner.signed_in.receipt_id
    with service.client() as http, Client(service.url) as client:
        opened = http.get("/v1/log/open").json()
        before = http.get(f"/v1/log/proofs/{receipt_id}").json()
        receipt = learner.sign_out()
        after = http.get(f"/v1/log/proofs/{receipt_id}").json()
        kept = http.get(f"/v1/receipts/{receipt_id}").json()
        leaves = http.get(f"/v1/log/entries/{before['start']['index']}").json()["entries"]
        place = check(receipt, client.receipt_key())

    assert opened["open"] >= 1
    assert opened["overdue"] == 0
    assert before["end"] is None
    assert entries.read(before["start"]["entry"].encode()).receipt == entries.name_of(receipt_id)
    assert receipt["statement"]["receipt_id"] == receipt_id
    assert kept == receipt
    assert place is not None
    assert leaves[place.index - before["start"]["index"]] == after["end"]["entry"] == receipt["log"]["entry"]
    assert not [leaf for leaf in leaves if receipt_id in leaf or learner.session_id in leaf]


def test_growth_is_proven_and_what_is_not_there_is_not_found(service: Service, learner: LearnerSession) -> None:
    with service.client() as http:
        old = http.get("/v1/log/checkpoint").text.splitlines()
        learner.sign_out()
        new = http.get("/v1/log/checkpoint").text.splitlines()
        proof = http.get(f"/v1/log/consistency/{old[1]}/{new[1]}").json()
        beyond = http.get(f"/v1/log/consistency/{new[1]}/{2**40}")
        unknown = http.get(f"/v1/log/proofs/{new_id()}")

    roots = {"old_root": _root(old[2]), "new_root": _root(new[2])}
    hashes = [bytes.fromhex(one) for one in proof["hashes"]]
    merkle.check_consistency(int(old[1]), int(new[1]), hashes, **roots)
    assert int(new[1]) > int(old[1])
    assert (beyond.status_code, unknown.status_code) == (404, 404)


def test_an_auditor_replays_the_log_and_sees_that_it_only_grew(
    service: Service, learner: LearnerSession, tmp_path: Path
) -> None:
    seen = tmp_path / "checkpoint"
    first = mayfly("audit-log", service.url, "--checkpoint", str(seen))
    learner.sign_out()
    second = mayfly("audit-log", service.url, "--checkpoint", str(seen))
    seen.write_text(seen.read_text().replace("mayfly-log/", "another-log/"))

    assert first.exit_code == second.exit_code == 0, first.output + second.output
    assert "0 are overdue, 0 ended late" in second.stdout
    assert mayfly("audit-log", service.url, "--checkpoint", str(seen)).exit_code == 4


def test_anybody_may_read_the_log(service: Service) -> None:
    replies = [
        httpx2.get(f"{service.url}/v1/log/{path}", trust_env=False, timeout=60)
        for path in ("checkpoint", "open", "entries/0")
    ]

    assert [reply.status_code for reply in replies] == [200, 200, 200]


def _root(encoded: str) -> bytes:
    return base64.b64decode(encoded)
