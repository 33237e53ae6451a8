"""The papers of the project say what is so."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from scripts.check_floors import ROOT

LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)[^)]*\)")
PAPERS = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]
LANGUAGE_PACK = re.compile(r"tesseract-ocr-([a-z-]+)")


@cache
def own_files() -> tuple[Path, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    return tuple(path for name in listed.stdout.decode().splitlines() if (path := ROOT / name).is_file())


def own_texts() -> list[tuple[str, str]]:
    return [(str(path.relative_to(ROOT)), path.read_bytes().decode("utf-8", "replace")) for path in own_files()]


def make_targets() -> set[str]:
    listed = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, check=True)
    return set(re.findall(r"make ([a-z]+)", listed.stdout.decode()))


def papers() -> list[Path]:
    return [*(ROOT / name for name in PAPERS), *sorted((ROOT / "docs").rglob("*.md"))]


def promises() -> list[str]:
    readme = (ROOT / "README.md").read_text()
    table = readme.split("## What it promises")[1].split("\n## ")[0].split("### Not yet proven")[0]
    return [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| Promise")]


def test_every_promise_links_to_tests_that_exist() -> None:
    assert len(promises()) >= 5
    for promise in promises():
        proofs = [link for link in LINK.findall(promise) if link.startswith("tests/")]
        assert proofs, f"no proof is named: {promise}"
        assert [proof for proof in proofs if not (ROOT / proof).is_file()] == []


def test_every_relative_link_in_the_papers_leads_somewhere() -> None:
    links = [
        (paper.relative_to(ROOT), link)
        for paper in papers()
        for link in LINK.findall(paper.read_text())
        if not link.startswith(("http:", "https:"))
    ]

    assert links, "no link was found, so none could be broken"
    assert [(str(paper), link) for paper, link in links if not (ROOT / paper.parent / link).exists()] == []


def test_every_make_target_is_described_and_every_described_target_exists() -> None:
    described = set(
        re.findall(r"make ([a-z]+)", (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text())
    )

    assert "run" in make_targets()
    assert described == make_targets()


def test_ci_runs_the_targets_that_contributors_run() -> None:
    ci = re.findall(r"^make --no-print-directory ([a-z ]+?)(?: \|\|.*)?$", (ROOT / ".ci/run").read_text(), re.MULTILINE)

    assert [target for line in ci for target in line.split()] == ["lint", "types", "contracts", "test"]


def test_image_and_setup_install_the_same_language_packs() -> None:
    setup = (ROOT / "scripts/setup-system").read_text()
    languages = re.search(r"languages=\(([^)]*)\)", setup)

    assert languages is not None
    assert len(languages[1].split()) >= 20
    assert sorted(LANGUAGE_PACK.findall((ROOT / "Dockerfile").read_text())) == sorted(languages[1].split())


@pytest.mark.parametrize(
    ("pattern", "example"),
    [
        # Brackets and joins keep this very file from matching.
        (r"/[w]ork/|/[r]oot/|/[h]ome/[a-z]|/[o]pt/wheels|/[U]sers/[a-z]", ("", "home", "ada")),
        (r"[p]ypi\.org|[p]ythonhosted\.org|[r]egistry\.npmjs|[d]ownload\.pytorch", ("https:", "", "py" + "pi.org")),
        (r"-----[B]EGIN [A-Z ]*PRIVATE KEY", ("-----" + "BEGIN PRIVATE KEY", "")),
    ],
    ids=["a place on somebody's machine", "a registry's host", "a private key"],
)
def test_no_file_of_the_project_holds(pattern: str, example: tuple[str, ...]) -> None:
    assert re.search(pattern, "/".join(example)), "the pattern finds nothing at all"
    texts = own_texts()

    assert "Makefile" in dict(texts)
    assert [name for name, text in texts if re.search(pattern, text)] == []
