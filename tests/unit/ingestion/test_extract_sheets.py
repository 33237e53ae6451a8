import datetime
from typing import Any

import pytest
from openpyxl.comments import Comment

from ingestion.extract import sheets
from ingestion.extract.reading import Work
from ingestion.limits import JailLimits
from models.errors import ParserFailed, TooComplex
from tests.support import office

# Excel knows no time zones.
day = datetime.datetime.fromisoformat


def texts(content: bytes) -> list[str]:
    return office.texts(sheets.read(content, office.WORK))


def cells(values: list[tuple[Any, str]]) -> bytes:
    """Return a workbook with one value a row, shown in a format."""

    def build(book: Any) -> None:
        for row, (value, shown_as) in enumerate(values, start=1):
            cell = book.active.cell(row, 1, value)
            cell.number_format = shown_as

    return office.workbook(build)


def raw_sheet(rows: str, *, shared: str = "") -> bytes:
    """Return a workbook whose first sheet has these rows, written by hand."""
    return office.changed(
        office.workbook(lambda book: book.active.append(["x"])),
        {
            "xl/worksheets/sheet1.xml": lambda _: (
                '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
                f"<sheetData>{rows}</sheetData></worksheet>"
            ).encode(),
            "xl/sharedStrings.xml": lambda _: f"<sst>{shared}</sst>".encode(),
        },
    )


def test_a_sheet_is_a_page_under_its_name_and_its_first_row_names_the_columns() -> None:
    def build(book: Any) -> None:
        book.active.title = "Birds"
        for row in (["Place", "Count"], ["Pond", 3], [None, None], ["Lake", None]):
            book.active.append(row)
        book.create_sheet("Fish").append(["Pike"])

    [(birds, outline), (fish, other)] = office.composed(sheets.read(office.workbook(build), office.WORK))

    assert (birds.text, fish.text) == ("Place | Count\nPond | 3\nLake", "Pike")
    assert outline.columns_at(birds.text.index("Lake")) == "Place | Count"
    assert (outline.above, other.above) == (("Birds",), ("Fish",))


def test_a_title_above_the_table_names_no_columns() -> None:
    def build(book: Any) -> None:
        for row in (["All our birds"], [], ["Place", "Count"], ["Pond", 3]):
            book.active.append(row)

    [(page, outline)] = office.composed(sheets.read(office.workbook(build), office.WORK))

    assert not outline.columns_at(page.text.index("Place"))
    assert outline.columns_at(page.text.index("Pond")) == "Place | Count"


@pytest.mark.parametrize(
    ("value", "shown_as", "text"),
    [
        (day("2026-11-21"), "dd.mm.yyyy", "2026-11-21"),
        (day("2026-11-21T08:10"), "m/d/yy h:mm", "2026-11-21 08:10"),
        (day("2026-11-21"), '[$-407]d. mmmm yyyy', "2026-11-21"),
        (day("1900-01-01"), "yyyy-mm-dd", "1900-01-01"),
        (datetime.time(18, 5, 9), "h:mm:ss", "18:05:09"),
        (datetime.timedelta(hours=30, minutes=5), "[h]:mm:ss", "30:05:00"),
        (datetime.timedelta(hours=30, minutes=5), "[h]:mm", "30:05"),
        (datetime.timedelta(minutes=45), "[mm]:ss", "0:45:00"),
        (0.125, "0%", "13%"),
        (0.125, "0.0%", "12.5%"),
        (3.0, "General", "3"),
        (0.1 + 0.2, "General", "0.3"),
        (46000, '0 "days"', "46000"),
        (46000, "[Red]0.00", "46000"),
        (-1.5, "yyyy-mm-dd", "-1.5"),
        (True, "General", "TRUE"),
        ("#DIV/0!", "General", "#DIV/0!"),
        (5, ";;;", ""),
    ],
)  # fmt: skip
def test_a_cell_says_what_people_see(value: Any, shown_as: str, text: str) -> None:
    assert texts(cells([(value, shown_as)])) == [text]


