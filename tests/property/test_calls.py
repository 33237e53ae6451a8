"""Which texts go together in one call of a model, whatever waits."""

from collections import Counter

import hypothesis
from hypothesis import strategies as st

from vectorstore.embedder import Batching
from vectorstore.lanes import MAX_PADDING, Lane, Place, Ticket

LIMITS = Batching(texts=8, tokens=600)
# Sessions with a few requests each: the lengths of their texts in tokens.
WAITING = st.dictionaries(
    st.sampled_from("abcde"), st.lists(st.lists(st.integers(1, 512), min_size=1, max_size=16), max_size=3), min_size=1
)


def filled(waiting: dict[str, list[list[int]]]) -> Lane:
    lane = Lane(LIMITS, width=1)
    for session, requests in waiting.items():
        for lengths in requests:
            lane.put(Ticket(session, "passage", [""] * len(lengths), lengths=lengths))
    return lane


def calls_of(lane: Lane) -> list[list[Place]]:
    calls = list[list[Place]]()
    while lane.size:
        calls.append(lane.take())
    return calls


def lengths_of(call: list[Place]) -> list[int]:
    return [ticket.lengths[index] for ticket, index in call]


@hypothesis.given(WAITING)
def test_a_call_is_within_its_limits_and_at_most_a_fifth_of_it_is_padding(waiting: dict[str, list[list[int]]]):
    for call in calls_of(filled(waiting)):
        lengths = lengths_of(call)
        padded = len(lengths) * max(lengths)
        assert len(lengths) <= LIMITS.texts
        assert len(lengths) == 1 or padded <= LIMITS.tokens
        assert sum(lengths) >= (1 - MAX_PADDING) * padded


@hypothesis.given(WAITING)
def test_every_text_is_taken_once(waiting: dict[str, list[list[int]]]):
    taken = Counter(place for call in calls_of(filled(waiting)) for place in call)

    assert taken.total() == sum(len(lengths) for requests in waiting.values() for lengths in requests)
    assert set(taken.values()) <= {1}


@hypothesis.given(WAITING)
def test_a_session_that_waits_begins_a_call_before_any_other_begins_two(waiting: dict[str, list[list[int]]]):
    lane = filled(waiting)
    begun = list[str]()
    left = Counter({session: sum(map(len, requests)) for session, requests in waiting.items()})
    while lane.size:
        call = lane.take()
        begun.append(call[0][0].session)
        for ticket, _ in call:
            left[ticket.session] -= 1
        for session in (session for session, texts in left.items() if texts):
            since = begun[len(begun) - begun[::-1].index(session) :] if session in begun else begun
            assert max(Counter(since).values(), default=0) <= 1, "another began two calls while this one waited"


def test_texts_of_one_length_fill_a_call_from_all_sessions():
    lane = filled({"a": [[60] * 16], "b": [[60] * 3]})

    first = lane.take()

    assert len(first) == LIMITS.texts
    assert Counter(ticket.session for ticket, _ in first) == {"a": 5, "b": 3}


def test_a_text_unlike_all_others_goes_alone_in_its_turn():
    lane = filled({"a": [[100, 100, 100]], "b": [[500, 100]]})

    assert [lengths_of(call) for call in calls_of(lane)] == [[100, 100, 100, 100], [500]]
