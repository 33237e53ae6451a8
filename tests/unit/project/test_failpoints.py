"""Failpoints are in no part of the service: not in its files, not in its bytecode, not in what is installed."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest

from scripts.check_floors import ROOT
from tests.support.failpoints.sitecustomize import POINTS, SETTING
from tests.support.faults import environment

PACKAGES = ("api", "sessions", "ingestion", "vectorstore", "models", "processes")
HOOKS = ROOT / "tests/support/failpoints/sitecustomize.py"
# Says of every function that a point lies at whether the file that it should come from is what is executed.
LOOK = """
import importlib, inspect, json, sys
found = {}
for module, qualified, _ in json.loads(sys.argv[1]):
    owner = importlib.import_module(module)
    for name in qualified.split("."):
        owner = getattr(owner, name)
    found[qualified] = [owner.__code__.co_filename, inspect.getsourcefile(sys.modules[module])]
print(json.dumps(found))
"""


def code_of(file: Path) -> Iterator[CodeType]:
    waiting = [compile(file.read_bytes(), str(file), "exec")]
    while waiting:
        code = waiting.pop()
        yield code
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def words_of(code: CodeType) -> set[str]:
    constants = {constant for constant in code.co_consts if isinstance(constant, str) and " " not in constant}
    return {*code.co_names, *code.co_varnames, *code.co_freevars, *constants}


def traces(file: Path) -> set[str]:
    traitors = {SETTING, "sitecustomize", "_strike", "tests"}
    return {word for code in code_of(file) for word in words_of(code)} & traitors


def look(extra: dict[str, str]) -> dict[str, list[str]]:
    ours = [point for point in POINTS.values() if point[0] not in {"os", "shutil"}]
    bare = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", SETTING}}
    said = subprocess.run(
        [sys.executable, "-c", LOOK, json.dumps(ours)],
        cwd=ROOT, env=bare | extra, capture_output=True, check=True,
    )  # fmt: skip
    return json.loads(said.stdout)


def test_the_bytecode_of_the_service_knows_no_failpoint() -> None:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]

    assert len(files) > 150
    assert traces(HOOKS) == {SETTING, "_strike"}, "the search finds nothing where there is something"
    assert {str(file): found for file in files if (found := traces(file))} == {}


def test_what_is_installed_and_what_is_in_the_image_holds_no_test() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    copied = [line.split()[1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")]

    assert project["tool"]["setuptools"]["packages"]["find"]["include"] == [
        "api*", "processes*", "sessions*", "ingestion*", "vectorstore*", "models*", "proof*",
    ]  # fmt: skip
    assert set(PACKAGES) <= set(copied)
    assert not {name for name in copied if name.startswith(("tests", "."))}


def test_a_process_that_is_told_of_failpoints_runs_what_its_files_say(tmp_path: Path) -> None:
    for point in POINTS:
        (tmp_path / point).write_text("kill9")

    functions = look({SETTING: str(tmp_path)})

    assert len(functions) > 20
    assert {name: files for name, files in functions.items() if files[0] != files[1]} == {}


def test_only_the_hooks_themselves_put_failpoints_in(tmp_path: Path) -> None:
    functions = look(dict(environment(tmp_path)))

    assert {files[0] for files in functions.values()} == {str(HOOKS)}


@pytest.mark.parametrize("loaded", [False, True])
def test_a_process_knows_that_something_foreign_is_in_it(tmp_path: Path, loaded: bool) -> None:
    said = subprocess.run(
        [sys.executable, "-c", "from processes.hardening import foreign_modules; print(foreign_modules())"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        | (dict(environment(tmp_path)) if loaded else {}),
        capture_output=True,
        check=True,
    )

    assert said.stdout.decode().strip() == str(["sitecustomize"] if loaded else [])
