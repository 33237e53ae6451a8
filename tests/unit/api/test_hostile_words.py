"""Words that databases, spreadsheets and terminals take for something else stay words (I06, I07)."""

import io
import json
import zipfile
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.archive import packed
from api.settings import AccountSettings, Settings

HOSTILE = [
    "'; DROP TABLE users; --",
    '" OR "1"="1',
    "%00",
    "nul\0byte",
    "😀" * 60,
    "\ud800",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "../../etc/passwd",
    "\x1b[2J\r\n",
    "a" * 5000,
]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", '=HYPERLINK("https://example.org","x")']
ACCOUNT = {"username": "ada", "email": "ada@example.org", "password": "correct horse", "primary_language": "en"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """No rate limit may answer in place of a route."""
    free = AccountSettings(argon2_memory_kib=64, argon2_passes=1, sign_ins_per_minute=10_000, sign_ups_per_hour=10_000)
    return Settings(data_dir=tmp_path / "data", runtime_dir=tmp_path / "run", accounts=free)


def test_no_word_in_any_field_breaks_the_service_is_taken_for_sql_or_comes_back(client: TestClient) -> None:
    client.post("/v1/accounts", json=ACCOUNT)
    who = {"email": ACCOUNT["email"], "password": "wrong horse"}
    asked = [("/v1/accounts", ACCOUNT, field) for field in (*ACCOUNT, "target_languages")]
    asked += [("/v1/sessions", who, field) for field in who]

    for path, sound, field in asked:
        for word in HOSTILE:
            body = sound | {field: [word] if field == "target_languages" else word}
            reply = client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})

            assert reply.status_code in {201, 400, 401, 409, 422}, (path, field, word)
            assert word not in reply.text

    again = client.post("/v1/accounts", json=ACCOUNT)
    assert (again.status_code, again.json()["code"]) == (409, "account_exists"), (
        "the table and its rows are still there"
    )


@pytest.mark.parametrize("word", FORMULAS)
def test_a_formula_in_a_name_is_text_in_the_archive_s_tables(word: str) -> None:
    with zipfile.ZipFile(io.BytesIO(packed({"users": [{"username": word}]}))) as archive:
        table = archive.read("users.csv").decode()
        whole = json.loads(archive.read("archive.json"))

    assert whole["tables"]["users"] == [{"username": word}], "the exact word is in the JSON"
    assert table.splitlines()[1].lstrip('"').startswith("'")
