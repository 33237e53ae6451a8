"""What a program that took over a jail can still do: nothing but read on. With namespaces and where they are forbidden.

The names J01 to J08 are those of the threat list; each attempt is in ``tests/support/hostile_program.py``.
"""

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from ctypes import CDLL
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from ingestion.jail import Cancelled, Job
from ingestion.limits import JailLimits
from ingestion.reaper import _PR_SET_CHILD_SUBREAPER, adopt_orphans, end_group
from ingestion.root import shown
from models.errors import PartUnavailable
from processes import ipc
from tests.support.hostile_program import HARMLESS
from tests.support.jails import Jailer, folded, manifest, running_jailer
from tests.support.without import LANDLOCK, NAMESPACES, SECCOMP, command

NOBODY = 65_534
# As root a jail is built with root's rights, as anybody else with those of a user namespace.
USERS = [os.geteuid(), NOBODY] if os.geteuid() == 0 else [os.geteuid()]
MACHINES = {"full": (), "reduced": (NAMESPACES,)}
WHERE = [(level, uid) for level in MACHINES for uid in USERS]
NAMES = ["files", "landlock", "limits", "network", "processes", "syscalls", "user"]


@dataclass(frozen=True, slots=True)
class Hostile:
    """The hostile program at work and what it has to say, once."""

    process: subprocess.Popen[bytes]
    folder: Path
    level: str
    uid: int

    def report(self, pipe: int) -> dict[str, Any]:
        with os.fdopen(pipe, "rb") as lines:
            return json.loads(lines.readline())


@contextmanager
def hostile(level: str, uid: int, deed: str) -> Generator[tuple[Hostile, int]]:
    """Run the hostile program beside what is another's; end it as the jailer would."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "secret").write_text("another session's", "ascii")
        (folder / "folder").mkdir()
        (folder / "folder/inside").write_text("another session's", "ascii")
        with ipc.listen(folder / "host.sock"), socket.socket(socket.AF_UNIX) as abstract:
            abstract.bind(f"\0{folder}")
            abstract.listen()
            for path in (folder, *folder.rglob("*")):
                os.chown(path, uid, uid)
            ours, theirs = os.pipe()
            arguments = ["-m", "tests.support.hostile_program", str(theirs), name, str(uid), deed]
            process = subprocess.Popen(
                command(MACHINES[level], arguments),
                stdin=subprocess.PIPE,
                pass_fds=(theirs,),
                env={"MAYFLY_SECRET": "swordfish", "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
            )
            os.close(theirs)
            try:
                yield Hostile(process, folder, level, uid), ours
            finally:
                assert process.stdin is not None
                process.stdin.close()  # The neighbour waits for it.
                assert end_group(process.pid, seconds=60).is_gone
                process.wait()


@pytest.fixture(scope="module", autouse=True)
def subreaper() -> Iterator[None]:
    """What a jail leaves behind comes to us, as it comes to the jailer."""
    adopt_orphans()
    yield
    CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.fixture(scope="module", params=WHERE, ids=lambda where: f"{where[0]} uid {where[1]}")
def report(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The report of the hostile program."""
    level, uid = request.param
    with hostile(level, uid, "report") as (program, pipe):
        told = program.report(pipe)
        left = sorted(str(path.relative_to(program.folder)) for path in program.folder.rglob("*"))
        secret = (program.folder / "secret").read_bytes()
    return {**told, "expected": level, "uid": uid, "left": left, "secret": secret}


def test_the_walls_are_those_that_this_machine_can_build(report: dict[str, Any]) -> None:
    places = {
        "full": {"network": ["namespace", "seccomp"], "processes": ["namespace", "seccomp"]},
        "reduced": {"network": ["seccomp"], "processes": ["seccomp"], "files": ["landlock"]},
    }[report["expected"]]

    assert sorted(report["kept_by"]) == NAMES
    assert report["level"] == report["expected"]
    assert {name: report["kept_by"][name] for name in places} == places
    assert ("namespace" in report["kept_by"]["files"]) == (report["level"] == "full")


def test_nothing_that_was_tried_from_inside_worked(report: dict[str, Any]) -> None:
    assert set(HARMLESS) - set(report["before"]) == set(), (
        "not possible outside either, so its failure inside would prove nothing"
    )
    assert all(report["needed"].values()), report["needed"]
    assert report["worked"] == []


