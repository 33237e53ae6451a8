"""A running service seen from outside: its processes, its folders, and requests meant to provoke it."""

import contextlib
import re
import resource
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import psutil

from ingestion.quarantine import usage
from tests.support.service import Service

_OPENAPI = Path(__file__).parents[2] / "docs" / "openapi.json"
_MODULES = {
    "front": "api.front",
    "host": "sessions.host",
    "embedder": "vectorstore.server",
    "jailer": "ingestion.jailer",
}


def launcher(service: Service) -> psutil.Process:
    """Return the process that started all the others."""
    assert service.process is not None
    return psutil.Process(service.process.pid)


def processes(service: Service) -> list[psutil.Process]:
    """Return every process of the service, the launcher first; none when it is gone."""
    try:
        first = launcher(service)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def process(service: Service, role: str) -> psutil.Process:
    """Return the process of a role: front, host, embedder or jailer; wait for it where a dead one is replaced."""
    found: list[psutil.Process] = []

    def is_there() -> bool:
        found[:] = [child for child in launcher(service).children() if _MODULES[role] in shown(child)[0]]
        return len(found) == 1

    wait_until(service, is_there)
    return found[0]


def shown(process: psutil.Process) -> tuple[list[str], dict[str, str]]:
    """Return the arguments and the environment of a process; of one that ended since it was listed, nothing."""
    try:
        return process.cmdline(), process.environ()
    except psutil.NoSuchProcess:
        return [], {}


def kill(process: psutil.Process) -> None:
    """Kill a process and return when it is dead: the kernel does it in its time, and until then it may answer."""
    process.kill()
    process.wait(60)


def session_processes(service: Service) -> list[psutil.Process]:
    """Return the processes of all live sessions."""
    return process(service, "host").children()


def session_process(service: Service, session_id: str) -> psutil.Process | None:
    """Return the process that listens for one session; ``None`` when nobody does any more."""
    path = service.runtime_dir / "sessions" / f"{session_id}.sock"
    listening = [line.split() for line in Path("/proc/net/unix").read_text().splitlines() if line.endswith(f" {path}")]
    inodes = {f"socket:[{fields[6]}]" for fields in listening}
    for candidate in session_processes(service):
        with contextlib.suppress(OSError, psutil.Error):
            if inodes & {str(entry.readlink()) for entry in Path(f"/proc/{candidate.pid}/fd").iterdir()}:
                return candidate
    return None


@contextlib.contextmanager
def full_disk(process: psutil.Process) -> Generator[None]:
    """Let a process write no byte while the block runs; the kernel refuses it as a full disk would (EFBIG)."""
    before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):  # It may have ended meanwhile.
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, before)


def jails(service: Service) -> list[psutil.Process]:
    """Return the processes that parse a document right now."""
    return process(service, "jailer").children()


def crash(service: Service) -> None:
    """Kill the launcher as a power cut would, and return when everything it started is gone too."""
    doomed = processes(service)
    doomed[0].kill()
    assert service.process is not None
    service.process.wait()
    _, alive = psutil.wait_procs(doomed[1:], timeout=60)
    assert alive == [], "processes outlived the launcher"


def folders(service: Service) -> list[Path]:
    """Return every folder the service may write to: record, logs, sockets, quarantine, temporary files, home."""
    return [service.folder]


def quarantined(service: Service) -> int:
    """Return the number of sealed files of learners that wait."""
    return usage(service.runtime_dir / "quarantine")[0]


def is_ready(service: Service) -> bool:
    """Say whether the service would serve."""
    try:
        return httpx2.get(service.url + "/health/ready", trust_env=False, timeout=60).is_success
    except httpx2.TransportError:
        return False


def metrics(service: Service) -> str:
    """Return the metrics page."""
    return httpx2.get(f"{service.url}/metrics", trust_env=False, timeout=60).text


def openapi() -> dict[str, Any]:
    """Return the committed description of the interface."""
    return msgspec.json.decode(_OPENAPI.read_bytes())


def every_route() -> list[tuple[str, str]]:
    """Return method and path template of every documented route; those that end the session come last."""
    routes = [(name, path) for path, item in openapi()["paths"].items() for name in item]
    return sorted(routes, key=lambda route: route[0] == "delete")


def provoke(service: Service, route: tuple[str, str], marker: str, token: str, *, in_query: bool) -> httpx2.Response:
    """Call a route with the marker in its path, headers, cookies and body, and in the query (which is refused)."""
    method, path = route
    return httpx2.request(
        method.upper(),
        service.url + re.sub(r"\{[^}]+\}", marker, path),
        params={marker: marker} if in_query else None,
        headers={"Authorization": f"Bearer {token}", "X-Marker": marker, "Cookie": f"marker={marker}"},
        json={"text": [marker], "email": marker, "password": [marker], "ttl_seconds": marker, marker: marker},
        trust_env=False,
        timeout=60,
    )


def end_by_hook(service: Service, session_id: str) -> dict[str, Any]:
    """Call the session-end hook, as often as it takes while parts restart, and return the receipt's statement."""
    statements: list[dict[str, Any]] = []

    def answered() -> bool:
        headers = {"Authorization": f"Bearer {service.hook_secret}"}
        try:
            reply = httpx2.post(
                f"{service.url}/v1/sessions/{session_id}/end", headers=headers, trust_env=False, timeout=60
            )
        except httpx2.TransportError:
            return False
        if reply.is_success:
            statements.append(reply.json()["statement"])
        return reply.is_success

    wait_until(service, answered, seconds=60)
    return statements[0]


def wait_until(service: Service, condition: Callable[[], bool], *, seconds: float = 60) -> None:
    """Return as soon as the condition holds; raise ``TimeoutError`` with the end of the log when it never does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(service.log[-4000:])
        time.sleep(0.05)
