"""Nothing of a session is in the raw blocks of the disks that the service and its database write to.

Where images cannot be mounted (no root, no loop devices) the same folders are searched file by file instead, with a
warning in pytest's summary: deleted files are not seen then.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.proving.markers import Markers
from api.proving.visit import WAYS, Visit
from proof.needles import Needle, new_marker
from proof.scan import Scanner
from tests.support import mariadb
from tests.support.deployed import deployment
from tests.support.embedders import packaged
from tests.support.images import NO_IMAGE, Image, bench
from tests.support.service import FOR_TESTS, MEMORY, Service, free_port

DISK_MIB = 320


@dataclass
class ServiceOnDisk(Service):
    """A service whose every folder but the runtime directory lies on a disk."""

    memory: Path = MEMORY

    @property
    def runtime_dir(self) -> Path:
        return self.memory


@contextlib.contextmanager
def service_on(folder: Path, database_url: str) -> Generator[Service]:
    """Run a service that keeps its record, log, home and temporary files below the folder."""
    runtime = Path(tempfile.mkdtemp(prefix="mayfly-test-", dir=MEMORY))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAYFLY_")} | FOR_TESTS
    port = free_port()
    environment |= {"MAYFLY_PORT": str(port), "MAYFLY_DATABASE_URL": database_url, "MAYFLY_LOG_LEVEL": "debug"}
    environment |= {"MAYFLY_DATA_DIR": str(folder / "data"), "MAYFLY_RUNTIME_DIR": str(runtime)}
    environment |= {"HOME": str(folder), "TMPDIR": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    service = ServiceOnDisk(folder, port, environment, memory=runtime)
    try:
        service.start()
        yield service
    finally:
        if service.is_running:
            service.kill()
        shutil.rmtree(runtime, ignore_errors=True)


def write_back(folder: Path) -> None:
    """Have the kernel write what it holds of one file system, and no other, to its blocks."""
    subprocess.run(["sync", "--file-system", str(folder)], check=True, timeout=120)


def plant_and_delete(folder: Path, word: str) -> None:
    """Do what the service must not do: write a word to a file, by that name, and delete it."""
    file = folder / f"{word}.txt"
    with file.open("w", encoding="utf-8") as planted:
        planted.write(f"{word}\n" * 1000)
        planted.flush()
        os.fsync(planted.fileno())
    write_back(folder)  # The name too is on the disk now.
    file.unlink()


def go_through_sessions(service: Service, disks: Sequence[Path]) -> Sequence[Visit]:
    """Fill three sessions, force all to disk while their uploads still drip in, and end each in another way."""
    visits = [Visit(deployment(service), Markers(way), way) for way in WAYS]
    for visit in visits:
        visit.fill(links_allowed=False)
        visit.markers.learn_vector(packaged())
        assert visit.learn_key() is not None, "a key that is not known cannot be looked for"
    for folder in disks:
        write_back(folder)
    for visit in visits:
        visit.end()
        visit.close()
    return visits


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings(f"default:{NO_IMAGE}")
def test_no_block_of_the_service_s_disk_or_its_database_s_disk_ever_held_a_session(tmp_path: Path) -> None:
    word = new_marker()
    with contextlib.ExitStack() as benches:
        own, other = (benches.enter_context(bench(tmp_path / name, mib=DISK_MIB)) for name in ("service", "database"))
        with mariadb.running(other.folder) as server, service_on(own.folder, server.new_database()) as service:
            plant_and_delete(own.folder, word)
            plant_and_delete(other.folder, word)
            visits = go_through_sessions(service, [own.folder, other.folder])
            service.kill()  # As a power cut would: nothing is tidied up.
        write_back(own.folder)
        write_back(other.folder)
        needles = [needle for visit in visits for needle in visit.markers.needles()]
        ids = [Needle("session id", "utf-8", visit.session.session_id.encode()) for visit in visits]
        scanner = Scanner([*needles, *ids, Needle("planted", "utf-8", word.encode())])

        hits = {name: each.search(scanner) for name, each in (("service", own), ("database", other))}
        is_raw = isinstance(own, Image)

    for name, found in hits.items():
        assert found["planted", "utf-8"] >= 1000 or not is_raw, f"deleted files of {name} were not seen"
        assert found["session id", "utf-8"] > 0, f"{name} does not even hold the ids that it must hold"
        kinds = {kind for kind, _ in found}
        assert kinds <= {"planted", "session id"}, f"{name} holds {kinds}"
