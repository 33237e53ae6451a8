"""What the demonstration prints is what the service answered."""

import json

import pytest

from api.demo import _laid_out, _shortened


@pytest.mark.parametrize(
    "receipt",
    [
        {"statement": {"verified": ["a", "b"], "steps": [{"name": "x", "n": 1}, {"name": "y", "n": 2}]}, "key_id": "k"},
        {"statement": {"verified": [], "steps": []}, "signature": "ü"},
        {},
    ],
)
def test_a_receipt_is_printed_whole_and_can_be_read_back(receipt: dict[str, object]) -> None:
    assert json.loads(_laid_out(receipt)) == receipt


def test_each_step_of_a_receipt_is_one_line() -> None:
    printed = _laid_out({"statement": {"steps": [{"name": "x", "n": 1}, {"name": "y", "n": 2}]}})

    assert '      {"name": "x", "n": 1},\n      {"name": "y", "n": 2}\n' in printed


def test_a_long_passage_is_shortened_and_a_short_one_is_not() -> None:
    assert _shortened("one\n two") == "one two"
    assert _shortened("word " * 100) == ("word " * 60).rstrip() + " …"
