"""A program of the tests in network and mount namespaces of its own, where links can be made to lead somewhere."""

import subprocess
import sys

import pytest

from scripts.check_floors import ROOT

_IN_NAMESPACES = ("unshare", "--net", "--mount")
_PROBE = ("sh", "-c", "ip link set lo up && mount --bind /etc/hosts /etc/hosts")


def run_in_namespaces(
    module: str, *, untried: str, timeout_seconds: float | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a module there and return how it ended. Where there can be none, skip and say what was ``untried``."""
    try:
        tried = subprocess.run([*_IN_NAMESPACES, *_PROBE], capture_output=True, check=False, timeout=60)
    except FileNotFoundError:
        pytest.skip(f"unshare is not installed: {untried}")
    if tried.returncode != 0:
        reason = tried.stderr.decode(errors="replace").strip()
        pytest.skip(f"no network and mount namespace here, so {untried}: {reason}")
    program = [*_IN_NAMESPACES, sys.executable, "-m", module]
    return subprocess.run(program, capture_output=True, check=False, timeout=timeout_seconds, cwd=ROOT)
