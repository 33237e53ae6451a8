"""How long from starting the service to its first answer, and what each process then takes in memory.

    python -m benchmarks.start

The model has been prepared, as ``make run`` does; data and runtime folders are new each time.
"""

import json
import statistics
import sys
import time
from typing import Any

from benchmarks.machine import describe
from tests.support import inspection
from tests.support.service import Service, prepared

ROUNDS = 5
_MEGABYTE = 1_000_000


def run(*, rounds: int = ROUNDS) -> dict[str, Any]:
    """Start and stop a service several times and return seconds and megabytes."""
    ready: list[float] = []
    stopped: list[float] = []
    memory: dict[str, int] = {}
    for _ in range(rounds):
        with prepared() as service:
            began = time.perf_counter()
            service.start()
            ready.append(round(time.perf_counter() - began, 2))
            memory = {role: _resident(service, role) for role in ("front", "host", "embedder", "jailer")}
            began = time.perf_counter()
            service.stop()
            stopped.append(round(time.perf_counter() - began, 2))
    return {
        "machine": describe(),
        "seconds_to_ready": {"median": statistics.median(ready), "all": ready},
        "seconds_to_stop": {"median": statistics.median(stopped), "all": stopped},
        "resident_mb": memory,
    }


def _resident(service: Service, role: str) -> int:
    return inspection.process(service, role).memory_info().rss // _MEGABYTE


if __name__ == "__main__":
    json.dump(run(), sys.stdout, indent=1)
