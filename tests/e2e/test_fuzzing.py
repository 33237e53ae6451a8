"""Every documented route, fuzzed from its own description against the live service: nothing undocumented comes back."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import serving

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_live_service_answers_as_its_description_says() -> None:
    # One learner asks nearly everything: no quota may answer in place of the route.
    with serving(MAYFLY_UPLOADS_FILES="1000", MAYFLY_SESSIONS_CAPACITY="1000") as service:
        own = {
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.support.fuzzing_hooks",
            "MAYFLY_FUZZED_URL": service.url,
            "MAYFLY_FUZZED_HOOK_SECRET": service.hook_secret,
        }
        description = ROOT / "docs" / "openapi.json"
        settings = ROOT / "tests" / "support" / "schemathesis.toml"
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run", str(description)]
        options = ["--url", service.url, "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "15"]
        quiet = [
            "--no-shrink",
            "--seed",
            "20261121",
            "--continue-on-failure",
            "--request-timeout",
            "60",
            "--warnings",
            "off",
            "--suppress-health-check",
            "all",
        ]

        run = subprocess.run(
            [*command, *options, *quiet],
            cwd=service.folder,
            env=os.environ | own,
            capture_output=True,
            text=True,
            check=False,
        )

        assert "60 passed" in run.stdout, f"not every route was tried:\n{run.stdout[-4000:]}{run.stderr[-2000:]}"
        assert run.returncode == 0, run.stdout[run.stdout.find("FAILURES") :][:6000]
