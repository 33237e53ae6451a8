"""What a proof sheet says of what was searched, and what it never calls clear."""

from collections import Counter
from pathlib import Path

import pytest

from api import weaknesses
from api.proving.prove import _report, _swap
from api.proving.search import Look
from api.proving.sheet import Finding, MemoryUse, Sheet, page, times_of


def test_hits_before_or_after_make_a_place_found() -> None:
    hits = Counter({("learner: body", "utf-8"): 2})

    assert _report("place", Look(hits), Look(), 3).verdict == "found"
    assert _report("place", Look(), Look(hits), 3).findings == (Finding("learner: body", "utf-8", 2),)


def test_a_place_that_could_not_be_searched_once_is_never_clear() -> None:
    assert _report("place", Look(), Look(), 3).verdict == "clear"
    assert _report("place", Look(unproven="why"), Look(), 3).verdict == "unproven"
    assert _report("place", Look(), Look(unproven="why"), 3).reason == "why"


def test_active_swap_is_unproven(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    swaps = tmp_path / "swaps"
    monkeypatch.setattr(weaknesses, "_SWAPS", swaps)
    swaps.write_text("Filename Type Size Used Priority\n")
    without = _swap().verdict
    swaps.write_text("Filename Type Size Used Priority\n/swapfile file 1 0 -2\n")

    assert (without, _swap().verdict) == ("clear", "unproven")


def test_a_sheet_that_does_not_hold_says_so_first_and_lists_every_hit() -> None:
    hits = Counter({("learner: vector", "float32"): 7})
    report = _report("memory: embedder", Look(), Look(hits), 3)
    sheet = Sheet(
        holds=False, software="mayfly 1", begun_at="2026-11-24T12:00Z", seconds=1.0, sessions=3, faults=("killed",),
        held_before={"body": 1}, missing=("a key was not found",), ciphertexts=0, places=(report,),
        times=times_of({"sign-out": [0.1, 0.3, 0.2]}),
        memory=(MemoryUse("front", 500, 90_000_000, 91_000_000, 92_000_000),),
    )  # fmt: skip

    text = page(sheet)

    assert "**This run does not prove it.**" in text.splitlines()[2]
    assert "- memory: embedder: learner: vector, float32, 7" in text
    assert "Missing: a key was not found." in text
    assert "| sign-out | 3 | 0.200 | 0.300 | 0.300 |" in text
    assert "| front | 500 | 90.0 | 91.0 | 92.0 | 4.00 |" in text
