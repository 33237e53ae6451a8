"""A wall clock for the processes of a service, which a test sets forward and back while they run."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

_SOURCE = Path(__file__).with_name("wall.c")
TEN_YEARS_SECONDS = 10 * 365 * 86_400
DAY_SECONDS = 86_400


class WallClock:
    """How far the wall clock of those processes is ahead of the true one; the clocks that only go on are theirs."""

    def __init__(self, folder: Path) -> None:
        self._offset, self._library = folder / "offset", folder / "wall.so"
        self._offset.write_bytes(bytes(8))
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", str(self._library), str(_SOURCE)], check=True)

    @property
    def environment(self) -> Mapping[str, str]:
        """What puts a process under this clock."""
        return {"LD_PRELOAD": str(self._library), "WALL_CLOCK": str(self._offset)}

    def set(self, ahead_seconds: int) -> None:
        """Set the clock: every process sees it at once."""
        with self._offset.open("r+b") as offset:
            offset.write(ahead_seconds.to_bytes(8, "little", signed=True))
