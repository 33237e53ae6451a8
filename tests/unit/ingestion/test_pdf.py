import io
import zlib
from dataclasses import replace
from pathlib import Path

import pypdf
import pypdfium2
import pytest
import reportlab
from pypdf.constants import PageLabelStyle
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfbase.ttfonts import TTFontFile
from reportlab.pdfgen.canvas import Canvas

from ingestion.extract import pdf
from ingestion.extract.pdf_text import Worth, repaired, worth_of
from ingestion.extract.pypdf_reader import SecondReader
from ingestion.extract.reading import RawPage, Work
from ingestion.limits import JailLimits
from ingestion.outline import compose
from models.errors import EncryptedDocument, ParserFailed, TooManyPages, TooMuchText
from tests.support.jails import Sample, folded, manifest
from tests.support.library import noise

WORK = Work(JailLimits())
FONT = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"
LINES = (
    "The mayfly lives for a single day, and in that day",
    "it must find a partner and lay its eggs in the water.",
    "Nobody has ever seen one of them read a book.",
)


@pytest.fixture(autouse=True)
def _one_thread_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_THREAD_LIMIT", "1")


def text_of(page: RawPage) -> str:
    return "\n".join(block.text for block in page.blocks)


def flat(text: str) -> str:
    return " ".join(text.split())


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

    assert [(text_of(page).strip(), page.label) for page in reading.pages] == [
        ("first", "i"),
        ("second", "ii"),
        ("third", "A-1"),
    ]


def test_a_document_that_names_no_pages_has_no_labels() -> None:
    assert pdf.read(written("first"), WORK).pages[0].label is None


def test_a_password_is_asked_for_unless_it_is_empty() -> None:
    with pytest.raises(EncryptedDocument):
        pdf.read(rewritten(written("secret"), password="needed"), WORK)

    assert "open" in text_of(pdf.read(rewritten(written("open"), password="", owner="owner"), WORK).pages[0])


def test_one_page_too_many_is_refused_and_the_last_allowed_one_is_read() -> None:
    content = written("one", "two")

    assert len(pdf.read(content, Work(JailLimits(pages=2))).pages) == 2
    with pytest.raises(TooManyPages):
        pdf.read(content, Work(JailLimits(pages=1)))


def test_more_text_than_allowed_is_refused() -> None:
    with pytest.raises(TooMuchText):
        pdf.read(written("x" * 50, "y" * 50), Work(JailLimits(text_bytes=90)))


@pytest.mark.parametrize("content", [b"%PDF-1.7\n", b"%PDF-1.7\n" + b"garbage " * 100, written("x")[:200]])
def test_a_damaged_document_is_called_that(content: bytes) -> None:
    with pytest.raises(ParserFailed):
        pdf.read(content, WORK)


def test_a_page_that_the_first_reader_gets_wrong_is_read_by_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_text", lambda *_: "\ue001\ue002\ue003" * 20)

    text = text_of(pdf.read(written("The second reader can read this line."), WORK).pages[0])

    assert "The second reader can read this line." in text


def test_a_document_that_the_first_reader_refuses_is_read_by_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: bytes) -> None:
        raise pdf.pdfium.PdfiumError("no")

    monkeypatch.setattr(pdf.pdfium, "PdfDocument", refuse)

    assert "still readable" in text_of(pdf.read(written("still readable"), WORK).pages[0])


def test_arabic_pages_are_read_by_the_second_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()
    monkeypatch.setattr(pdf, "_text", lambda *_: "اإلنسان والحياة في المدينة القديمة")
    monkeypatch.setattr(
        SecondReader, "text", lambda _, index: (asked.append(index), "الإنسان والحياة في المدينة القديمة")[1]
    )

    assert text_of(pdf.read(written("x"), WORK).pages[0]) == "الإنسان والحياة في المدينة القديمة"
    assert asked == [0]


