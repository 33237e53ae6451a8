import hashlib

import pytest

from models.errors import RateLimited, SessionExpired
from sessions.grants import Grants


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_grant_holds_until_its_end_and_not_longer():
    clock = Clock()
    grants = Grants(clock)
    secret = grants.mint(60)

    clock.now = 1059.9
    grants.check(secret)
    clock.now = 1060.0
    with pytest.raises(SessionExpired):
        grants.check(secret)


@pytest.mark.parametrize("wrong", [b"", b"x" * 32, b"x" * 31])
def test_what_was_never_minted_is_no_grant(wrong: bytes):
    grants = Grants()
    grants.check(grants.mint(60))

    with pytest.raises(SessionExpired):
        grants.check(wrong)


def test_a_changed_secret_is_no_grant():
    grants = Grants()
    secret = bytearray(grants.mint(60))
    secret[-1] ^= 1

    with pytest.raises(SessionExpired):
        grants.check(bytes(secret))


def test_only_the_hash_of_a_secret_is_kept():
    grants = Grants()
    secret = grants.mint(60)

    assert list(grants._ends) == [hashlib.sha256(secret).digest()]


def test_expired_grants_make_room_for_new_ones():
    clock = Clock()
    grants = Grants(clock)
    for _ in range(1000):
        grants.mint(60)
    with pytest.raises(RateLimited) as refusal:
        grants.mint(60)
    assert refusal.value.retry_after_seconds == 60

    clock.now += 60

    grants.check(grants.mint(60))
