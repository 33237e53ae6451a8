from typing import Any

import docx
import pytest

from ingestion.extract import word
from ingestion.extract.word_numbers import Numbers
from tests.support import office

LEVELS = (("decimal", "%1."), ("lowerLetter", "%2)"), ("upperRoman", "%1.%2.%3"), ("bullet", "•"))


def numbering(*lists: str, start: int = 1) -> str:
    """Return the part that says how lists count: one pattern, and these lists made from it."""
    levels = "".join(
        f'<w:lvl w:ilvl="{at}"><w:start w:val="{start}"/><w:numFmt w:val="{numerals}"/><w:lvlText w:val="{text}"/>'
        "</w:lvl>"
        for at, (numerals, text) in enumerate(LEVELS)
    )
    made = "".join(
        f'<w:num w:numId="{at}"><w:abstractNumId w:val="7"/>{each}</w:num>' for at, each in enumerate(lists, 1)
    )
    return f'<w:abstractNum w:abstractNumId="7">{levels}</w:abstractNum>{made}'


def entry(text: str, level: int = 0, number: int = 1) -> str:
    properties = f'<w:pPr><w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr></w:pPr>'
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def lines(body: str, numbers: str, **parts: str) -> list[str]:
    document = office.word_body(body, parts={"numbering": numbers, **parts})
    return [line for line in office.texts(word.read(document, office.WORK))[0].split("\n") if line]


def test_entries_are_counted_level_by_level_as_they_are_shown() -> None:
    levels = (0, 1, 1, 2, 3, 2, 0, 1)
    body = "".join(entry(f"entry{at}", level) for at, level in enumerate(levels))

    assert lines(body, numbering("")) == [
        "1. entry0", "a) entry1", "b) entry2", "1.b.I entry3", "entry4", "1.b.II entry5", "2. entry6", "a) entry7",
    ]  # fmt: skip


def test_lists_of_one_pattern_count_on_unless_one_starts_anew() -> None:
    anew = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'
    body = (
        entry("one") + entry("two", number=2) + entry("five", number=3) + entry("six", number=3) + entry("x", number=9)
    )

    assert lines(body, numbering("", "", anew)) == ["1. one", "2. two", "5. five", "6. six", "x"]


def test_a_heading_is_numbered_by_its_style_and_an_empty_paragraph_only_counts() -> None:
    numbered = '<w:pPr><w:outlineLvl w:val="0"/><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>'
    styles = f'<w:style w:styleId="H"><w:name w:val="heading 1"/>{numbered}</w:style>'
    heading = '<w:p><w:pPr><w:pStyle w:val="H"/></w:pPr><w:r><w:t>Rivers</w:t></w:r></w:p>'
    unnumbered = heading.replace("</w:pPr>", '<w:numPr><w:numId w:val="0"/></w:numPr></w:pPr>')
    document = office.word_body(
        heading + entry("") + heading + unnumbered, parts={"numbering": numbering(""), "styles": styles}
    )

    ((page, outline),) = office.composed(word.read(document, office.WORK))

    assert [heading.title for heading in outline.headings] == ["1. Rivers", "3. Rivers", "Rivers"]
    assert page.text.startswith("1. Rivers")


def test_a_document_made_with_the_usual_library_shows_its_numbers() -> None:
    def fill(document: Any) -> None:
        document.add_paragraph("wash", style="List Number")
        document.add_paragraph("dry", style="List Number")
        document.add_table(1, 2).cell(0, 0).paragraphs[0].style = docx.Document().styles["List Number"].name
        document.tables[0].cell(0, 0).paragraphs[0].add_run("fold")
        document.tables[0].cell(0, 1).text = "iron"

    assert office.texts(word.read(office.word(fill), office.WORK))[0].split("\n\n")[-1].endswith("3. fold | iron")


@pytest.mark.parametrize(
    ("numerals", "count", "written"),
    [
        ("upperLetter", 27, "AA"),
        ("lowerLetter", 100_000, "100000"),
        ("lowerRoman", 1994, "mcmxciv"),
        ("upperRoman", 999_999, "999999"),
        ("decimalZero", 7, "07"),
        ("japaneseCounting", 3, "3"),
    ],
)
def test_large_counts_and_rare_numerals_end_as_digits(numerals: str, count: int, written: str) -> None:
    levels = numbering("", start=count).replace('w:val="decimal"', f'w:val="{numerals}"')

    assert lines(entry("x"), levels) == [f"{written}. x"]


def test_without_a_part_that_says_how_nothing_is_counted() -> None:
    assert not Numbers(None).label("1", 0)