def test_days_count_from_1904_where_the_file_says_so() -> None:
    def build(book: Any) -> None:
        book.epoch = day("1904-01-01")
        book.active.append([datetime.date(2026, 11, 21)])

    assert texts(office.workbook(build)) == ["2026-11-21"]


def test_texts_are_shared_rich_inline_or_computed() -> None:
    content = raw_sheet(
        '<row><c t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r></is></c><c t="str"><f>A1</f><v>cached</v></c>'
        '<c t="s"><v>0</v></c><c t="s"><v>7</v></c><c t="e"><v>#N/A</v></c><c><f>NOW()</f></c></row>',
    )
    shared = office.changed(
        office.workbook(lambda book: book.active.append(["東京"])),
        {
            "xl/sharedStrings.xml": lambda xml: xml.replace(
                "<t>東京</t>".encode(), "<r><t>東</t></r><r><t>京</t></r><rPh><t>UNSEEN</t></rPh>".encode()
            )
        },
    )

    assert texts(content) == ["inline | cached | #N/A"]
    assert texts(shared) == ["東京"]


def test_what_is_hidden_is_not_read() -> None:
    def build(book: Any) -> None:
        sheet = book.active
        sheet.append(["seen", "UNSEEN", "too"])
        sheet.append(["UNSEEN"])
        sheet.column_dimensions["B"].hidden = True
        sheet.row_dimensions[2].hidden = True
        sheet["A1"].comment = Comment("UNSEEN", "UNSEEN")
        for state in ("hidden", "veryHidden"):
            other = book.create_sheet(state)
            other.append(["UNSEEN"])
            other.sheet_state = state
        book.properties.creator = "UNSEEN"

    assert texts(office.workbook(build)) == ["seen | too"]


def test_a_sheet_is_as_large_as_it_likes_and_only_what_is_in_it_counts() -> None:
    def build(book: Any) -> None:
        book.active["A1"] = "first"
        book.active["XFD1048576"] = "last"

    assert texts(office.workbook(build)) == ["first\n| last"]


def test_cells_spread_over_many_columns_are_read_in_time() -> None:
    def build(book: Any) -> None:
        for number in range(1, 4_000):
            book.active.cell(number, number, f"c{number}")

    [text] = texts(office.workbook(build))

    assert text.endswith("c3998\nc3999")


def test_one_filled_cell_too_many_is_refused() -> None:
    def build(book: Any) -> None:
        for _ in range(10):
            book.active.append(["x"] * 10)

    content = office.workbook(build)

    assert sheets.read(content, Work(JailLimits(cells=100)))
    with pytest.raises(TooComplex):
        sheets.read(content, Work(JailLimits(cells=99)))


def test_empty_cells_without_end_and_texts_without_end_are_refused() -> None:
    work = Work(JailLimits(cells=100, archive_ratio=10_000))

    with pytest.raises(TooComplex):
        sheets.read(raw_sheet("<row>" + "<c/>" * 1_001 + "</row>"), work)
    assert office.texts(sheets.read(raw_sheet("<row>" + "<c/>" * 1_000 + "</row>"), work)) == [""]


def test_a_damaged_sheet_and_one_with_entities_are_refused() -> None:
    laughing = office.changed(
        raw_sheet("<row/>"), {"xl/worksheets/sheet1.xml": lambda xml: office.LAUGHS + xml.replace(b"<row/>", b"&b;")}
    )

    for content in (raw_sheet("<row><c>"), laughing):
        with pytest.raises(ParserFailed):
            sheets.read(content, office.WORK)


def test_a_link_to_another_file_is_not_followed() -> None:
    content = office.changed(
        office.workbook(lambda book: book.active.append(["x"])),
        {"xl/_rels/workbook.xml.rels": lambda xml: xml.replace(b"/xl/worksheets/sheet1.xml", b"file:///etc/passwd")},
    )

    assert texts(content) == [""]
