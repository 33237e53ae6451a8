import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from ctypes import CDLL
from pathlib import Path

import pytest

from ingestion import usage
from ingestion.chunk import Chunker
from ingestion.guard import _Jail, _live, credit_page
from ingestion.level import Walls
from ingestion.limits import JailLimits
from ingestion.reaper import _PR_SET_CHILD_SUBREAPER, adopt_orphans, end_group
from ingestion.walls import _limit
from tests.support.jails import token_counter

LIMITS = JailLimits(document_seconds=60, ocr_page_seconds=30, ocr_seconds=100)


@pytest.fixture
def jail() -> Iterator[_Jail]:
    with socket.socket(socket.AF_UNIX) as sock:
        yield _Jail(pid=0, sock=sock, session="s", pages=0, started=0.0, deadline=60.0)


def test_pages_that_are_only_announced_buy_one_page_s_time(jail: _Jail) -> None:
    for _ in range(50):
        credit_page(jail, LIMITS, 1.0)

    assert jail.deadline == 60 + 30


def test_a_page_buys_what_it_took_and_no_more_than_a_page_s_time(jail: _Jail) -> None:
    for began in (0.0, 10.0, 50.0):
        credit_page(jail, LIMITS, began)

    assert jail.deadline == 60 + 10 + 30 + 30


def test_a_document_s_recognition_has_an_end_however_many_pages_it_has(jail: _Jail) -> None:
    for page in range(400):
        credit_page(jail, LIMITS, page * 30.0)

    assert jail.deadline == 60 + 100


def test_pages_that_run_side_by_side_get_their_whole_time_each_and_share_it(jail: _Jail) -> None:
    """Four pages at once, each of which takes all of its 30 seconds, and then two more."""
    for _ in range(4):
        credit_page(jail, LIMITS, 10.0)

    assert jail.deadline >= 10 + 30, "none of them starves"
    assert jail.deadline == 60 + 30, "and four do not buy four pages' time"

    for began in (40.0, 40.0):
        credit_page(jail, LIMITS, began)

    assert jail.deadline == 60 + 30 + 30


def test_a_page_that_starts_while_another_runs_has_its_whole_time(jail: _Jail) -> None:
    starts = [0.0, 5.0, 20.0, 33.0, 90.0]
    for began in starts:
        credit_page(jail, LIMITS, began)

        assert jail.deadline >= began + LIMITS.ocr_page_seconds

    busy = (33 + 30 - 0) + (120 - 90)
    assert jail.deadline == 60 + busy, "the time in which a page could be at work, counted once"


def spend(seconds: float) -> None:
    """Use so much processor time."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


@pytest.mark.usefixtures("subreaper")
def test_the_use_of_a_group_counts_what_it_waited_for_and_what_is_killed_with_it() -> None:
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        finished = os.fork()
        if finished == 0:
            spend(0.2)
            os._exit(0)
        os.waitpid(finished, 0)
        if os.fork() == 0:
            spend(0.2)
            os.write(theirs, b"x")
        signal.pause()
    os.close(theirs)
    os.read(ours, 1)
    os.close(ours)

    living = usage.of_group(child)
    dead = end_group(child, seconds=60).used

    for used in (living, dead):
        assert 0.35 < used.cpu_seconds < 5
        assert used.peak_bytes > 1 << 20
    assert usage.of_group(child) == usage.Usage(), "nothing is left of it"


def test_two_accounts_of_the_same_are_not_added_and_those_of_two_are() -> None:
    one, other = usage.Usage(1.5, 100), usage.Usage(1.0, 300)

    assert one.or_more(other) == usage.Usage(1.5, 300)
    assert one.with_another(other) == usage.Usage(2.5, 300)


def test_a_jail_with_fewer_walls_than_promised_reads_nothing() -> None:
    promised = Walls(frozenset({("files", "a wall that nobody builds")}))
    ours, theirs = socket.socketpair()
    pages, say = os.pipe()
    child = os.fork()
    if child == 0:
        _live(theirs, say, LIMITS, Chunker(token_counter(), max_tokens=224), promised)
    theirs.close()
    os.close(say)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == os.EX_NOPERM
    assert os.read(pages, 10) == b""
    assert ours.recv(10) == b""
    os.close(pages)
    ours.close()


@pytest.fixture
def subreaper() -> Iterator[None]:
    adopt_orphans()
    yield
    CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.mark.usefixtures("subreaper")
def test_ending_a_group_reaps_its_orphans_too() -> None:
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        grandchild = os.fork()
        if grandchild:
            os.write(theirs, str(grandchild).encode())
        while True:
            signal.pause()
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as pipe:
        grandchild = int(pipe.read(20))
    assert Path(f"/proc/{grandchild}").exists(), "never there, so its absence below would prove nothing"

    assert end_group(child, seconds=60).is_gone

    assert not Path(f"/proc/{child}").exists()
    assert not Path(f"/proc/{grandchild}").exists()


def test_ending_a_child_that_has_no_group_yet_ends_the_child() -> None:
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)

    assert end_group(child, seconds=60).is_gone

    assert not Path(f"/proc/{child}").exists()


def test_the_processor_time_of_a_jail_is_bounded_however_many_pages_it_may_read() -> None:
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        _limit(LIMITS, may_write=False)
        os.write(theirs, str(resource.getrlimit(resource.RLIMIT_CPU)[0]).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        seconds = int(pipe.read())
    os.waitpid(child, 0)

    assert seconds == 60 + 100 + 1
