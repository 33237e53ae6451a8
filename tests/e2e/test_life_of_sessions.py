"""Anything learners, tutors and fate can do, in any order: the promises hold after every step (P1 to P8, P10).

The machine is ``tests.support.life``; it runs as a program in namespaces of its own, where links lead to a site.
"""

import pytest

from tests.support.namespaces import run_in_namespaces


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_whatever_happens_in_whatever_order_the_promises_hold() -> None:
    done = run_in_namespaces("tests.support.life", untried="no life of sessions was tried")

    told = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, told[-8000:]
    assert told.startswith("MAYFLY_TEST_SEED="), "a failure could not be repeated"
