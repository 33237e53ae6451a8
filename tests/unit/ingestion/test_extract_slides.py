from typing import Any

import pytest
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from ingestion.extract import slides
from ingestion.extract.reading import Work
from ingestion.limits import JailLimits
from models.errors import ParserFailed, TooManyPages
from tests.support import office

_WHERE = (Inches(1), Inches(1), Inches(4), Inches(2))


def add_slide(presentation: Any, title: str, *, layout: int = 5) -> Any:
    slide = presentation.slides.add_slide(presentation.slide_layouts[layout])
    slide.shapes.title.text = title
    return slide


def add_text(shapes: Any, text: str) -> Any:
    box = shapes.add_textbox(*_WHERE)
    box.text_frame.text = text
    return box


def test_each_slide_is_a_page_with_its_title_first_and_its_notes_last() -> None:
    def build(presentation: Any) -> None:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        tree = slide.shapes._spTree
        slide.shapes[1].text_frame.text = "one\ntwo"
        tree.insert(2, slide.shapes[1]._element)
        slide.shapes.title.text = "First\nslide"
        slide.notes_slide.notes_text_frame.text = "Say it slowly."
        add_slide(presentation, "Second")

    reading = office.composed(slides.read(office.presentation(build), office.WORK))

    assert [page.text for page, _ in reading] == ["First slide\n\none\ntwo\n\nSay it slowly.", "Second"]
    assert [(heading.title, heading.level) for heading in reading[0][1].headings] == [("First slide", 1)]


def test_slides_come_as_they_are_shown_not_as_they_are_named() -> None:
    def build(presentation: Any) -> None:
        add_slide(presentation, "made first")
        add_slide(presentation, "made second")
        order = presentation.slides._sldIdLst
        order.append(order[0])

    assert office.texts(slides.read(office.presentation(build), office.WORK)) == ["made second", "made first"]


def test_a_hidden_slide_is_an_empty_page_and_a_hidden_shape_nothing() -> None:
    def build(presentation: Any) -> None:
        add_slide(presentation, "UNSEEN")._element.set("show", "0")
        slide = add_slide(presentation, "seen")
        add_text(slide.shapes, "UNSEEN")._element.nvSpPr.cNvPr.set("hidden", "1")

    assert office.texts(slides.read(office.presentation(build), office.WORK)) == ["", "seen"]


def test_groups_tables_and_charts_are_read() -> None:
    def build(presentation: Any) -> None:
        slide = add_slide(presentation, "All kinds")
        add_text(slide.shapes.add_group_shape().shapes, "in a group")
        table = slide.shapes.add_table(2, 2, *_WHERE).table
        for place, text in zip(((0, 0), (0, 1), (1, 0), (1, 1)), ("Place", "Count", "Pond", "3"), strict=True):
            table.cell(*place).text = text
        data = CategoryChartData()
        data.categories = ["2025", "2026"]
        data.add_series("Herons", (4, 7))
        slide.shapes.add_chart(
            XL_CHART_TYPE.COLUMN_CLUSTERED, *_WHERE, data
        ).chart.chart_title.text_frame.text = "Trend"

    [(page, outline)] = office.composed(slides.read(office.presentation(build), office.WORK))

    assert page.text == ("All kinds\n\nin a group\n\nPlace | Count\nPond | 3\n\nTrend\nHerons: 2025 4, 2026 7")
    assert outline.columns_at(page.text.index("Pond")) == "Place | Count"
    assert not outline.columns_at(page.text.index("Trend"))


def test_what_a_diagram_says_is_read_from_the_part_that_holds_it() -> None:
    frame = (
        '<p:graphicFrame xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
        ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><p:nvGraphicFramePr/><a:graphic>'
        '<a:graphicData><d:relIds xmlns:d="http://schemas.openxmlformats.org/drawingml/2006/diagram" xmlns:r="http://'
        'schemas.openxmlformats.org/officeDocument/2006/relationships" r:dm="rIdD"/></a:graphicData></a:graphic>'
        "</p:graphicFrame></p:spTree>"
    )
    point = "<d:pt{}><d:t><a:p><a:r><a:t>{}</a:t></a:r></a:p></d:t></d:pt>".format
    points = point("", "egg") + point("", "chick") + point(' type="pres"', "UNSEEN")
    diagram = (
        '<d:dataModel xmlns:d="http://schemas.openxmlformats.org/drawingml/2006/diagram"'
        ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">'
        f"<d:ptLst>{points}</d:ptLst></d:dataModel>"
    )
    content = office.changed(
        office.presentation(lambda presentation: add_slide(presentation, "Life")),
        {
            "ppt/slides/slide1.xml": lambda xml: xml.replace(b"</p:spTree>", frame.encode()),
            "ppt/slides/_rels/slide1.xml.rels": lambda xml: xml.replace(
                b"</Relationships>",
                b'<Relationship Id="rIdD" Type="http://x/diagramData" Target="../diagrams/data1.xml"/></Relationships>',
            ),
            "ppt/diagrams/data1.xml": lambda _: diagram.encode(),
        },
    )

    assert office.texts(slides.read(content, office.WORK)) == ["Life\negg\nchick"]


def test_comments_numbers_and_footers_stay_out() -> None:
    def build(presentation: Any) -> None:
        slide = add_slide(presentation, "seen")
        for kind in ("sldNum", "ftr", "dt"):
            box = add_text(slide.shapes, "UNSEEN")
            box._element.nvSpPr.nvPr.get_or_add_ph().set("type", kind)

    content = office.changed(office.presentation(build), {"ppt/comments/comment1.xml": lambda _: b"<c>UNSEEN</c>"})

    assert office.texts(slides.read(content, office.WORK)) == ["seen"]


def test_one_slide_too_many_is_refused() -> None:
    def build(presentation: Any) -> None:
        add_slide(presentation, "one")
        add_slide(presentation, "two")

    content = office.presentation(build)

    assert len(slides.read(content, Work(JailLimits(pages=2))).pages) == 2
    with pytest.raises(TooManyPages):
        slides.read(content, Work(JailLimits(pages=1)))


def test_entities_are_refused() -> None:
    content = office.changed(
        office.presentation(lambda presentation: add_slide(presentation, "canary")),
        {"ppt/slides/slide1.xml": lambda xml: office.LAUGHS + xml[xml.index(b"<p:sld") :].replace(b"canary", b"&b;")},
    )

    with pytest.raises(ParserFailed):
        slides.read(content, office.WORK)


def test_progress_counts_slides() -> None:
    seen = list[tuple[int, int]]()

    def build(presentation: Any) -> None:
        add_slide(presentation, "one")
        add_slide(presentation, "two")

    slides.read(office.presentation(build), Work(JailLimits(), report=lambda done, known: seen.append((done, known))))

    assert seen == [(1, 2), (2, 2)]
