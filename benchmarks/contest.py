"""The services of one benchmark, running side by side; one that fails is named and takes no further part."""

import sys
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress

from benchmarks.results import Tally
from benchmarks.systems import available
from benchmarks.systems.system import System


class Contest:
    """Systems in the order in which they take turns. What went wrong with one is printed; its kind goes to the page."""

    def __init__(self, tally: Tally) -> None:
        self._systems, missing = available()
        self._tally = tally
        tally.missing += missing
        tally.versions |= {system.name: system.versions() for system in self._systems}

    def __iter__(self) -> Iterator[System]:
        """Yield every system that still takes part."""
        yield from tuple(self._systems)

    def in_turn(self, turn: int) -> Iterator[System]:
        """Yield the same, each round beginning with another one."""
        first = turn % max(1, len(self._systems))
        yield from self._systems[first:] + self._systems[:first]

    @contextmanager
    def trying(self, system: System, what: str) -> Generator[None]:
        """Run the block; when it fails, stop the system and leave it out from then on."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  # Whatever a peer does wrong, the others go on.
            traceback.print_exc(file=sys.stderr)
            self._tally.missing.append(f"{system.name}, {what} and all after it: {type(error).__name__}")
            self._systems.remove(system)
            self._stop(system)

    def start(self) -> None:
        """Start every system and leave it running."""
        for system in self:
            with self.trying(system, "to start"):
                system.start()

    def stop(self) -> None:
        """Stop all that still run."""
        while self._systems:
            self._stop(self._systems.pop())

    def _stop(self, system: System) -> None:
        with suppress(Exception):
            system.stop()
