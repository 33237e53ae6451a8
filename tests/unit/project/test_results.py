"""What the page of results says of figures."""

from pathlib import Path
from xml.etree import ElementTree  # It reads what we wrote.

from benchmarks.page import write_page
from benchmarks.results import OURS, Report, Row, advantage, load_all, save


def row(system: str, *values: float, better: str = "lower") -> Row:
    return Row(work="w", system=system, unit="u", values=values, better="higher" if better == "higher" else "lower")


def test_being_better_is_told_from_being_higher():
    assert advantage(row("peer", 10.0), row(OURS, 2.0)) == 5.0
    assert advantage(row("peer", 10.0, better="higher"), row(OURS, 20.0, better="higher")) == 2.0


def test_rounds_are_compared_with_their_own_round():
    assert advantage(row("peer", 2.0, 20.0, 200.0), row(OURS, 1.0, 10.0, 100.0)) == 2.0


def test_a_report_is_read_as_it_was_written_and_its_page_shows_it(tmp_path: Path):
    report = Report(
        benchmark="b", title="A <title>", size="tiny", seconds=1.0, machine={"cores": 2},
        rows=(row(OURS, 1.0), row("peer", 4.0)), missing=("another: not installed",),
    )  # fmt: skip

    save(report, tmp_path)
    write_page(load_all(tmp_path), tmp_path / "results.md")

    assert load_all(tmp_path) == [report]
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| w | peer | 4.00 u | 4.00 to 4.00 | 4.00 |" in page
    assert "another: not installed" in page
    ElementTree.parse(tmp_path / "results-b.svg")  # noqa: S314