def test_a_jail_changes_nothing_outside(report: dict[str, Any]) -> None:
    assert report["left"] == ["folder", "folder/inside", "host.sock", "secret"]
    assert report["secret"] == b"another session's"
    assert not list(Path("/dev/shm").glob("mayfly-was-here"))  # noqa: S108


def test_only_with_its_own_root_a_jail_has_a_folder_and_sees_no_other_path(report: dict[str, Any]) -> None:
    """What is weaker without namespaces: who guesses a path learns that it exists, if his user may."""
    assert report["private"] == (report["level"] == "full")
    if report["level"] == "full":
        assert not report["seen"]


def test_a_jail_inherits_no_descriptor_and_no_environment(report: dict[str, Any]) -> None:
    assert len(report["descriptors"]) == 4, "standard input, output, error, and the one that was kept"
    assert "MAYFLY_SECRET" not in report["environment"]


def test_a_jail_runs_as_a_user_of_its_own_where_the_jailer_is_root(report: dict[str, Any]) -> None:
    if report["uid"] == 0:
        assert report["user"] > 1_000_000_000
    else:
        assert report["user"] == report["uid"]


def test_a_jail_lets_others_go_first(report: dict[str, Any]) -> None:
    assert report["niceness"] == 5


def test_a_fork_bomb_ends_soon(report: dict[str, Any]) -> None:
    shares_its_count = report["level"] == "reduced" and report["uid"] != 0

    assert 2 <= report["forks"] < (1000 if shares_its_count else 32)


@pytest.mark.parametrize(("level", "uid"), WHERE)
def test_a_program_that_is_deaf_and_never_ends_is_killed_by_the_kernel(level: str, uid: int) -> None:
    with hostile(level, uid, "spin") as (program, pipe):
        os.close(pipe)
        program.process.wait(200)

    assert program.process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("level", "uid"), WHERE)
def test_a_program_that_writes_without_end_fills_its_own_folder_at_most(level: str, uid: int) -> None:
    with hostile(level, uid, "write") as (program, pipe):
        os.close(pipe)
        program.process.wait(200)

        assert program.process.returncode == (128 if level == "full" else 0)
        assert not (program.folder / "endless").exists()


@pytest.mark.parametrize(("level", "uid"), WHERE)
def test_a_daemon_left_behind_dies_with_the_jail(level: str, uid: int) -> None:
    with hostile(level, uid, "stay") as (program, pipe):
        os.close(pipe)
        assert program.process.wait(200) == 0

    def lines() -> list[str]:
        return [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]

    assert any("pytest" in line for line in lines()), "the list shows nothing"
    wait_until(lambda: not any(str(program.folder) in line for line in lines()), "it lives on")


# --- what the jailer says of its jails -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("without", "level", "missing"),
    [
        ((), "full", set[str]()),
        ((LANDLOCK,), "full", {"landlock"}),
        ((NAMESPACES,), "reduced", set[str]()),
        ((NAMESPACES, LANDLOCK), "none", {"files", "landlock"}),
        ((SECCOMP,), "none", {"syscalls"}),
        ((NAMESPACES, SECCOMP), "none", {"network", "processes", "syscalls"}),
    ],
)
def test_the_jailer_says_what_withstands_on_this_machine(
    without: tuple[str, ...], level: str, missing: set[str]
) -> None:
    with running_jailer(jails=1, limits=JailLimits(), without=without) as jailer:
        walls = jailer.client.level()

        assert (walls.level, set(NAMES) - set(walls.names)) == (level, missing)
        assert jailer.extract(b"It reads all the same.", "a.txt").chunks, "its owner may have allowed a weak jail"


@pytest.mark.slow
def test_a_jailer_below_the_level_that_is_insisted_on_says_so_and_reads_nothing_and_ends() -> None:
    with running_jailer(jails=1, without=(NAMESPACES, LANDLOCK), least="reduced") as jailer:
        assert jailer.client.level().level == "none"
        for _ in range(2):
            with pytest.raises(PartUnavailable):
                jailer.extract(b"Not behind these walls.", "a.txt")

        assert jailer.process.wait(120) == 1, "another one may do better"


@pytest.fixture(scope="module", params=MACHINES)
def jailer(request: pytest.FixtureRequest) -> Iterator[Jailer]:
    patient = JailLimits(document_seconds=120, ocr_page_seconds=120)  # The machine may stall.
    with running_jailer(jails=1, limits=patient, without=MACHINES[request.param]) as jailer:
        assert jailer.client.level().level == request.param
        yield jailer


