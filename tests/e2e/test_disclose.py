"""What an operator could reveal of a learner, asked while the service runs and after, and what a backup of a live one
brings back: no content, no open session (R18, R20).
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

from api.backup import bring_back, load_key, save
from api.client import Client, LearnerSession
from api.disclosure import disclose
from api.settings import Settings
from models.database import Database
from models.receipts.signing import Signer
from tests.conftest import new_learner
from tests.integration.record.test_disclosure import published
from tests.support.mariadb import Server
from tests.support.residue import in_bytes, in_files, new_marker
from tests.support.service import Service


def mayfly(service: Service, *arguments: str, given: str) -> str:
    """Run the command line with the service's own settings; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments],
        env=dict(service.environment),
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def record_of(service: Service, url: str | None = None) -> Generator[tuple[Settings, Database]]:
    """Open the record of a service, or another one, as the command line does."""
    own = service.environment.get("MAYFLY_DATABASE_URL") or f"sqlite:///{service.data_dir / 'record.sqlite'}"
    database = Database(url or own)
    try:
        yield Settings(data_dir=service.data_dir, runtime_dir=service.runtime_dir), database
    finally:
        database.dispose()


def disclosed(service: Service, who: str, url: str | None = None) -> dict[str, Any]:
    with record_of(service, url) as (settings, database):
        return disclose(settings, database, who)


def use(session: LearnerSession, marker: str) -> None:
    sentence = f"The {marker} is a bird that nests in the bell tower."
    (document,) = session.upload((f"{marker}.txt", sentence.encode(), "text/plain"))
    assert session.wait(document.document_id).status == "ready"
    assert marker in session.ask(f"Where does the {marker} nest?").passages[0].text


def user_id_of(service: Service, session: LearnerSession) -> str:
    with service.client(session.signed_in.token) as http:
        return http.get("/v1/accounts/me/export").json()["user_id"]


def test_while_a_session_is_open_on_sqlite_no_more_than_the_published_fields_is_told(
    service: Service, learner: LearnerSession
) -> None:
    marker = new_marker()
    use(learner, marker)

    told = disclosed(service, user_id_of(service, learner))

    assert {table: list(rows[0]) for table, rows in told["record"].items() if rows} == {
        table: list(columns) for table, columns in published().items() if told["record"][table]
    }
    assert [row["state"] for row in told["record"]["sessions"]] == ["open"]
    assert len(told["record"]["uploaded_content_metadata"]) == 1
    assert in_bytes(json.dumps(told).encode(), marker) == 0


def test_on_mariadb_the_same_is_told_of_a_running_and_of_a_stopped_service_and_a_backup_brings_back_no_content(
    on_mariadb: Service, mariadb: Server, tmp_path: Path
) -> None:
    marker = new_marker()
    with Client(on_mariadb.url) as client:
        session = new_learner(client)
        use(session, marker)
        user_id = user_id_of(on_mariadb, session)
        live = json.loads(mayfly(on_mariadb, "disclose", "-", "--json", given=user_id))
        key = load_key(tmp_path / "backup-key", make=True)
        with record_of(on_mariadb) as (_, database):
            save(database, key, tmp_path / "backup")

    on_mariadb.stop()
    stopped = disclosed(on_mariadb, user_id)
    elsewhere = mariadb.new_database()
    with record_of(on_mariadb, elsewhere) as (_, database):
        database.migrate()
        bring_back(database, key, tmp_path / "backup", Signer.load(on_mariadb.data_dir / "receipt-key"))
    restored = disclosed(on_mariadb, user_id, elsewhere)
    text = mayfly(on_mariadb, "disclose", "-", given=f"{user_id}\n")

    assert [row["state"] for row in live["record"]["sessions"]] == ["open"]
    assert [row["state"] for row in stopped["record"]["sessions"]] == ["ended"]
    assert live["record"]["users"] == stopped["record"]["users"] == restored["record"]["users"]
    assert {table: len(rows) for table, rows in live["record"].items()} == {
        table: len(rows) - (table == "receipts") for table, rows in stopped["record"].items()
    }
    (row,) = restored["record"]["sessions"]
    assert (row["state"], row["token_hash"], row["end_reason"]) == ("ended", None, "crash")
    assert [row["processed_status"] for row in restored["record"]["uploaded_content_metadata"]] == ["purged"]
    assert len(restored["record"]["receipts"]) == 1
    assert user_id in text
    everything = json.dumps([live, stopped, restored]).encode() + text.encode()
    assert in_bytes(everything, marker) == 0
    assert in_files([tmp_path, mariadb.folder, on_mariadb.data_dir], marker) == []


def test_the_assurance_tells_what_the_database_writes_in_the_clear(service: Service) -> None:
    with service.client() as http:
        told = http.get("/v1/assurance").json()["encryption"]["database_at_rest"]

    assert told == {
        "engine": "sqlite",
        "encrypted": False,
        "in_the_clear": ["database file"],
        "clear_tablespaces": None,
        "statement_logs": [],
    }


def test_an_erased_account_leaves_no_key_and_nothing_to_tell(service: Service, client: Client) -> None:
    session = new_learner(client)
    user_id = user_id_of(service, session)
    key = service.data_dir / "erasure-keys" / user_id
    assert key.is_file()

    with service.client(session.signed_in.token) as http:
        receipt = http.delete("/v1/accounts/me").json()

    assert "erasure_key_gone" in receipt["statement"]["verified"]
    assert not key.exists()
    assert disclosed(service, user_id)["record"] == {}
