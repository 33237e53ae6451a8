"""The pinned versions: what they say, and what they must never say."""

import re
import tomllib
from collections.abc import Iterator

import pytest

from scripts.check_floors import ROOT, below_floor, pins

CONSTRAINTS = (ROOT / "constraints.txt").read_text()


def requirements() -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for group in (project["dependencies"], *project["optional-dependencies"].values()):
        yield from group


@pytest.mark.parametrize("trace", ["://", "+cpu", "/", "@", "--", "file:"])
def test_constraints_name_no_place_and_no_local_build(trace: str) -> None:
    assert "torch==2.13.0\n" in CONSTRAINTS, "the file is not the one this test is about"
    assert trace not in CONSTRAINTS


def test_every_requirement_of_the_project_is_pinned() -> None:
    wanted = {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in requirements()}

    assert wanted - {line.split("==")[0] for line in CONSTRAINTS.splitlines()} == set()


def test_no_pinned_version_lies_below_its_floor() -> None:
    floors = pins((ROOT / "floors.txt").read_text().splitlines())

    assert len(floors) > 10
    assert below_floor(pins(CONSTRAINTS.splitlines()), floors) == []


@pytest.mark.parametrize(("pinned", "faults"), [("1.9.3", ["a"]), ("1.10", []), ("1.10.1", []), ("2", [])])
def test_a_version_below_its_floor_is_named(pinned: str, faults: list[str]) -> None:
    assert below_floor(pins([f"a=={pinned} ; python_version < '4'"]), pins(["a==1.10  # why"])) == faults


def test_a_floor_for_what_is_not_pinned_is_a_fault() -> None:
    assert below_floor({}, pins(["gone==1.0"])) == ["gone"]
