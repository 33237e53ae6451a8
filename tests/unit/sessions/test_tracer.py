"""Making tracers, and looking for one in real files, in every place and at every cut."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.database import Database
from models.errors import PartUnavailable
from sessions import residue
from sessions.residue import Places, Residue, ResidueSearch
from sessions.tracer import TRACER_BYTES, Tracers
from vectorstore.client import EmbedderClient

SESSION = "a" * 32
TRACERS = Tracers(b"s" * 32)
HOST = TRACERS.name_host()
TRACER = TRACERS.text(SESSION).encode()
PLACES = {"quarantine", "runtime", "temporary", "record", "log"}
LATER = {"embedder_memory": "later"}
# Takes the lock that SQLite holds on the main file of an open database in WAL mode, or fails to.
TAKE_LOCK = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR)
try:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
except BlockingIOError:
    sys.exit(7)
"""


class Machine:
    """The folders of a service, its record and its log."""

    def __init__(self, folder: Path) -> None:
        self.runtime, self.log_file = folder / "run", folder / "log"
        self.quarantine, self.temporary = self.runtime / "quarantine", self.runtime / "tmp"
        for made in (self.quarantine / SESSION, self.temporary, self.runtime / "sessions"):
            made.mkdir(parents=True)
        self.record = folder / "data" / "record.sqlite"
        self.database = Database(f"sqlite:///{self.record}")
        with self.database.transaction() as db:
            db.connection().exec_driver_sql("CREATE TABLE words (word TEXT)")
        self.log = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def search(self, tracers: Tracers = TRACERS, database: Any = None) -> Residue:
        places = Places(runtime=self.runtime, quarantine=self.quarantine, temporary=self.temporary, log=self.log)
        return ResidueSearch(tracers, places, database or self.database).search(SESSION, HOST)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.database.dispose()
    os.close(machine.log)


def test_a_tracer_is_the_sessions_own_and_of_one_start() -> None:
    assert len(TRACER) == TRACER_BYTES
    assert TRACERS.text(SESSION) == Tracers(b"s" * 32).text(SESSION)
    assert TRACERS.text(SESSION) != TRACERS.text("b" * 32)
    assert Tracers(b"t" * 32).text(SESSION) != TRACERS.text(SESSION)
    assert TRACERS.knows(HOST)
    assert not Tracers(b"t" * 32).knows(HOST)
    assert not TRACERS.knows("a host that was given no secret")
    assert Tracers.of(b"") is None


def test_a_needle_is_overwritten_when_it_has_been_used() -> None:
    with TRACERS.needle(SESSION) as needle:
        assert bytes(needle) == TRACER
    assert bytes(needle) == bytes(TRACER_BYTES)


def test_a_clean_machine_is_searched_everywhere(machine: Machine) -> None:
    found = machine.search()

    assert found.searched == dict.fromkeys(PLACES, 0)
    assert found.not_searched == LATER


def test_the_tracer_is_found_wherever_it_lies_and_said_to_be_there_only(machine: Machine) -> None:
    (machine.quarantine / SESSION / "sealed").write_bytes(b"not sealed: " + TRACER)
    (machine.temporary / TRACER.decode()).touch()
    (machine.runtime / "sessions" / "forgotten").write_bytes(TRACER + b" and " + TRACER)
    with machine.database.transaction() as db:
        db.connection().exec_driver_sql("INSERT INTO words VALUES (?)", (TRACER.decode(),))
    os.write(machine.log, b'{"event": "' + TRACER + b'"}\n')

    assert machine.search().searched == {"quarantine": 1, "temporary": 1, "runtime": 2, "record": 1, "log": 1}


def test_a_deleted_row_is_found_in_the_records_log_of_changes(machine: Machine) -> None:
    with machine.database.transaction() as db:
        db.connection().exec_driver_sql("INSERT INTO words VALUES (?)", (TRACER.decode(),))
    with machine.database.transaction() as db:
        db.connection().exec_driver_sql("DELETE FROM words")

    assert machine.search().searched["record"] == 1


@pytest.mark.parametrize("cut", [TRACER[5:], TRACER[:-5], TRACER[32:], TRACER[:32]])
def test_a_copy_that_lost_its_beginning_or_its_end_is_found(machine: Machine, cut: bytes) -> None:
    os.write(machine.log, cut)

    assert machine.search().searched["log"] == 1


@pytest.mark.parametrize("before", [-1, 0, 1, 31, 32, 33, 63, 64])
def test_a_copy_across_two_windows_is_found_once(machine: Machine, before: int) -> None:
    os.write(machine.log, bytes(residue._WINDOW_BYTES - before) + TRACER + bytes(residue._WINDOW_BYTES))

    assert machine.search().searched["log"] == 1