def wait_until(condition: Callable[[], bool], complaint: str, seconds: float = 60) -> None:
    """Return when the condition holds; nothing tells of another process's files but looking."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, complaint
        threading.Event().wait(0.01)


def noise() -> bytes:
    """Return a picture that keeps recognition busy for seconds."""
    buffer = io.BytesIO()
    Image.effect_noise((1700, 2400), 120).save(buffer, "PNG")
    return buffer.getvalue()


def open_files(process: psutil.Process) -> set[str]:
    """Return what files a process holds open, by the kernel's word; the jail's own root makes no difference."""
    found = set[str]()
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{process.pid}/fd").iterdir():
            target = str(link.readlink())
            if target.startswith("/") and not target.startswith("/dev/null"):
                found.add(target)
    return found


@pytest.mark.parametrize("name", ["image/phototest.tif", "pdf-scanned/francais.pdf"])
def test_a_picture_is_read_behind_all_walls(jailer: Jailer, name: str) -> None:
    (sample,) = [sample for sample in manifest("image", "pdf-scanned") if sample.file == name]

    extraction = jailer.extract(sample.untrusted, name)

    assert folded(sample.must_contain) in folded(extraction.pages[0].text)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look at what the processes of a jail hold open")
def test_recognition_keeps_no_file_outside_its_jail(jailer: Jailer) -> None:
    """J09. Presence first: that a file which is held open would be seen is shown with one of ours.

    Nobody looks before recognition has begun: until its walls are up, a jail holds what the jailer holds.
    """
    places = [Path(place) for place in (tempfile.gettempdir(), "/var/tmp", "/dev/shm")]  # noqa: S108
    before, seen, recognised = {path for place in places for path in place.iterdir()}, set[str](), list[bool]()
    job = Job()
    thread = threading.Thread(target=read_until_cancelled, args=(jailer, job))
    with tempfile.NamedTemporaryFile() as control:
        assert control.name in open_files(psutil.Process())
    thread.start()

    def look() -> bool:
        processes = jailer.descendants()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name() == "tesseract":
                    recognised.append(process.cpu_times().user > 0.5)
        for process in processes if recognised else ():
            seen.update(open_files(process))
        return any(recognised)

    wait_until(look, "recognition never began, so its files would prove nothing")
    during = {path for place in places for path in place.iterdir()}
    job.cancel()
    thread.join(60)

    assert {path for path in during - before if path.name.startswith("tess")} == set()
    assert {path for path in seen if not path.startswith(("/private/", *shown()))} == set()


def read_until_cancelled(jailer: Jailer, job: Job) -> None:
    with contextlib.suppress(Cancelled):
        jailer.extract(noise(), "noise.png", job=job)


def test_the_log_tells_what_a_jail_used_with_all_that_it_started(jailer: Jailer) -> None:
    drained(jailer)
    seconds = 0.0
    job = Job()
    thread = threading.Thread(target=read_until_cancelled, args=(jailer, job))
    thread.start()

    def has_worked() -> bool:
        nonlocal seconds
        for process in jailer.descendants():
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name() == "tesseract":
                    seconds = max(seconds, process.cpu_times().user + process.cpu_times().system)
        return seconds > 0.5

    wait_until(has_worked, "recognition never began, so its use would prove nothing")
    job.cancel()
    thread.join(60)

    told = jailer.told()
    assert told["event"] == "jail_ended"
    assert told["cpu_seconds"] >= round(seconds - 0.02, 2), (
        "the program that recognises is counted, though it was killed"
    )
    assert told["cpu_seconds"] < 30
    assert 10 << 20 < told["peak_bytes"] < 2048 << 20


def test_what_a_finished_program_used_is_counted_too(jailer: Jailer) -> None:
    (sample,) = [sample for sample in manifest("image") if sample.file.endswith("phototest.tif")]
    drained(jailer)
    jailer.extract(b"Short.", "a.txt")
    alone = jailer.told()

    jailer.extract(sample.untrusted, sample.file)

    assert jailer.told()["cpu_seconds"] > alone["cpu_seconds"] + 0.1


def drained(jailer: Jailer) -> None:
    """Read what the log holds so far: the next line is then of the next jail."""
    jailer.extract(b"The last line before.", "last.txt")
    wait_until(lambda: not jailer.descendants(), "the jail lives on")
    jailer.client.level()  # It has one thread: what it answers now, it answers after the line of that end.
    os.set_blocking(jailer.lines.fileno(), False)
    while jailer.lines.readline():
        pass
    os.set_blocking(jailer.lines.fileno(), True)
