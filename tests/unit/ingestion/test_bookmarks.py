import io

import pypdf
from reportlab.pdfgen.canvas import Canvas

from ingestion.extract import pdf
from ingestion.extract.reading import Work
from ingestion.limits import JailLimits
from ingestion.outline import Outline, compose
from tests.support.jails import DOCUMENTS

WORK = Work(JailLimits())


def book(*pages: tuple[str, ...]) -> tuple[pypdf.PdfWriter, io.BytesIO]:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for lines in pages:
        for number, line in enumerate(lines):
            canvas.drawString(72, 750 - 20 * number, line)
        canvas.showPage()
    canvas.save()
    return pypdf.PdfWriter(clone_from=buffer), io.BytesIO()


def outlines(writer: pypdf.PdfWriter, buffer: io.BytesIO) -> list[Outline]:
    writer.write(buffer)
    reading = pdf.read(buffer.getvalue(), WORK)
    return [compose(number, page, markdown=False)[1] for number, page in enumerate(reading.pages, start=1)]


def test_a_page_stands_under_the_chapter_that_began_before_it() -> None:
    writer, buffer = book(
        ("1 RIVERS", "Water flows downhill."), ("It goes on flowing.",), ("Springs", "Water comes up.")
    )
    rivers = writer.add_outline_item(title="Rivers", page_number=0)
    writer.add_outline_item(title="Springs", page_number=2, parent=rivers)

    first, second, third = outlines(writer, buffer)

    assert [(each.title, each.level) for each in first.headings] == [("1 RIVERS", 1)]
    assert (second.above, second.headings) == (("Rivers",), ())
    assert third.above == ("Rivers",)
    assert [(each.title, each.level) for each in third.headings] == [("Springs", 1)]


def test_a_page_on_which_a_chapter_ends_is_claimed_by_neither() -> None:
    writer, buffer = book(("Title page of it",), ("The end of the first part.", "Second part", "Its beginning."))
    writer.add_outline_item(title="First part", page_number=0)
    writer.add_outline_item(title="Second part", page_number=1)

    _, page = outlines(writer, buffer)

    assert page.above == ()
    assert [each.title for each in page.headings] == ["Second part"]


def test_a_title_that_is_not_on_its_page_makes_no_heading() -> None:
    writer, buffer = book(("A page with some text.",))
    writer.add_outline_item(title="Somewhere else", page_number=0)

    (page,) = outlines(writer, buffer)

    assert (page.above, page.headings) == ((), ())


def test_bookmarks_that_lead_in_a_circle_end() -> None:
    reading = pdf.read((DOCUMENTS / "hostile/outlines-with-loop.pdf").read_bytes(), WORK)

    assert len(reading.pages) == 30
    assert any(page.above for page in reading.pages)


def test_of_endless_bookmarks_only_the_first_are_looked_at() -> None:
    writer, buffer = book(*[("Some text on this page.",)] * 3)
    for number in range(2_500):
        writer.add_outline_item(title=f"Number {number}", page_number=0 if number < 2_000 else 1)

    *_, last = outlines(writer, buffer)

    assert last.above == ("Number 1999",)
