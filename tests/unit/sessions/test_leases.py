from sessions.leases import Leases, boot_clock


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def leased(idle: float, absolute: float) -> tuple[Leases, Clock]:
    clock = Clock()
    leases = Leases(clock)
    leases.open("s", idle_seconds=idle, absolute_seconds=absolute)
    return leases, clock


def test_a_lease_is_over_exactly_at_its_idle_end():
    leases, clock = leased(10, 100)

    clock.now = 1009.999
    assert leases.expired() == {}
    clock.now = 1010.0
    assert leases.expired() == {"s": "idle"}


def test_renewing_moves_the_idle_end_and_never_the_absolute_end():
    leases, clock = leased(10, 15)

    clock.now = 1009.0
    left = leases.renew("s")
    assert left is not None
    assert (left.idle_seconds_left, left.absolute_seconds_left) == (6.0, 6.0)

    clock.now = 1015.0
    assert leases.expired() == {"s": "absolute"}


def test_a_lease_that_is_over_cannot_be_renewed():
    leases, clock = leased(10, 100)

    clock.now = 1010.0

    assert leases.renew("s") is None
    assert leases.renew("never opened") is None


def test_a_lease_counts_until_it_is_ended():
    leases, clock = leased(10, 100)
    clock.now = 2000.0
    assert len(leases) == 1

    assert leases.end("s")
    assert not leases.end("s")
    assert leases.expired() == {}
    assert leases.seconds_to_next_end() is None


def test_the_host_may_sleep_until_the_earliest_end_and_no_longer():
    leases, clock = leased(10, 100)
    leases.open("t", idle_seconds=50, absolute_seconds=4)

    assert leases.seconds_to_next_end() == 4
    clock.now = 1500.0
    assert leases.seconds_to_next_end() == 0


def test_the_clock_of_leases_never_goes_back():
    first = boot_clock()

    assert boot_clock() >= first > 0
