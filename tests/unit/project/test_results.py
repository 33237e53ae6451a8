"""What the page of results says of figures."""

from pathlib import Path
from xml.etree import ElementTree  # It reads what we wrote.

import pytest

from benchmarks import engines
from benchmarks.goals import verdicts
from benchmarks.page import render, write_page
from benchmarks.plots import draw, plots
from benchmarks.results import OURS, Report, Row, Tally, advantage, load_all, save
from benchmarks.run import run
from benchmarks.size import TINY, Size


def row(system: str, *values: float, better: str = "lower") -> Row:
    return Row(work="w", system=system, unit="u", values=values, better="higher" if better == "higher" else "lower")


def test_being_better_is_told_from_being_higher():
    assert advantage(row("peer", 10.0), row(OURS, 2.0)) == 5.0
    assert advantage(row("peer", 10.0, better="higher"), row(OURS, 20.0, better="higher")) == 2.0


def test_rounds_are_compared_with_their_own_round():
    assert advantage(row("peer", 2.0, 20.0, 200.0), row(OURS, 1.0, 10.0, 100.0)) == 2.0


def report(benchmark: str = "b", *rows: Row) -> Report:
    return Report(
        benchmark=benchmark, title="A <title>", size="tiny", seconds=1.0, machine={"cores": 2},
        rows=rows or (row(OURS, 1.0), row("peer", 4.0)), missing=("another: not installed",),
    )  # fmt: skip


def embedded(system: str, *values: float) -> Row:
    return Row(work=engines.EMBED, system=system, unit="texts/s", values=values, better="higher")


def test_a_report_is_read_as_it_was_written_and_its_page_shows_it(tmp_path: Path):
    save(report(), tmp_path / "results")
    page = write_page(load_all(tmp_path / "results"), tmp_path / "results")

    assert load_all(tmp_path / "results") == [report()]
    assert page == tmp_path / "results.md"
    text = page.read_text(encoding="utf-8")
    assert "| w | peer | 4.00 u | 4.00 to 4.00 | 4.00 |" in text
    assert "another: not installed" in text


def test_a_goal_is_reached_by_its_figure_and_never_without_one():
    torch = "sentence-transformers, float32, batch 32 (its default)"
    found = verdicts([report("engines", embedded(OURS, 9.0, 10.0, 11.0), embedded(torch, 1.5, 2.0, 2.5))])

    default, best, limit = found[:3]
    assert (default.figure, default.reached) == (5.0, True)
    assert (best.figure, best.note) == (5.0, torch)
    assert (limit.figure, limit.reached) == (None, False)


def test_a_plot_shows_every_value_on_its_scale_and_says_what_it_measures():
    rows = [embedded(OURS, 30.0, 40.0), embedded("peer & co", 3.0)]
    (drawn,) = (draw(plot) for plot in plots(report("engines", *rows)).values())

    root = ElementTree.fromstring(drawn)  # noqa: S314
    texts = ["".join(each.itertext()) for each in root.iter() if each.tag.endswith("text")]
    bars = [float(each.attrib["width"]) for each in root.iter() if each.tag.endswith("rect")]
    assert {"peer & co", "passages a second, more is better", "35.0", "3.00"} <= set(texts)
    assert bars[0] / bars[1] == pytest.approx(35 / 3, rel=0.01)


def test_the_published_page_is_what_the_published_figures_give():
    folder = Path("benchmarks/results")
    made = render(load_all(folder), folder.name)

    committed = [*folder.glob("*.svg"), *folder.parent.glob("results.md")]
    assert made == {str(file.relative_to(folder.parent)): file.read_text(encoding="utf-8") for file in committed}, (
        "run .venv/bin/python -m benchmarks.run --only '' --output benchmarks/results"
    )


def test_a_part_that_fails_keeps_what_it_had(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def measure(_size: Size, tally: Tally) -> None:
        tally.note("w", OURS, 1.0, "s")
        raise OSError("a sentence that stays out of the page")

    monkeypatch.setattr("benchmarks.scheduler.measure", measure)

    made, failed = run("scheduler", TINY)

    assert failed
    assert [each.values for each in made.rows] == [(1.0,)]
    assert made.missing == ("what comes after the last row: OSError",)
    assert "a sentence that stays out" in capsys.readouterr().err