def test_of_a_long_log_the_last_part_is_searched_and_called_so(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(residue, "MAX_BYTES", 4096)
    os.write(machine.log, TRACER + bytes(5000) + TRACER)

    found = machine.search()

    assert found.searched["log_tail"] == 1
    assert "log" not in found.searched


def test_what_is_too_large_is_not_called_searched_unless_something_was_found(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(residue, "MAX_BYTES", 4096)
    (machine.temporary / "large").write_bytes(bytes(5000))
    with machine.database.transaction() as db:
        db.connection().exec_driver_sql("CREATE TABLE more (word TEXT)")
    with closing(sqlite3.connect(machine.record)) as record:
        record.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert machine.record.stat().st_size > 4096

    found = machine.search()
    assert found.not_searched == LATER | {"temporary": "too_large", "record": "too_large"}

    (machine.temporary / TRACER.decode()).touch()
    assert machine.search().searched["temporary"] == 1


def test_another_start_cannot_make_the_tracer_and_claims_nothing(machine: Machine) -> None:
    os.write(machine.log, TRACER)

    found = machine.search(Tracers(b"t" * 32))

    assert found.searched == {}
    assert found.not_searched == dict.fromkeys({*PLACES, *LATER}, "tracer_unknown")


def test_places_that_cannot_be_searched_say_why(machine: Machine, tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(machine.log)
    machine.log = write
    (machine.temporary / "link").symlink_to(tmp_path / "log")
    (tmp_path / "log").write_bytes(TRACER)

    found = machine.search(database=SimpleNamespace(is_sqlite=False, url=SimpleNamespace(database="record")))

    os.close(read)
    assert found.not_searched == LATER | {"record": "on_a_server", "log": "no_file"}
    assert found.searched["temporary"] == 0, "what a link leads to was searched"
    (machine.temporary / "link").unlink()


def test_a_file_that_may_not_be_read_leaves_its_place_unsearched(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine.temporary / "closed").write_bytes(b"x")
    real = os.open

    def refuse(path: str | Path, *arguments: int) -> int:
        if str(path).endswith("closed"):
            raise PermissionError
        return real(path, *arguments)

    monkeypatch.setattr(os, "open", refuse)  # The tests run as root, who may read everything.

    found = machine.search()

    assert found.not_searched == LATER | {"temporary": "unreadable"}
    assert found.searched.keys() == PLACES - {"temporary"}


def test_a_search_leaves_sqlite_the_locks_that_it_holds(machine: Machine) -> None:
    def is_locked() -> bool:
        took = subprocess.run([sys.executable, "-c", TAKE_LOCK, str(machine.record)], check=False)
        return took.returncode == 7

    with machine.database.engine.connect() as connection:
        connection.exec_driver_sql("SELECT * FROM words")
        assert is_locked(), "it holds no lock, so that it keeps one proves nothing"

        machine.search()

        assert is_locked()


def test_what_was_read_is_overwritten(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    windows = list[residue._Window]()
    real = residue._Window.__init__

    def remember(window: residue._Window, needle: bytearray) -> None:
        real(window, needle)
        windows.append(window)

    monkeypatch.setattr(residue._Window, "__init__", remember)
    os.write(machine.log, TRACER)

    assert machine.search().found == 1
    (window,) = windows
    assert not any(window._buffer)
    assert bytes(window._halves[0]) == bytes(TRACER_BYTES // 2)


def test_what_follows_the_common_beginning_tells_one_session_from_another() -> None:
    masked, mask = TRACERS.masked_beginning()
    beginning = bytes(one ^ other for one, other in zip(masked, mask, strict=True))
    rest = TRACER[len(beginning) :]

    assert TRACER.startswith(beginning)
    assert TRACERS.text("b" * 32).encode().startswith(beginning)
    assert TRACERS.is_rest_of(rest, SESSION)
    assert TRACERS.is_rest_of(rest[:30], SESSION), "its end was overwritten"
    assert not TRACERS.is_rest_of(rest[:20], SESSION)
    assert not TRACERS.is_rest_of(rest, "b" * 32)
    assert not TRACERS.is_rest_of(b"", SESSION)


def test_sessions_are_looked_for_in_the_embedder_once_and_again_when_it_was_away(machine: Machine) -> None:
    search = ResidueSearch(TRACERS, Places(machine.runtime, machine.quarantine, machine.temporary), machine.database)
    search.search(SESSION, HOST)
    tail = TRACER[16:]

    with pytest.raises(PartUnavailable):
        search.search_embedder(EmbedderClient(machine.runtime / "nobody"))
    found = search.search_embedder(Remembering(tail, b"another session's"))
    again = search.search_embedder(Remembering(tail))

    assert found == {SESSION: 1}
    assert again == {}, "nobody has ended since"


class Remembering(EmbedderClient):
    """An embedder that answers with what follows the beginnings that it found."""

    def __init__(self, *tails: bytes) -> None:
        super().__init__(Path("nowhere"))
        self._tails = tails

    def search_memory(self, masked: bytes, mask: bytes, *, tail_bytes: int) -> tuple[bytes, ...]:  # noqa: ARG002
        return self._tails
