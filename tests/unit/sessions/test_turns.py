import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidRequest
from sessions.messages import Turn
from sessions.turns import MAX_TURN_BYTES, RecentTurns


@given(st.lists(st.text(max_size=12), max_size=30), st.integers(1, 6), st.integers(48, 60))
def test_the_last_turns_are_kept_whole_and_in_order_within_both_bounds(
    texts: list[str], max_turns: int, max_bytes: int
):
    kept = RecentTurns(max_turns=max_turns, max_bytes=max_bytes)

    for text in texts:
        kept.append(Turn(role="learner", text=text))

    found = [turn.text for turn in kept.read().turns]
    assert found == texts[len(texts) - len(found) :]
    assert len(found) <= max_turns
    assert kept.read().bytes == sum(len(text.encode()) for text in found) <= max_bytes
    dropped = texts[: len(texts) - len(found)]
    if dropped and len(found) < max_turns:
        assert kept.read().bytes + len(dropped[-1].encode()) > max_bytes, "one more would have fitted"


def test_a_turn_that_is_too_long_is_refused_and_the_others_stay():
    kept = RecentTurns()
    kept.append(Turn(role="tutor", text="Bonjour"))

    with pytest.raises(InvalidRequest):
        kept.append(Turn(role="learner", text="é" * (MAX_TURN_BYTES // 2 + 1)))

    assert [turn.text for turn in kept.read().turns] == ["Bonjour"]


def test_a_turn_does_not_show_in_a_repr_and_is_gone_when_cleared():
    kept = RecentTurns()
    kept.append(Turn(role="learner", text="a secret"))

    assert "secret" not in repr(kept.read())
    assert kept.clear().turns == ()
    assert kept.read().bytes == 0
