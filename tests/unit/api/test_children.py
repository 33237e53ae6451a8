"""Children are real processes: short Python programs that do what the test needs."""

import contextlib
import os
import signal
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from api import logging
from api.children import EXIT_REFUSED, Child, ChildRefused, Recipe
from api.settings import LogSettings
from processes import ipc
from tests.support.service import eventually


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.configure(LogSettings(level="error"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules a child can run, as it is the child's working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextlib.contextmanager
def child(folder: Path, program: str, *, config: bytes = b"", socket: Path | None = None) -> Generator[Child]:
    (folder / "program.py").write_text(program)
    made = Child(Recipe(name="front", module="program", environment=dict(os.environ), config=config, socket=socket))
    try:
        yield made
    finally:
        made.stop(grace_seconds=5)


WAITS = "import sys, time\nsys.stdin.read()\ntime.sleep(600)"


def test_a_child_gets_its_configuration(folder: Path) -> None:
    with child(folder, "import sys\nopen('got', 'w').write(sys.stdin.read())", config=b"wish") as started:
        started.start()

        assert eventually(lambda: (folder / "got").exists() and (folder / "got").read_text() == "wish", seconds=60)


def test_a_child_that_dies_is_started_again_after_growing_pauses(folder: Path) -> None:
    program = "import sys, time\nopen('lives', 'a').write(f'{time.monotonic()}\\n')\nsys.exit(3)"
    with child(folder, program) as mortal:
        mortal.start()

        def lives() -> list[float]:
            mortal.tend()
            return [float(line) for line in (folder / "lives").read_text().splitlines()] if started() else []

        def started() -> bool:
            return (folder / "lives").exists()

        assert eventually(lambda: len(lives()) >= 4, seconds=60)
        first, second, third, fourth = lives()[:4]

    assert second - first > 0.1
    assert third - second > 0.2
    assert fourth - third > 0.4


def test_a_child_that_refuses_this_host_is_not_tried_again(folder: Path) -> None:
    with child(folder, f"raise SystemExit({EXIT_REFUSED})", socket=folder / "s") as refusing:
        refusing.start()

        def refuses() -> bool:
            try:
                refusing.tend()
            except ChildRefused:
                return True
            return False

        assert eventually(refuses, seconds=60)


def test_a_child_that_has_listened_before_is_tried_again_whatever_it_says(folder: Path) -> None:
    program = f"import sys\nopen('lives', 'a').write('x')\nsys.exit({EXIT_REFUSED})"
    path = folder / "s"
    with child(folder, program, socket=path) as shaken:
        with ipc.listen(path):
            assert shaken.is_listening()
        shaken.start()

        def has_lived_twice() -> bool:
            shaken.tend()
            return (folder / "lives").exists() and len((folder / "lives").read_text()) >= 2

        assert eventually(has_lived_twice, seconds=60)


def test_a_child_that_lives_is_left_alone(folder: Path) -> None:
    with child(folder, WAITS) as living:
        living.start()
        before = living.pid

        living.tend()

        assert living.pid == before is not None


def test_a_child_that_does_not_stop_is_killed(folder: Path) -> None:
    deaf = "import signal, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen('deaf', 'w')\nsignal.pause()"
    with child(folder, deaf) as stubborn:
        stubborn.start()
        assert eventually((folder / "deaf").exists, seconds=60)
        pid = stubborn.pid or 0

        stubborn.stop(grace_seconds=0.2)

        assert not psutil.pid_exists(pid)


def test_a_child_is_out_of_reach_of_the_terminals_signals(folder: Path) -> None:
    with child(folder, WAITS) as apart:
        apart.start()

        assert os.getsid(apart.pid or 0) != os.getsid(0)
        os.kill(apart.pid or 0, signal.SIGKILL)


def test_a_child_listens_once_its_socket_accepts(folder: Path) -> None:
    path = folder / "s"
    with child(folder, WAITS, socket=path) as listening:
        before = listening.is_listening()

        with ipc.listen(path):
            assert listening.is_listening()

    assert before is False
