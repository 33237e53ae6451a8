"""Nothing leaves by a side door: no connection, argument, variable, log or error reporter (O06 to O08, O10, O11)."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from scripts.check_floors import ROOT
from tests.support.cut_off import REPORTERS

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What a visit showed in a network namespace of its own. Where none can be made, that fails: nothing was proven."""
    into = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    done = subprocess.run(
        [*into, sys.executable, "-m", "tests.support.cut_off"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=840,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_whole_visit_wants_nothing_from_any_network(told: dict[str, Any]) -> None:
    assert (told["states"], told["found"]) == (["ready", "ready"], True), "nothing was done, so nothing was needed"
    assert told["control"] >= 3, "the counters do not see what wants to get out"
    assert told["attempts"] == 0


def test_error_reporters_and_tracing_that_are_configured_reach_no_process_that_serves(told: dict[str, Any]) -> None:
    assert told["processes"] >= 5
    assert told["reporters_shown"] == []
    assert REPORTERS, "they were set for the launcher"


def test_no_process_shows_a_name_a_password_or_a_token(told: dict[str, Any]) -> None:
    assert told["secrets_shown"] == 0


def test_each_event_is_one_line_of_json_though_a_parser_had_much_to_complain_of(told: dict[str, Any]) -> None:
    assert told["events"] > 10, "each line was read as an object; another would have failed the visit"
    assert told["in_log"] == 0
