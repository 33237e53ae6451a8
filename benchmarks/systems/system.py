"""What a service must do to be measured, and the process tree that its memory is counted over."""

import contextlib
import http.client
import json
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import psutil

from tests.support.library import Upload

CHARACTERS = 900  # About what our chunks of 224 tokens hold in English; the peers cut by characters.
RESULTS = 8
_START_SECONDS = 300.0
_SAMPLE_SECONDS = 0.5
REQUEST_SECONDS = 300.0  # What takes longer fails, so that a peer that hangs costs no more than this.


class Shelf(Protocol):
    """One learner's documents in one service."""

    def upload(self, files: Sequence[Upload]) -> int:
        """Send files; return, once all of them can be searched, how many chunks they were cut into (0: not told)."""
        ...

    def caller(self) -> "Asker":
        """Return what one client asks with, over a connection of its own."""
        ...

    def purge(self) -> None:
        """Have everything deleted; return when the service says that it is."""
        ...


class Asker(Protocol):
    """One client with a connection that stays open."""

    def ask(self, question: str, *, results: int = RESULTS) -> list[str]:
        """Ask, and return the texts of the passages that came, best first."""
        ...


class System(Protocol):
    """A service that can be started and stopped. ``name`` is what tables call it."""

    name: str

    def start(self) -> None:
        """Start it; return when its health check answers that it is ready."""
        ...

    def stop(self) -> None:
        """Stop it and remove its files."""
        ...

    def shelf(self) -> Shelf:
        """Return an empty shelf that no other client uses."""
        ...

    def roots(self) -> list[psutil.Process]:
        """Return the processes whose trees are the service."""
        ...

    def installed_bytes(self) -> int | None:
        """Return what its environment and its model take on disk, or ``None`` when that was not installed."""
        ...

    def versions(self) -> dict[str, str]:
        """Return which versions of what it is made of ran."""
        ...


class Caller:
    """JSON over one connection that stays open; as little work as possible on the side that measures."""

    def __init__(self, url: str, *, token: str | None = None) -> None:
        place = urllib.parse.urlsplit(url)
        assert place.hostname is not None
        self._connection = http.client.HTTPConnection(place.hostname, place.port, timeout=REQUEST_SECONDS)
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request and return its JSON. Raises ``RuntimeError`` on a refusal."""
        self._connection.request(method, path, json.dumps(body) if body is not None else None, self._headers)
        reply = self._connection.getresponse()
        content = reply.read()
        if reply.status >= 300:
            raise RuntimeError(f"{method} {path}: {reply.status} {content[:200]!r}")
        return json.loads(content) if content else None


class Program:
    """A peer's server: started, awaited, stopped with its process group; its files lie in a fresh folder."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], *, health: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mayfly-peer-"))
        self._health = health
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                arguments, env=dict(environment), stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )

    def wait_until_ready(self) -> None:
        """Return once the health check answers 200. Raises ``RuntimeError`` when the program ended or time is up."""
        deadline = time.monotonic() + _START_SECONDS
        place = urllib.parse.urlsplit(self._health)
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError, RuntimeError):
                Caller(f"http://{place.netloc}").call("GET", place.path)
                return
            time.sleep(0.05)
        raise RuntimeError((self.folder / "log").read_text(encoding="utf-8", errors="replace")[-2000:])

    def stop(self) -> None:
        """Stop the program and remove its files."""
        tree = list(_tree([psutil.Process(self.process.pid)])) if self.process.poll() is None else []
        for process in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        psutil.wait_procs(tree, timeout=30)
        self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


class MemoryWatch:
    """Samples what a service's processes hold; shared pages count once. ``peak_bytes`` is the most seen."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak_bytes = 0

    def _watch(self) -> None:
        while not self._over.wait(_SAMPLE_SECONDS):
            self.peak_bytes = max(self.peak_bytes, resident_bytes(self._system))

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.peak_bytes = max(self.peak_bytes, resident_bytes(self._system))


def resident_bytes(system: System) -> int:
    """Return the proportional share of memory of all processes of a service; resident size where that is hidden."""
    return sum(_memory(process) for process in _tree(system.roots()))


def _tree(roots: Sequence[psutil.Process]) -> Iterator[psutil.Process]:
    for root in roots:
        with contextlib.suppress(psutil.NoSuchProcess):
            yield root
            yield from root.children(recursive=True)


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0
    except psutil.AccessDenied:
        return int(process.memory_info().rss)


def folder_bytes(folder: Path) -> int:
    """Return what the files of a folder take, links not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
