"""A process that looks for something in its own memory finds it there, and never itself."""

import secrets
import subprocess
import sys

from processes.memory import tails, unmask

MASK = secrets.token_bytes(8)
# An undumpable process of another user than root may not open its own /proc/self/mem; reading by address still works.
UNDUMPABLE = """
import ctypes, os, sys
from processes.memory import tails, unmask
os.setgid(65534); os.setuid(65534)
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
mask = bytes(8)
kept = bytes.fromhex(sys.argv[1]) + b" and its tail"
print(tails(unmask(bytes.fromhex(sys.argv[1]), mask), 13))
"""


def masked(needle: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(needle, MASK, strict=True))


def test_what_lies_in_memory_is_found_with_what_follows_it() -> None:
    secret = masked(secrets.token_bytes(8))  # Nobody has the needle itself but the buffers below.
    first, second = unmask(secret, MASK), unmask(secret, MASK)
    first += b"one" + b"x" * 600_000
    second += b"two" + b"x" * 60

    assert sorted(tails(unmask(secret, MASK), 3)) == [b"one", b"two"]

    first[:8] = second[:8] = bytes(8)
    assert tails(unmask(secret, MASK), 3) == []


def test_a_copy_across_two_windows_is_found_once() -> None:
    secret = masked(secrets.token_bytes(8))
    kept = bytearray(8 * 1024 * 1024)
    needle = unmask(secret, MASK)
    places = range(1_000_003, len(kept), 1_000_003)
    for place in places:
        kept[place : place + 8] = needle
    needle[:] = bytes(8)

    assert len(tails(unmask(secret, MASK), 4)) == len(places)
    kept[:] = bytes(len(kept))


def test_a_search_wipes_what_it_looked_for() -> None:
    needle = unmask(masked(secrets.token_bytes(8)), MASK)

    tails(needle, 4)

    assert needle == bytes(8)


def test_a_process_that_nobody_may_dump_can_search_itself() -> None:
    needle = secrets.token_bytes(8)

    said = subprocess.run([sys.executable, "-c", UNDUMPABLE, needle.hex()], capture_output=True, check=True, text=True)

    assert "b' and its tail'" in said.stdout
