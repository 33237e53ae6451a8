"""No file with content comes into being outside the quarantine and a jail's own memory (J09), watched by the kernel."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from api.client import Client, LearnerSession
from fuzz import seeds
from ingestion import root
from ingestion.identify import identify
from models.errors import MayflyError
from tests.conftest import new_learner, serving
from tests.support import inspection, library
from tests.support.service import Service, eventually

pytestmark = pytest.mark.slow

CALLS = "trace=" + ",".join((
    *("open", "openat", "openat2", "creat", "memfd_create", "mkdir", "mkdirat", "mknod", "mknodat"),
    *("link", "linkat", "symlink", "symlinkat", "rename", "renameat", "renameat2"),
))  # fmt: skip
TOOK_PLACE = re.compile(r"^\d+ +(?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>\d+)")
OPEN_FOLDER = re.compile(r"(?:\d+|AT_FDCWD)<([^>]+)>, \"")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
MAKING = re.compile(r"O_CREAT|O_TMPFILE|O_WRONLY|O_RDWR")
# The scratch files that a database engine makes beside its own file hold what the record holds.
WITHOUT_CONTENT = ("/dev/null", "/dev/urandom", "/proc/")


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    # Whoever is watched is slow, and the machine may stall.
    patient = {"MAYFLY_INGEST_DOCUMENT_SECONDS": "240", "MAYFLY_INGEST_OCR_PAGE_SECONDS": "120"}
    with serving(**patient) as service:
        yield service


@contextmanager
def watched(service: Service, log: Path) -> Generator[None]:
    """Note every file that any process of the service makes or opens for writing, and those of what it starts."""
    pids = [f"--attach={process.pid}" for process in inspection.processes(service)]
    tracer = subprocess.Popen(
        ["strace", "--follow-forks", "--decode-fds=path", "-s", "4096", "-e", CALLS, "-o", str(log), *pids],
        stderr=subprocess.PIPE,
    )
    try:
        assert tracer.stderr is not None
        for _ in pids:
            assert b"attached" in tracer.stderr.readline()
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=60)


def made_in(log: Path) -> set[str]:
    """Return the absolute paths that were made or opened for writing, from the makers' point of view."""
    return {path for line in log.read_text(errors="replace").splitlines() for path in _made_by(line)}


def _made_by(line: str) -> Iterator[str]:
    if not (match := TOOK_PLACE.match(line)):
        return
    call, arguments = match["call"], match["arguments"]
    if call.startswith("open") and not MAKING.search(arguments):
        return
    if paths := QUOTED.findall(arguments):
        # A path may be given from a folder that is open, which strace names: openat(7</run/folder>, "name", …).
        folders = OPEN_FOLDER.findall(arguments)
        folder = Path(folders[-1]) if folders else Path.cwd()
        yield f"memory:{paths[-1]}" if call == "memfd_create" else os.path.normpath(folder / paths[-1])


def elsewhere(service: Service, paths: set[str]) -> set[str]:
    """Return the paths that are neither in the quarantine, nor a jail's own memory, nor the record."""
    right = (
        f"{service.runtime_dir}/",
        f"{service.data_dir}/",
        f"{root.PRIVATE_FOLDER}/",
        f"{root._stage()}/",
        *WITHOUT_CONTENT,
    )
    return {path for path in paths if not path.startswith(right)}


def one_of_each() -> Iterator[tuple[str, bytes]]:
    """Yield a document of every type that is read, pages of pixels among them."""
    for name, files in seeds.documents().items():
        for data in files[-1:]:
            try:
                identify(data, name, None)
            except MayflyError:
                continue
            yield name, data
    scan, photo = library.scanned_pdf(library.ENGLISH[:1]), library.photo(library.ENGLISH[0])
    yield from ((each.name, each.data) for each in (scan, photo))


def on_the_stage() -> list[Path]:
    """Return what lies in the folder that a jail's root is built over; nothing of a jail may."""
    return sorted(Path(root._stage()).iterdir())


def pids_in(log: Path) -> set[int]:
    """Return the processes and threads that were watched."""
    return {int(line.split(maxsplit=1)[0]) for line in log.read_text(errors="replace").splitlines()}


def upload(learner: LearnerSession, name: str, data: bytes) -> str:
    (document,) = learner.upload((name, data, "application/octet-stream"))
    return document.document_id


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: nobody watches the files")
def test_no_file_is_made_outside_the_quarantine_the_record_and_a_jail_s_memory(
    service: Service, tmp_path: Path
) -> None:
    log, before = tmp_path / "log", on_the_stage()
    with Client(service.url) as client, new_learner(client) as learner, watched(service, log):
        known = {thread.id for process in inspection.processes(service) for thread in process.threads()}
        ended = dict[str, str]()
        for name, data in one_of_each():
            document = learner.wait(upload(learner, name, data))
            ended[name] = document.error or document.status
            learner.delete(document.document_id)

    made = made_in(log)

    assert {"ready"} <= set(ended.values()) <= {"ready", "empty_document"}, ended
    assert [path for path in made if path.startswith(f"{service.runtime_dir}/")], "the quarantine was never written to"
    assert len(pids_in(log) - known) > len(ended), "the jails were not watched"
    assert elsewhere(service, made) == set()
    assert on_the_stage() == before


def sealed(service: Service) -> list[Path]:
    """Return the files below the runtime directory that hold anything."""
    found = list[Path]()
    for path in service.runtime_dir.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and path.stat().st_size:
                found.append(path)
    return found


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: nobody watches the files")
def test_a_jail_that_is_killed_in_the_middle_leaves_no_file(service: Service, tmp_path: Path) -> None:
    log, before = tmp_path / "log", on_the_stage()
    with Client(service.url) as client, new_learner(client) as learner, watched(service, log):
        document_id = upload(learner, "scan.pdf", library.scanned_pdf(library.ENGLISH[:6]).data)
        assert eventually(lambda: "recognising" in learner.document(document_id).timings, seconds=60)
        (jail,) = inspection.jails(service)
        inside = jail.children(recursive=True)

        jail.kill()

        assert learner.wait(document_id).error == "parser_failed"
        _, alive = psutil.wait_procs(inside, timeout=60)
        assert inside, "nothing was at work in the jail"
        assert alive == []
        learner.delete(document_id)
        # What still lies there for a moment is the session's own tracer, which goes its way after the document.
        assert eventually(lambda: not sealed(service), seconds=60)

    assert elsewhere(service, made_in(log)) == set()
    assert on_the_stage() == before
