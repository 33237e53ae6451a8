"""Presentations: a lesson, a diagram with a chart, and one in many scripts."""

from collections.abc import Iterator
from typing import Any

from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from benchmarks.corpus.made import BEES, HARBOUR, LIGHTHOUSE, MARKET, ORCHARD, RIVER, TEA, Made
from tests.support import office

_PLACE = (Inches(1), Inches(4), Inches(4), Inches(1))


def made() -> Iterator[Made]:
    """Yield the presentations."""
    yield _lesson()
    yield _charts()
    yield _scripts()
    yield _plain()


def _lesson() -> Made:
    """Return slides with levels, a table, a group in a group, notes, a footer, and one slide that is hidden."""

    def fill(show: Any) -> None:
        first = show.slides.add_slide(show.slide_layouts[1])
        first.shapes.title.text = "Why rivers flood twice"
        body = first.placeholders[1].text_frame
        body.text = RIVER[1]
        body.add_paragraph().text, body.paragraphs[1].level = RIVER[2], 1
        first.notes_slide.notes_text_frame.text = "Ask who has seen an eel."
        second = show.slides.add_slide(show.slide_layouts[5])
        second.shapes.title.text = "Peaks at Holm"
        table = second.shapes.add_table(2, 2, *_PLACE).table
        for at, text in enumerate(("Month", "Centimetres", "March", "212")):
            table.cell(at // 2, at % 2).text = text
        group = second.shapes.add_group_shape()
        group.shapes.add_textbox(*_PLACE).text_frame.text = "snow water"
        inner = group.shapes.add_group_shape()
        inner.shapes.add_textbox(*_PLACE).text_frame.text = "rain water"
        hidden = show.slides.add_slide(show.slide_layouts[1])
        hidden.shapes.title.text = "Answers for teachers only"
        hidden.element.set("show", "0")

    truth = ("Why rivers flood twice", RIVER[1], RIVER[2], "Ask who has seen an eel.", "Peaks at Holm", "Month")
    rest = ("Centimetres", "March", "212", "snow water", "rain water")
    return Made("lesson.pptx", office.presentation(fill), (*truth, *rest))


def _charts() -> Made:
    """Return a slide with a chart whose title, series, categories and values are seen."""

    def fill(show: Any) -> None:
        slide = show.slides.add_slide(show.slide_layouts[5])
        slide.shapes.title.text = "Herons at the sluice"
        data = CategoryChartData()
        data.categories = ["spring", "summer", "autumn"]
        data.add_series("Adults", (12, 31, 18))
        data.add_series("Fledglings", (4, 27, 9))
        chart = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *_PLACE, data).chart
        chart.has_title = True
        chart.chart_title.text_frame.text = "Counted each Sunday"
        slide.shapes.add_textbox(*_PLACE).text_frame.text = RIVER[4]

    truth = ("Herons at the sluice", "Counted each Sunday", "Adults", "spring 12 summer 31 autumn 18")
    # A category stands once on its axis, for both series.
    return Made("charts.pptx", office.presentation(fill), (*truth, "Fledglings", "4 27 9", RIVER[4]))


def _scripts() -> Made:
    return _one_a_slide("scripts.pptx", (TEA, HARBOUR, ORCHARD, MARKET, LIGHTHOUSE))


def _plain() -> Made:
    return _one_a_slide("plain.pptx", (RIVER, BEES) * 8)


def _one_a_slide(name: str, texts: tuple[tuple[str, ...], ...]) -> Made:
    def fill(show: Any) -> None:
        for paragraphs in texts:
            slide = show.slides.add_slide(show.slide_layouts[1])
            slide.shapes.title.text = paragraphs[0]
            slide.placeholders[1].text_frame.text = "\n".join(paragraphs[1:])

    return Made(name, office.presentation(fill), tuple(text for paragraphs in texts for text in paragraphs))
