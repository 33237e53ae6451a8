import msgspec
import pytest

from vectorstore.pack import estimate_tokens, pack, prefix_within


class Item(msgspec.Struct, frozen=True):
    name: str
    tokens: int


def names(items: list[Item]) -> list[str]:
    return [item.name for item in items]


ITEMS = [Item("a", 40), Item("b", 70), Item("c", 20), Item("d", 41)]


def test_without_a_budget_everything_is_packed():
    assert names(pack(ITEMS, None)) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("budget", "packed"),
    [
        (39, ["c"]),
        (40, ["a"]),
        (59, ["a"]),
        (60, ["a", "c"]),
        (100, ["a", "c"]),
        (101, ["a", "c", "d"]),
        (110, ["a", "b"]),
    ],
)
def test_a_passage_that_does_not_fit_makes_room_for_a_shorter_one_behind_it(budget: int, packed: list[str]):
    assert names(pack(ITEMS, budget)) == packed


@pytest.mark.parametrize("budget", range(0, 200, 7))
def test_the_budget_is_never_exceeded(budget: int):
    assert sum(item.tokens for item in pack(ITEMS, budget)) <= budget


def test_a_character_of_a_wide_script_weighs_more_than_a_latin_one():
    assert estimate_tokens("蜉蝣在水面上飞" * 12) > 2 * estimate_tokens("mayfly " * 12)


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("abc", 1), ("abcd", 2), ("蜉蝣飛水面中", 6), ("поде", 2)])
def test_tokens_are_estimated_by_script_and_rounded_up(text: str, tokens: int):
    assert estimate_tokens(text) == tokens


def test_a_beginning_ends_at_white_space_and_within_the_budget():
    text = "The mayfly lives for one day and the river for a thousand years."
    length = prefix_within(text, 10)

    assert text[:length] == "The mayfly lives for one day"
    assert estimate_tokens(text[:length]) <= 10


def test_a_text_that_fits_is_its_own_beginning():
    assert prefix_within("The mayfly", 10) == len("The mayfly")


def test_a_text_without_white_space_is_cut_at_the_budget():
    text = "蜉蝣" * 100
    length = prefix_within(text, 20)

    assert estimate_tokens(text[:length]) <= 20 < estimate_tokens(text[: length + 1])