def test_a_huge_page_is_drawn_small_enough() -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(14_000, 14_000))
    canvas.drawString(100, 100, "x" * int(100 / stringWidth("x", "Helvetica", 12)))
    canvas.save()

    with pdf.closing(pdf.pdfium.PdfDocument(buffer.getvalue())) as document:
        picture = pdf._render(document[0], Work(JailLimits(pixels=1_000_000)))

    assert picture.width * picture.height <= 1_010_000


def pictures_of(*pages: str, strips: int = 1, stamp: str = "") -> bytes:
    """Return a scan: each page a picture of the text, cut into strips as some scanners do, with a stamp in letters."""
    document, buffer = pypdfium2.PdfDocument(written(*pages)), io.BytesIO()
    canvas = Canvas(buffer)
    for page in document:
        picture = page.render(scale=2).to_pil()
        height = picture.height // strips
        for strip in range(strips):
            part = picture.crop((0, strip * height, picture.width, (strip + 1) * height))
            canvas.drawImage(ImageReader(part), 0, 842 - (strip + 1) * 842 / strips, 595, 842 / strips)
        canvas.drawString(300, 10, stamp)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def without_unicode_map(*lines: str) -> bytes:
    """Return a page whose font says how its codes look, but not which characters they are."""
    face = TTFontFile(str(FONT))
    glyphs: dict[int, int] = face.charToGlyph
    shown = b"".join(b"<%s> Tj 0 -22 Td " % b"".join(b"%04X" % glyphs[ord(c)] for c in line) for line in lines)
    widths = b" ".join(b"%d [%d]" % (glyphs[code], int(face.charWidths[code])) for code in range(32, 127))
    font = zlib.compress(FONT.read_bytes())
    streams = (b"BT /F 14 Tf 50 780 Td " + shown + b"ET", font)
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 842]/Resources<</Font<</F 5 0 R>>>>/Contents 4 0 R>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(streams[0]), streams[0]),
        b"<</Type/Font/Subtype/Type0/BaseFont/V/Encoding/Identity-H/DescendantFonts[6 0 R]>>",
        b"<</Type/Font/Subtype/CIDFontType2/BaseFont/V/CIDToGIDMap/Identity/FontDescriptor 7 0 R/W[%b]/CIDSystemInfo"
        b"<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>" % widths,
        b"<</Type/FontDescriptor/FontName/V/Flags 4/FontBBox[0 -200 999 900]/Ascent 900/Descent -200/FontFile2 8 0 R>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(font), font),
    ]
    content = b"%PDF-1.7\n" + b"".join(b"%d 0 obj\n%s\nendobj\n" % each for each in enumerate(parts, start=1))
    return content + b"trailer\n<</Size 9/Root 1 0 R>>\n%%EOF"


def test_a_document_of_blank_pages_is_empty_and_nothing_is_recognised() -> None:
    announced = list[int]()
    work = Work(JailLimits(), recognising=lambda: announced.append(1))

    assert [text_of(page) for page in pdf.read(written("", ""), work).pages] == ["", ""]
    assert announced == []


@pytest.mark.parametrize("strips", [1, 4])
def test_scanned_pages_are_recognised_after_all_others_are_read_and_stay_in_their_place(strips: int) -> None:
    writer, buffer = pypdf.PdfWriter(), io.BytesIO()
    for content in (pictures_of("A page from the scanner", strips=strips), written("A page of letters alone")):
        for page in pypdf.PdfReader(io.BytesIO(content)).pages:
            writer.add_page(page)
    for page in pypdf.PdfReader(io.BytesIO(pictures_of("Another page of pixels", strips=strips))).pages:
        writer.add_page(page)
    writer.write(buffer)
    done, recognised = list[tuple[int, int]](), list[tuple[int, int]]()
    work = Work(
        JailLimits(ocr_workers=2),
        ("en",),
        report=lambda *counts: done.append(counts),
        recognised=lambda *counts: recognised.append(counts),
    )

    pages = pdf.read(buffer.getvalue(), work).pages

    assert [flat(text_of(page)) for page in pages] == [
        "A page from the scanner",
        "A page of letters alone",
        "Another page of pixels",
    ]
    assert [page.ocr_confidence is not None for page in pages] == [True, False, True]
    assert done == [(0, 3), (1, 3), (1, 3), (2, 3), (3, 3)]
    assert recognised == [(1, 2), (2, 2)]


