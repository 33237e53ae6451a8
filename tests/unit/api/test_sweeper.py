from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api import sweeper
from api.metrics import Metrics
from api.resources import Progress, Resources
from api.sweeper import Sweeper
from sessions.sweep import Swept

CLEAN = Swept((), (), 0, 0)
LEFT_BEHIND = Swept((), ("a session",), 0, 0)


def test_the_doors_open_only_after_a_sweep_that_left_nothing_behind(monkeypatch: pytest.MonkeyPatch):
    sweeps: Iterator[Swept] = iter([LEFT_BEHIND, CLEAN, LEFT_BEHIND])
    monkeypatch.setattr(sweeper, "sweep", lambda _: next(sweeps))  # pyright: ignore[reportUnknownLambdaType]  # Not used.
    progress = Progress()
    parts: Any = SimpleNamespace(
        host=SimpleNamespace(hello=lambda: None),
        leases=SimpleNamespace(forget_ended=lambda: None),
        throttle=SimpleNamespace(forget_idle=lambda: None),
        purge_parts=None,
        metrics=Metrics(),
    )
    sweeping = Sweeper(cast("Resources", parts), progress)

    assert not sweeping._sweep(), "it is tried again at once"
    assert not progress.is_open

    assert sweeping._sweep()
    assert progress.is_open

    assert sweeping._sweep(), "what is left behind later does not close them, nor hurries"
    assert progress.is_open
