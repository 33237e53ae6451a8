"""Many short sessions that come and go before the search, some at once, by a few learners.

Owns what makes thousands of them cost no more to search than one: their words begin alike, so that the needles of one
session find what is left of any. What the service's processes hold is noted after every wave.
"""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import psutil

from api.client import Problem
from api.proving.deployment import Deployment
from api.proving.markers import Markers
from api.proving.sheet import MemoryUse
from api.proving.visit import WAYS, Account, Visit
from models.errors import SessionExpired
from proof.scan import Scanner
from vectorstore.embedder import Embedder

_HELD = ("body", "file name", "vector")
_ACCOUNTS = 8
_AT_ONCE = 6
_WAVE_SESSIONS = 100


class Crowd:
    """So many sessions, each with a note and a question, ended in turn in each of the ways.

    ``held`` counts what of the first one was found while it lived, ``seconds`` how long its steps took, by step.
    """

    def __init__(self, deployment: Deployment, embedder: Embedder | None) -> None:
        self._deployment = deployment
        self.markers = Markers("earlier sessions")
        if embedder is not None:
            self.markers.learn_vector(embedder)
        self.held = Counter[str]()
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self._accounts = list[Account]()
        self._waves = list[tuple[int, dict[str, int]]]()

    @property
    def sought(self) -> Sequence[str]:
        """The kinds that must be found while the first session lives; nothing when there was none."""
        return [self.markers.kind(kind) for kind in _HELD] if self.seconds else []

    def come_and_go(self, count: int, told: Callable[[int], None]) -> None:
        """Run the sessions, the first one alone, and return when all have ended; ``told`` gets how many did so far."""
        self._accounts = [Account(self._deployment) for _ in range(min(count, _ACCOUNTS))]
        if count:
            self._run_first()
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            for first in range(1, count, _WAVE_SESSIONS):
                numbers = range(first, min(first + _WAVE_SESSIONS, count))
                for visit in threads.map(self._run, numbers):
                    self._note(visit)
                self._waves.append((numbers.stop, self._memory()))
                told(numbers.stop)

    def growth(self) -> tuple[MemoryUse, ...]:
        """Return what each process held after the first wave, half way and after the last, of three at least."""
        if len(self._waves) < 3:
            return ()
        (early, before), (late, after) = self._waves[0], self._waves[-1]
        _, half_way = self._waves[len(self._waves) // 2]
        lasting = [name for name in after if name in before and name in half_way]
        return tuple(MemoryUse(name, late - early, before[name], half_way[name], after[name]) for name in lasting)

    def erase(self) -> None:
        """Erase the accounts."""
        for account in self._accounts:
            account.erase()

    def _run_first(self) -> None:
        """Look into one session while it lives: needles that never found anything prove nothing."""
        visit = self._visit(0)
        visit.read_note()
        process = self._deployment.session_process(visit.session.session_id)
        if process is not None:
            for (kind, _), count in Scanner(self.markers.needles()).in_memory(process).items():
                self.held[kind] += count
        visit.end()
        self._note(visit)

    def _run(self, number: int) -> Visit:
        visit = self._visit(number)
        try:
            visit.read_note()
            visit.end()
        except Problem as problem:
            if problem.code != SessionExpired.slug:
                raise
            visit.way = "expiry"  # On a busy machine a session may run out of time before its note is read.
            visit.end()
        return visit

    def _visit(self, number: int) -> Visit:
        way = WAYS[number % len(WAYS)]
        return Visit(
            self._deployment, self.markers.another(), way, account=self._accounts[number % len(self._accounts)]
        )

    def _note(self, visit: Visit) -> None:
        for step, seconds in visit.seconds.items():
            self.seconds[step] += seconds

    def _memory(self) -> dict[str, int]:
        """Return the bytes that each process holds in memory, shared ones too."""
        held = dict[str, int]()
        for name, process in self._deployment.processes().items():
            with contextlib.suppress(psutil.NoSuchProcess):
                held[name] = process.memory_info().rss
        return held
