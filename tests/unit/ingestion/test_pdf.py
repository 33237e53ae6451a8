import io
from pathlib import Path

import pypdf
import pytest
from pypdf.constants import PageLabelStyle
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from ingestion.extract import pdf
from ingestion.extract.reading import Work
from ingestion.limits import JailLimits
from models.errors import EncryptedDocument, ParserFailed, QuotaExceeded, TooManyPages

WORK = Work(JailLimits())


def written(*pages: str) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for text in pages:
        canvas.drawString(72, 700, text)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def rewritten(content: bytes, **options: str) -> bytes:
    writer, buffer = pypdf.PdfWriter(clone_from=io.BytesIO(content)), io.BytesIO()
    if "password" in options:
        writer.encrypt(options["password"], options.get("owner"), algorithm="AES-256")
    else:
        writer.set_page_label(0, 1, style=PageLabelStyle.LOWERCASE_ROMAN)
        writer.set_page_label(2, 2, prefix="A-", style=PageLabelStyle.DECIMAL)
    writer.write(buffer)
    return buffer.getvalue()


def test_pages_count_from_one_and_carry_the_number_that_is_printed_on_them() -> None:
    reading = pdf.read(rewritten(written("first", "second", "third")), WORK)

    assert [(page.number, page.text.strip(), page.label) for page in reading.pages] == [
        (1, "first", "i"),
        (2, "second", "ii"),
        (3, "third", "A-1"),
    ]


def test_a_document_that_names_no_pages_has_no_labels() -> None:
    assert pdf.read(written("first"), WORK).pages[0].label is None


def test_a_password_is_asked_for_unless_it_is_empty() -> None:
    with pytest.raises(EncryptedDocument):
        pdf.read(rewritten(written("secret"), password="needed"), WORK)

    assert "open" in pdf.read(rewritten(written("open"), password="", owner="owner"), WORK).pages[0].text


def test_one_page_too_many_is_refused_and_the_last_allowed_one_is_read() -> None:
    content = written("one", "two")

    assert len(pdf.read(content, Work(JailLimits(pages=2))).pages) == 2
    with pytest.raises(TooManyPages):
        pdf.read(content, Work(JailLimits(pages=1)))


def test_more_text_than_allowed_is_refused() -> None:
    with pytest.raises(QuotaExceeded):
        pdf.read(written("x" * 50, "y" * 50), Work(JailLimits(text_bytes=90)))


@pytest.mark.parametrize("content", [b"%PDF-1.7\n", b"%PDF-1.7\n" + b"garbage " * 100, written("x")[:200]])
def test_a_damaged_document_is_called_that(content: bytes) -> None:
    with pytest.raises(ParserFailed):
        pdf.read(content, WORK)


def test_a_page_that_the_first_reader_gets_wrong_is_read_by_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_text", lambda _: "\ue001\ue002\ue003" * 20)

    text = pdf.read(written("The second reader can read this line."), WORK).pages[0].text

    assert "The second reader can read this line." in text


def test_a_document_that_the_first_reader_refuses_is_read_by_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: bytes) -> None:
        raise pdf.pdfium.PdfiumError("no")

    monkeypatch.setattr(pdf.pdfium, "PdfDocument", refuse)

    assert "still readable" in pdf.read(written("still readable"), WORK).pages[0].text


def test_arabic_pages_are_read_by_the_second_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()
    monkeypatch.setattr(pdf, "_text", lambda _: "اإلنسان والحياة في المدينة القديمة")
    monkeypatch.setattr(
        pdf._Pypdf, "text", lambda _, index: (asked.append(index), "الإنسان والحياة في المدينة القديمة")[1]
    )

    assert pdf.read(written("x"), WORK).pages[0].text == "الإنسان والحياة في المدينة القديمة"
    assert asked == [0]


def test_a_huge_page_is_drawn_small_enough() -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(14_000, 14_000))
    canvas.drawString(100, 100, "x" * int(100 / stringWidth("x", "Helvetica", 12)))
    canvas.save()

    with pdf.closing(pdf.pdfium.PdfDocument(buffer.getvalue())) as document:
        picture = pdf._render(document[0], Work(JailLimits(pixels=1_000_000)))

    assert picture.width * picture.height <= 1_010_000


def test_the_text_of_a_blank_page_is_empty_and_nothing_is_recognised(tmp_path: Path) -> None:
    announced = list[int]()
    work = Work(JailLimits(), recognising=lambda: announced.append(1))

    assert pdf.read(written(""), work).pages[0].text.strip() == ""
    assert announced == []
