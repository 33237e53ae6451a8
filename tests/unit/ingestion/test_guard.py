import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from ctypes import CDLL
from pathlib import Path

import pytest

from ingestion.guard import _PR_SET_CHILD_SUBREAPER, _Jail, adopt_orphans, credit_page, end_group
from ingestion.limits import JailLimits
from ingestion.walls import _limit

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

    assert end_group(child)

    assert not Path(f"/proc/{child}").exists()
    assert not Path(f"/proc/{grandchild}").exists()


def test_ending_a_child_that_has_no_group_yet_ends_the_child() -> None:
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)

    assert end_group(child)

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
