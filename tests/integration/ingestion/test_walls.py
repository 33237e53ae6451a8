"""What a program that took over a jail can still do: nothing but read on."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ingestion.limits import JailLimits
from processes import ipc
from tests.support.jails import running_jailer

NOBODY = 65_534
# As root a jail is built with root's rights, as anybody else with those of a user namespace.
USERS = [os.geteuid(), NOBODY] if os.geteuid() == 0 else [os.geteuid()]


@pytest.fixture(scope="module", params=USERS, ids=lambda uid: f"uid {uid}")
def report(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """The report of the hostile program."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        secret = folder / "secret"
        secret.write_text("another session's", "ascii")
        listener = ipc.listen(folder / "host.sock")
        os.chown(folder, request.param, request.param)
        for path in folder.iterdir():
            os.chown(path, request.param, request.param)
        ours, theirs = os.pipe()
        places = [str(theirs), str(secret), f"{folder}/host.sock", str(request.param)]
        command = [sys.executable, "-m", "tests.support.hostile_program", *places]
        process = subprocess.Popen(
            command,
            pass_fds=(theirs,),
            env={"MAYFLY_SECRET": "swordfish", "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        )
        os.close(theirs)
        with os.fdopen(ours, "rb") as pipe, listener:
            answer = json.loads(pipe.read())
        process.wait(20)
        yield {**answer, "process": process.pid}


def test_all_walls_hold_on_this_machine(report: dict[str, Any]) -> None:
    assert report["walls"] == ["files", "limits", "network", "processes", "user"]


def test_nothing_that_was_tried_from_inside_worked(report: dict[str, Any]) -> None:
    assert all(report["before"].values()), "not possible outside either, so its failure inside would prove nothing"
    assert all(report["needed"].values()), report["needed"]
    assert report["worked"] == []


def test_a_jail_inherits_no_descriptor_and_no_environment(report: dict[str, Any]) -> None:
    assert len(report["descriptors"]) == 4, "standard input, output, error, and the one that was kept"
    assert "MAYFLY_SECRET" not in report["environment"]
    assert report["user"] == NOBODY


def test_a_daemon_left_behind_dies_with_the_jail(report: dict[str, Any]) -> None:
    lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]

    assert any("pytest" in line for line in lines), "the list shows nothing"
    assert not any("tests.support.hostile_program" in line for line in lines)


def test_the_level_names_the_walls_that_hold() -> None:
    with running_jailer(jails=1, limits=JailLimits()) as jailer:
        assert jailer.client.level() == "files limits network processes user"
