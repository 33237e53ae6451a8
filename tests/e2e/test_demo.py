"""The first look works as the README shows it, and leaves nothing behind."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support import library
from tests.support.service import Service, eventually

MEMORY = Path("/dev/shm")  # noqa: S108


def demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api.cli", "demo", *arguments],
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "160"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.fixture
def book(tmp_path: Path) -> Path:
    upload = library.pdf(library.ENGLISH)
    file = tmp_path / upload.name
    file.write_bytes(upload.data)
    return file


def assert_nothing_stays(before: set[str]) -> None:
    """Prove that what came since is gone. Some of it may be a demonstration of another test's, which ends by itself."""
    came = throw_away_traces() - before
    assert eventually(lambda: not came & throw_away_traces(), seconds=800), came


def throw_away_traces() -> set[str]:
    folders = {str(path) for path in MEMORY.glob("mayfly-demo-*")}
    services = {
        str(process.pid)
        for process in psutil.process_iter(["environ"])
        if "mayfly-demo-" in (process.info["environ"] or {}).get("MAYFLY_RUNTIME_DIR", "")
    }
    return folders | services


@pytest.mark.timeout(1200)
def test_the_demonstration_finds_the_page_and_leaves_no_service_behind(book: Path) -> None:
    before = throw_away_traces()

    shown = demo(str(book), "--ask", library.ENGLISH_QUESTION, "--json")

    assert shown.returncode == 0, shown.stderr
    story = json.loads(shown.stdout)
    best = story["answers"][0]["answer"]["passages"][0]
    assert (best["page"], library.ENGLISH_ANSWER in best["text"]) == (library.ENGLISH_PAGE, True)
    assert story["receipt_is_valid"] is True
    assert story["receipt"]["statement"]["documents_purged"] == 1
    assert_nothing_stays(before)


def test_the_demonstration_shows_pages_relevance_and_the_receipt(book: Path, service: Service) -> None:
    shown = demo(str(book), "--ask", library.ENGLISH_QUESTION, "--url", service.url)

    assert shown.returncode == 0, shown.stderr
    assert f"book.pdf, page {library.ENGLISH_PAGE}" in shown.stdout
    assert "its signature is valid" in shown.stdout
    assert '"signature"' in shown.stdout


def test_a_receipt_of_a_running_service_can_be_checked_from_outside(
    book: Path, service: Service, tmp_path: Path
) -> None:
    shown = demo(str(book), "--ask", "What?", "--url", service.url, "--json")
    receipt = tmp_path / "receipt.json"
    receipt.write_text(json.dumps(json.loads(shown.stdout)["receipt"]))

    checked = subprocess.run(
        [sys.executable, "-m", "api.cli", "verify-receipt", str(receipt), "--key", f"{service.url}/v1/receipts/key"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0
    valid, place, *more = checked.stdout.splitlines()
    assert valid == "The receipt is valid."
    assert re.fullmatch(r"The end of its session is entry \d+ of \d+ in mayfly-log/[0-9a-f]{32}\.", place)
    (searched,) = more
    assert re.match("The tracer was found so often: [a-z]+ 0, ", searched)


def test_a_document_that_cannot_be_read_has_its_own_exit_code(tmp_path: Path, service: Service) -> None:
    file = tmp_path / "empty.txt"
    file.write_text(" \n")

    shown = demo(str(file), "--ask", "What?", "--url", service.url)

    assert shown.returncode == 5, shown.stderr
    assert "empty_document" in shown.stdout


@pytest.mark.timeout(1200)
def test_a_service_that_cannot_start_is_told_with_its_log_and_leaves_nothing(book: Path) -> None:
    before = throw_away_traces()

    shown = demo(str(book), "--ask", "What?", MAYFLY_EMBEDDING_MODEL="no-such-model")

    assert shown.returncode == 3
    assert "could not be started" in shown.stderr
    assert_nothing_stays(before)
