"""U15: whatever damage a document takes, its reader gives a text we believe or an error, in time."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from fuzz.__main__ import mutations
from fuzz.child import Outcome, outcomes
from fuzz.harnesses import Harness, harnesses
from fuzz.seeds import CORPUS

ALL = harnesses()
MUTATIONS_A_SEED = 200
# On a slow or busy machine fewer are tried rather than none of the later types; these many always.
SECONDS = 6.0
AT_LEAST = 20


def saved(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


@pytest.mark.parametrize("name", ALL)
def test_no_damage_makes_a_parser_break_its_rules(name: str) -> None:
    seeds = saved(name)

    seen = list(tried(ALL[name], seeds))

    assert [outcome for outcome in seen if outcome.is_bad] == []
    assert len(seen) >= AT_LEAST
    assert seen[0].kind == "fine", "the undamaged seed must be read"


def tried(harness: Harness, seeds: list[bytes]) -> Iterator[Outcome]:
    """Yield what the seeds and their mutations come to."""
    count = len(seeds) * (MUTATIONS_A_SEED + 1)
    input_at = mutations(seeds, seed=15)
    yield from outcomes(harness, input_at, count=AT_LEAST)
    more = outcomes(harness, lambda index: input_at(AT_LEAST + index), count=count - AT_LEAST, seconds=SECONDS)
    yield from (replace(outcome, index=AT_LEAST + outcome.index) for outcome in more)


def test_a_harness_tells_what_breaks() -> None:
    """Without this, a run that finds nothing would prove nothing."""

    def break_down(untrusted: bytes) -> None:
        if untrusted == b"eat":
            bytearray(1 << 40)
        if untrusted == b"die":
            os.kill(os.getpid(), signal.SIGKILL)
        if untrusted == b"raise":
            raise LookupError

    inputs = [b"fine", b"raise", b"eat", b"die", b"fine"]

    seen = list(outcomes(Harness("x", break_down), lambda index: inputs[index], count=len(inputs)))

    assert [outcome.kind for outcome in seen] == ["fine", "raised", "raised", "died", "fine"]
