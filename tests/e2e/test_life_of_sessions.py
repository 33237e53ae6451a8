"""Anything learners, tutors and fate can do, in any order: the promises hold after every step (P1 to P8, P10).

The machine is ``tests.support.life``; it runs as a program in namespaces of its own, where links lead to a site.
"""

import subprocess
import sys
from pathlib import Path

import pytest

_IN_NAMESPACES = ("unshare", "--net", "--mount")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_whatever_happens_in_whatever_order_the_promises_hold() -> None:
    probe = ("sh", "-c", "ip link set lo up && mount --bind /etc/hosts /etc/hosts")
    try:
        tried = subprocess.run([*_IN_NAMESPACES, *probe], capture_output=True, check=False, timeout=30)
    except FileNotFoundError:
        pytest.skip("unshare is not installed: no life of sessions was tried")
    if tried.returncode != 0:
        reason = tried.stderr.decode(errors="replace").strip()
        pytest.skip(f"no network and mount namespace here, so no life of sessions was tried: {reason}")
    program = [*_IN_NAMESPACES, sys.executable, "-m", "tests.support.life"]

    done = subprocess.run(program, capture_output=True, check=False, cwd=Path(__file__).parents[2])

    told = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, told[-8000:]
    assert told.startswith("MAYFLY_TEST_SEED="), "a failure could not be repeated"