def test_a_stamp_on_a_scan_is_not_taken_for_its_text() -> None:
    text = "A page from the scanner that says much more than the stamp"

    (page,) = pdf.read(pictures_of(text, stamp="Digitalizado com CamScanner"), replace(WORK, languages=("en",))).pages

    assert "says much more than" in flat(text_of(page))
    assert page.ocr_confidence is not None


def test_a_font_without_a_unicode_map_is_noticed_and_its_page_is_read_from_pixels() -> None:
    content = without_unicode_map(*LINES)
    with pdf.closing(pypdfium2.PdfDocument(content)) as document:
        assert "7KHPD" in pdf._text(document[0], 10_000), "this font can be read, so it proves nothing"

    (page,) = pdf.read(content, Work(JailLimits(), ("en",))).pages

    assert flat(text_of(page)) == " ".join(LINES)
    assert (page.ocr_confidence or 0) > 80


def test_doubtful_text_stays_when_nothing_surer_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = "7KHPD IO OLYHV IRUDVLQJOHGD DQGLQWKDWGD LWPXVWILQG"
    monkeypatch.setattr(pdf, "_draw", lambda *_: noise((400, 400), 80))
    assert worth_of(codes) is Worth.DOUBTFUL

    (page,) = pdf.read(written(codes), WORK).pages

    assert text_of(page).strip() == codes
    assert page.ocr_confidence is None


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        ("7KHPD\\IO\\OLYHVIRUDVLQJOHGD\\DQGLQWKDWGD\\LWPXVWILQG", Worth.DOUBTFUL),
        ("Ïðèâåò ìèð, ýòî ïðèìåð òåêñòà, êîòîðûé íåïðàâèëüíî ïîêàçàí", Worth.DOUBTFUL),
        ("\ue001\ue002\ue003\ue004 and then some more text of it", Worth.BROKEN),
        ("(cid:12)(cid:13)(cid:14) and then some text", Worth.BROKEN),
        ("too short", Worth.SHORT),
        ("ALL HUMAN BEINGS ARE BORN FREE AND EQUAL IN DIGNITY AND RIGHTS", Worth.GOOD),
        ("WSZYSCY LUDZIE RODZĄ SIĘ WOLNI I RÓWNI POD WZGLĘDEM SWEJ GODNOŚCI", Worth.GOOD),
        ("VŠICHNI LIDÉ RODÍ SE SVOBODNÍ A SOBĚ ROVNÍ CO DO DŮSTOJNOSTI A PRÁV", Worth.GOOD),
        ("Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm", Worth.GOOD),
        ("L'été dernier, l'élève zélé a été félicité à côté de l'hôtel où il dînait", Worth.GOOD),
        (
            "Убедитесь, что HTTP, TLS, CSRF, XML, JSON, HTML, SQL, LDAP, HSTS, DNS, SSRF и GCM работают как надо",
            Worth.GOOD,
        ),
        ("import os\nfor x in range(10): print(x, file=sys.stderr) # MSG", Worth.GOOD),
        ("人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。", Worth.GOOD),
    ],
)
def test_codes_are_told_from_text(text: str, worth: Worth) -> None:
    assert worth_of(text) is worth


