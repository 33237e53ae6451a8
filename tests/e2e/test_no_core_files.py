"""A process that crashes while it holds content writes no core file (R12), whatever the limits it was started under."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from api.client import Client
from tests.conftest import new_learner
from tests.support import inspection
from tests.support.deployed import deployment
from tests.support.service import Service, eventually, prepared

CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")


def allow_core_files() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service whose launcher was allowed to write core files of any size."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    with prepared() as service:
        try:
            allow_core_files()
            service.start_only()
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, before)
        service.wait_until_ready()
        yield service


def core_files(*folders: str) -> set[str]:
    """Return what looks like a core file where the kernel's pattern puts one, if that is a file's name."""
    pattern = CORE_PATTERN.read_text(encoding="utf-8").strip().split("%")[0]
    places = [Path(pattern).parent] if pattern.startswith("/") else [Path(folder) for folder in folders]
    name = Path(pattern).name
    return {str(file) for place in places for file in place.glob(f"{name}*") if file.is_file()}


def crash(process: psutil.Process, number: signal.Signals) -> set[str]:
    """Crash a process and return the core files that came into being."""
    folder = process.cwd()
    before = core_files(folder)
    process.send_signal(number)
    assert eventually(lambda: is_dead(process), seconds=60)
    return core_files(folder) - before


def is_dead(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def session_process(service: Service) -> psutil.Process:
    with Client(service.url) as client:
        learner = new_learner(client)
        found = deployment(service).session_process(learner.session_id)
    assert found is not None
    return found


def part(role: str) -> Callable[[Service], psutil.Process]:
    return lambda service: inspection.process(service, role)


PARTS: dict[str, Callable[[Service], psutil.Process]] = {
    "session": session_process,
    "jailer": part("jailer"),
    "embedder": part("embedder"),
    "front": part("front"),
    "host": part("host"),
}


def test_a_crash_without_hardening_does_leave_a_core_file_where_it_is_looked_for(tmp_path: Path) -> None:
    """The positive control. Where core files go to a program, the kernel's word is all there is."""
    crashed = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], cwd=tmp_path)
    resource.prlimit(crashed.pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    found = crash(psutil.Process(crashed.pid), signal.SIGABRT)
    _, status = os.waitpid(crashed.pid, 0)
    crashed.returncode = os.waitstatus_to_exitcode(status)

    assert os.WCOREDUMP(status)
    assert len(found) == 1 or CORE_PATTERN.read_text(encoding="utf-8").startswith("|")
    for file in found:
        Path(file).unlink()


CRASHES = [("session", signal.SIGABRT), *((role, signal.SIGSEGV) for role in PARTS)]


@pytest.mark.parametrize(("role", "number"), CRASHES)
def test_a_crash_of_a_part_leaves_no_core_file(service: Service, role: str, number: signal.Signals) -> None:
    service.wait_until_ready()

    assert crash(PARTS[role](service), number) == set()


def test_a_crash_of_the_launcher_leaves_no_core_file(service: Service) -> None:
    service.wait_until_ready()
    assert service.process is not None
    launcher = psutil.Process(service.process.pid)
    parts = launcher.children(recursive=True)

    assert crash(launcher, signal.SIGSEGV) == set()
    assert service.process.wait() == -signal.SIGSEGV
    assert psutil.wait_procs(parts, timeout=60)[1] == []
