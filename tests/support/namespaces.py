"""A program of the tests in network and mount namespaces of its own, where links can be made to lead somewhere."""

import subprocess
import sys

import pytest

from api.proving.world import hindrance
from scripts.check_floors import ROOT

_IN_NAMESPACES = ("unshare", "--net", "--mount")


def run_in_namespaces(
    module: str, *, untried: str, timeout_seconds: float | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a module there and return how it ended. Where there can be none, skip and say what was ``untried``."""
    reason = hindrance()
    if reason is not None:
        pytest.skip(f"no network and mount namespace here, so {untried}: {reason}")
    program = [*_IN_NAMESPACES, sys.executable, "-m", module]
    return subprocess.run(program, capture_output=True, check=False, timeout=timeout_seconds, cwd=ROOT)
