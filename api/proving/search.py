"""One look at every place, each with its own control: what was planted there must be found in every form."""

import contextlib
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from api.proving.deployment import Deployment
from api.proving.markers import CONTROL
from api.proving.places import Place
from proof.needles import Needle, new_marker, of_key, of_text, of_vector
from proof.scan import Hits, Scanner

_HOLDER = "import sys; kept = sys.stdin.buffer.read(int(sys.argv[1])); print(flush=True); sys.stdin.buffer.read()"


@dataclass(slots=True)
class Look:
    """What one search of one place saw. ``unproven`` says why it proves nothing."""

    hits: Hits = field(default_factory=Counter)
    forms_seen: int = 0
    read_bytes: int = 0
    seconds: float = 0.0
    unproven: str | None = None


class Control:
    """What is planted and must be found: a marker, a vector and a key in every form, all made up."""

    def __init__(self) -> None:
        vector = np.random.default_rng().standard_normal(384).astype(np.float32)
        self.needles: tuple[Needle, ...] = (
            *of_text(CONTROL, new_marker()),
            *of_vector(CONTROL, vector / np.linalg.norm(vector)),
            *of_key(CONTROL, secrets.token_bytes(32)),
        )
        self.data = b"\n".join(needle.data for needle in self.needles)
        self.forms = len({needle.form for needle in self.needles})


class Search:
    """Looks through a deployment for the needles, with the control among them."""

    def __init__(self, deployment: Deployment, needles: Sequence[Needle], *, since: float) -> None:
        self._deployment = deployment
        self._since = since
        self.control = Control()
        self._scanner = Scanner([*needles, *self.control.needles])

    def place(self, place: Place) -> Look:
        """Search the files of a place, with the control planted in its first folder."""
        if place.unproven is not None:
            return Look(unproven=place.unproven)
        if not place.folders:
            return Look(unproven="none of its folders exists")

        def look() -> tuple[Hits, Hits]:
            with self._planted(place.folders[0]) as planted:
                since = self._since if place.only_changed else 0.0
                found = self._scanner.in_files(place.folders, since=since, deep=place.deep)
                control = found.pop(str(planted), Counter())
                return control, sum(found.values(), Counter())

        return self._looked(look)

    def open_files(self) -> Look:
        """Search what the service's processes hold open; the control is a deleted file that this process holds."""

        def look() -> tuple[Hits, Hits]:
            with tempfile.TemporaryFile(dir=self._deployment.settings.runtime_dir) as file:
                file.write(self.control.data)
                file.flush()
                own = self._scanner.in_open_files([psutil.Process()])
            found = self._scanner.in_open_files(self._deployment.processes().values())
            return sum(own.values(), Counter()), sum(found.values(), Counter())

        return self._looked(look)

    def memory(self, process: psutil.Process) -> Look:
        """Search a process's memory. Two controls: its own arguments, and a process that was made to hold all forms."""

        def look() -> tuple[Hits, Hits]:
            arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            own = Scanner([Needle("arguments", "bytes", arguments)]).sees(process)
            control: Hits = self._control_in_memory() if own else Counter()
            return control, self._scanner.in_memory(process)

        return self._looked(look)

    def _control_in_memory(self) -> Hits:
        with subprocess.Popen(
            [sys.executable, "-c", _HOLDER, str(len(self.control.data))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as holder:
            if holder.stdin is None or holder.stdout is None:
                raise BrokenPipeError
            holder.stdin.write(self.control.data)
            holder.stdin.flush()
            holder.stdout.readline()
            return self._scanner.in_memory(psutil.Process(holder.pid))

    def _looked(self, look: Callable[[], tuple[Hits, Hits]]) -> Look:
        began, read = time.monotonic(), self._scanner.read_bytes
        try:
            control, hits = look()
        except psutil.NoSuchProcess:
            return Look(unproven="the process ended meanwhile")
        except OSError as error:
            return Look(unproven=f"it cannot be read: {error.strerror}")
        seen = len({form for kind, form in control if kind == CONTROL})
        outcome = Look(
            Counter({key: count for key, count in hits.items() if key[0] != CONTROL}),
            seen,
            self._scanner.read_bytes - read,
            time.monotonic() - began,
        )
        if seen < self.control.forms:
            outcome.unproven = "the control was not found in every form"
        return outcome

    @contextlib.contextmanager
    def _planted(self, folder: Path) -> Generator[Path]:
        file = folder / f".mayfly-prove-{secrets.token_hex(8)}"
        try:
            file.write_bytes(self.control.data)
            yield file
        finally:
            file.unlink(missing_ok=True)
