"""What the walls that hold are worth."""

import msgspec
import pytest

from ingestion.level import Grade, Walls

BASE = {("limits", "rlimits"), ("user", "capabilities"), ("syscalls", "seccomp")}
BY_NAMESPACE = {(place, "namespace") for place in ("network", "processes", "files")}
BY_OTHERS = {("network", "seccomp"), ("processes", "seccomp"), ("files", "landlock"), ("landlock", "landlock")}


@pytest.mark.parametrize(
    ("held", "level"),
    [
        (BASE | BY_NAMESPACE | BY_OTHERS, "full"),
        (BASE | BY_NAMESPACE, "full"),
        (BASE | BY_OTHERS, "reduced"),
        (BASE | BY_OTHERS | {("network", "namespace")}, "reduced"),
        (BASE | BY_OTHERS | {("network", "namespace"), ("files", "namespace")}, "reduced"),
        (BASE | BY_OTHERS - {("files", "landlock")}, "none"),
        (BASE | BY_OTHERS - {("network", "seccomp")}, "none"),
        (BASE | BY_OTHERS - {("processes", "seccomp")}, "none"),
        (BY_NAMESPACE | BASE - {("syscalls", "seccomp")}, "none"),
        (BY_NAMESPACE | BASE - {("limits", "rlimits")}, "none"),
        (BY_NAMESPACE | BASE - {("user", "capabilities")}, "none"),
        (BASE, "none"),
        (set[tuple[str, str]](), "none"),
    ],
)
def test_a_level_is_as_good_as_its_weakest_wall(held: set[tuple[str, str]], level: str) -> None:
    assert Walls(frozenset(held)).level == level


@pytest.mark.parametrize(
    ("held", "least"),
    [
        (BASE | BY_NAMESPACE, {"none", "reduced", "full"}),
        (BASE | BY_OTHERS, {"none", "reduced"}),
        (BASE, {"none"}),
    ],
)
def test_a_level_reaches_itself_and_what_is_below_it(held: set[tuple[str, str]], least: set[Grade]) -> None:
    walls = Walls(frozenset(held))

    assert {grade for grade in ("none", "reduced", "full") if walls.reach(grade)} == least


def test_walls_are_told_with_what_keeps_them_up() -> None:
    walls = Walls(frozenset({("network", "seccomp"), ("network", "namespace"), ("files", "landlock")}))

    assert walls.names == ["files", "network"]
    assert walls.kept_by == {"files": ["landlock"], "network": ["namespace", "seccomp"]}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(walls), type=Walls) == walls
