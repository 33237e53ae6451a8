"""The command line: what it imports, what it prints, and the code it ends with."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models.receipts.signing import Receipt, Signer, to_json
from tests.support.statements import purge_statement

HEAVY = ("torch", "transformers", "chromadb", "onnxruntime", "fastapi", "sqlalchemy", "numpy")


def mayfly(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments],
        env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def signer() -> Signer:
    return Signer(Ed25519PrivateKey.generate())


@pytest.fixture
def receipt(signer: Signer) -> Receipt:
    minute = datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")
    return signer.sign(purge_statement(opened_at=minute, ended_at=minute))


@pytest.fixture
def key_file(signer: Signer, tmp_path: Path) -> Path:
    file = tmp_path / "key.json"
    file.write_text(
        json.dumps({"key_id": signer.key_id, "algorithm": "Ed25519", "public_key": signer.public_key.hex()})
    )
    return file


def test_help_names_every_command_and_the_exit_codes() -> None:
    shown = mayfly("--help").stdout

    for word in ("serve", "migrate", "models", "demo", "verify-receipt", "backup", "restore", "disclose", "Exit codes"):
        assert word in shown


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"], ["verify-receipt", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import atexit, sys; from api.cli import main;"
        f"sys.argv = ['mayfly', *{arguments!r}];"
        f"atexit.register(lambda: print('typer' in sys.modules, [m for m in {HEAVY!r} if m in sys.modules]));"
        "main()"
    )

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert shown.splitlines()[-1] == "True []"


def test_a_genuine_receipt_is_valid(receipt: Receipt, key_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "receipt.json"
    file.write_bytes(to_json(receipt))

    checked = mayfly("verify-receipt", str(file), "--key", str(key_file))

    assert (checked.returncode, checked.stdout) == (0, "The receipt is valid.\n")


@pytest.mark.parametrize(
    ("genuine", "changed"),
    [
        ('"chunks_purged":3', '"chunks_purged":4'),
        ("sign_out", "expiry"),
        ('"signature":"', '"signature":"00'),
        ("{", "["),
    ],
)
def test_a_changed_receipt_is_not_valid(
    receipt: Receipt, key_file: Path, tmp_path: Path, genuine: str, changed: str
) -> None:
    text = to_json(receipt).decode()
    assert genuine in text
    file = tmp_path / "receipt.json"
    file.write_text(text.replace(genuine, changed, 1))

    assert mayfly("verify-receipt", str(file), "--key", str(key_file)).returncode == 4


def test_a_receipt_that_another_key_signed_is_not_valid(receipt: Receipt, tmp_path: Path) -> None:
    file, key = tmp_path / "receipt.json", tmp_path / "key.json"
    file.write_bytes(to_json(receipt))
    key.write_text(json.dumps({"public_key": Signer(Ed25519PrivateKey.generate()).public_key.hex()}))

    assert mayfly("verify-receipt", str(file), "--key", str(key)).returncode == 4


@pytest.mark.parametrize("content", ["", "{}", '{"public_key": "xyz"}', "not json"])
def test_what_is_no_key_is_a_usage_error(receipt: Receipt, tmp_path: Path, content: str) -> None:
    file, key = tmp_path / "receipt.json", tmp_path / "key.json"
    file.write_bytes(to_json(receipt))
    key.write_text(content)

    assert mayfly("verify-receipt", str(file), "--key", str(key)).returncode == 2


def test_a_missing_file_is_a_usage_error(key_file: Path, tmp_path: Path) -> None:
    asked = mayfly("verify-receipt", str(tmp_path / "none.json"), "--key", str(key_file))

    assert asked.returncode == 2
    assert "Traceback" not in asked.stderr


def test_no_service_at_the_address_has_its_own_code(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("words")

    asked = mayfly("demo", str(file), "--ask", "what?", "--url", "http://127.0.0.1:1")

    assert (asked.returncode, asked.stderr) == (3, "No service answers at this address.\n")


def test_a_wrong_setting_is_named_without_its_value() -> None:
    asked = mayfly("migrate", MAYFLY_PORT="word-not-a-number")

    assert asked.returncode == 2
    assert "MAYFLY_PORT" in asked.stderr
    assert "word-not-a-number" not in asked.stderr + asked.stdout


def test_migrating_makes_the_record(tmp_path: Path) -> None:
    asked = mayfly("migrate", MAYFLY_DATA_DIR=str(tmp_path))

    assert asked.returncode == 0, asked.stderr
    with sqlite3.connect(tmp_path / "record.sqlite") as record:
        tables = {name for (name,) in record.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    record.close()
    assert {"users", "sessions", "uploaded_content_metadata", "receipts"} <= tables


@pytest.mark.parametrize(
    ("command", "setting"),
    [
        (["migrate"], {"MAYFLY_DATABASE_URL": "oracle://h/d"}),
        (["models", "prepare"], {"MAYFLY_EMBEDDING_MODEL": "none"}),
    ],
)
def test_what_is_refused_is_said_without_a_traceback(
    command: list[str], setting: dict[str, str], tmp_path: Path
) -> None:
    asked = mayfly(*command, **setting, MAYFLY_DATA_DIR=str(tmp_path), MAYFLY_MODEL_DIR=str(tmp_path))

    assert asked.returncode == 2
    assert "is refused" in asked.stderr
    assert "Traceback" not in asked.stderr


def test_a_backup_is_restored_once_and_with_its_own_key_only(tmp_path: Path) -> None:
    first, second, key = tmp_path / "first", tmp_path / "second", tmp_path / "key"
    saved = str(tmp_path / "record.backup")
    mayfly("migrate", MAYFLY_DATA_DIR=str(first))

    backed_up = mayfly("backup", saved, "--key", str(key), MAYFLY_DATA_DIR=str(first))
    again = mayfly("backup", saved, "--key", str(key), MAYFLY_DATA_DIR=str(first))
    without_key = mayfly("restore", saved, MAYFLY_DATA_DIR=str(second))
    restored = mayfly("restore", saved, "--key", str(key), MAYFLY_DATA_DIR=str(second))

    assert (backed_up.returncode, restored.returncode) == (0, 0), backed_up.stderr + restored.stderr
    assert (again.returncode, without_key.returncode) == (2, 2)
    assert "replaces none" in again.stderr
    assert "backup-key is not there" in without_key.stderr
    found = list[list[tuple[str]]]()
    for folder in (first, second):
        with contextlib.closing(sqlite3.connect(folder / "record.sqlite")) as record:
            found.append(record.execute("SELECT scenario_id FROM learning_scenarios ORDER BY scenario_id").fetchall())
    assert found[0] == found[1]
    assert len(found[0]) >= 24