@pytest.mark.parametrize("sample", manifest("pdf"), ids=lambda sample: Path(sample.file).stem[:20])
def test_no_good_page_is_thought_to_be_broken(sample: Sample) -> None:
    if sample.must_contain.startswith("("):
        with pytest.raises(EncryptedDocument):
            pdf.read(sample.untrusted, WORK)
        return
    announced = list[int]()

    reading = pdf.read(sample.untrusted, replace(WORK, recognising=lambda: announced.append(1)))

    page = compose(1, reading.pages[(sample.page or 1) - 1], markdown=False)[0]
    everything = "".join(compose(1, each, markdown=False)[0].text for each in reading.pages)
    assert folded(sample.must_contain) in folded(page.text if sample.page else everything)
    assert announced == []


@pytest.mark.parametrize("sample", manifest("pdf-scanned"), ids=lambda sample: Path(sample.file).stem)
@pytest.mark.parametrize("languages", [(), ("en",), ("fr", "zh", "ja")], ids=["no hint", "en", "three scripts"])
def test_scans_nobody_here_made_are_read(sample: Sample, languages: tuple[str, ...]) -> None:
    (page,) = pdf.read(sample.untrusted, replace(WORK, languages=languages)).pages

    assert folded(sample.must_contain) in folded(text_of(page))
    assert (page.ocr_confidence or 0) > 80


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("اإلنسان واألرض واآلن", "الإنسان والأرض والآن"),
        ("اال يكون", "الا يكون"),
        ("الإنسان والحياة", "الإنسان والحياة"),
    ],
)
def test_turned_arabic_ligatures_are_turned_back(raw: str, text: str) -> None:
    assert repaired(raw) == text


def test_few_words_of_arabic_are_read_the_right_way_round_too() -> None:
    (sample,) = [each for each in manifest("pdf") if each.file.endswith("habibi-rotated.pdf")]

    texts = [text_of(page) for page in pdf.read(sample.untrusted, WORK).pages]

    assert all("حَبيبي" in text or "حبيبي" in text for text in texts), texts


def test_what_was_filled_into_a_form_belongs_to_its_page() -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.drawString(72, 700, "Your name, please:")
    canvas.acroForm.textfield(name="n", value="Ada Lovelace", x=220, y=690, width=300, height=20)
    canvas.save()

    assert "Ada Lovelace" in text_of(pdf.read(buffer.getvalue(), WORK).pages[0])


def test_attachments_are_counted_and_not_opened() -> None:
    writer, buffer = (
        pypdf.PdfWriter(clone_from=io.BytesIO(written("A page with something attached to it"))),
        io.BytesIO(),
    )
    writer.add_attachment("a.txt", b"hidden words")
    writer.add_attachment("b.txt", b"hidden words")
    writer.write(buffer)

    reading = pdf.read(buffer.getvalue(), WORK)

    assert reading.attachments == 2
    assert "hidden" not in text_of(reading.pages[0])


def test_text_drawn_as_outlines_is_found_only_where_there_is_no_other_text() -> None:
    """A page's worth of outlines is what a form XObject of small pictures is as well: no text, no big picture."""
    outlined = pictures_of("A page drawn without letters")
    writer, buffer = pypdf.PdfWriter(clone_from=io.BytesIO(outlined)), io.BytesIO()
    writer.pages[0].mediabox.upper_right = (2_000, 2_000)
    writer.write(buffer)
    alone = buffer.getvalue()
    writer.add_page(pypdf.PdfReader(io.BytesIO(written("A page that has letters"))).pages[0])
    buffer = io.BytesIO()
    writer.write(buffer)

    assert "drawn without letters" in text_of(pdf.read(alone, Work(JailLimits(), ("en",))).pages[0])
    assert text_of(pdf.read(buffer.getvalue(), Work(JailLimits(), ("en",))).pages[0]).strip() == ""


@pytest.mark.timeout(60)
def test_the_second_reader_stops_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def for_ever(*_: object) -> str:
        while True:
            pass

    monkeypatch.setattr("ingestion.extract.pypdf_reader._PAGE_SECONDS", 0.05)
    monkeypatch.setattr(pypdf.PageObject, "extract_text", for_ever)

    assert SecondReader(written("nobody waits for this")).text(0) == ""
