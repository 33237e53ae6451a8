from typing import Any

import pytest

from ingestion.extract import word
from ingestion.extract.reading import Work
from ingestion.limits import JailLimits
from models.errors import ParserFailed, TooComplex, TooMuchText
from tests.support import office


def text_of(content: bytes) -> str:
    return office.texts(word.read(content, office.WORK))[0]


def paragraph(text: str, *, properties: str = "", run: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:rPr>{run}</w:rPr><w:t>{text}</w:t></w:r></w:p>"


def test_a_document_is_one_page_with_its_headings_lists_and_tables() -> None:
    def build(document: Any) -> None:
        document.add_heading("Herons", 1)
        document.add_paragraph("They wait.")
        document.add_heading("Food", 2)
        document.add_paragraph("fish", style="List Bullet")
        document.add_paragraph("frogs", style="List Bullet")
        table = document.add_table(3, 2)
        for row, texts in zip(table.rows, (("Place", "Count"), ("Pond", "3"), ("Lake", "12")), strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text

    [(page, outline)] = office.composed(word.read(office.word(build), office.WORK))

    assert page.text == "Herons\n\nThey wait.\n\nFood\nfish\nfrogs\n\nPlace | Count\nPond | 3\nLake | 12"
    assert [(heading.title, heading.level) for heading in outline.headings] == [("Herons", 1), ("Food", 2)]
    assert outline.columns_at(page.text.index("Pond")) == "Place | Count"
    assert not outline.columns_at(page.text.index("Place"))


def test_a_heading_is_known_by_its_style_in_any_language_and_by_what_that_is_based_on() -> None:
    styles = (
        '<w:style w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style>'
        '<w:style w:styleId="own"><w:basedOn w:val="berschrift2"/></w:style>'
        '<w:style w:styleId="a"><w:basedOn w:val="b"/></w:style><w:style w:styleId="b"><w:basedOn w:val="a"/></w:style>'
    )
    content = office.word_body(
        paragraph("Zweite", properties='<w:pStyle w:val="own"/>')
        + paragraph("direkt", properties='<w:outlineLvl w:val="3"/>')
        + paragraph("im Kreis", properties='<w:pStyle w:val="a"/>')
        + paragraph("doch Text", properties='<w:pStyle w:val="own"/><w:outlineLvl w:val="9"/>'),
        parts={"styles": styles},
    )

    [(_, outline)] = office.composed(word.read(content, office.WORK))

    assert [(heading.title, heading.level) for heading in outline.headings] == [("Zweite", 2), ("direkt", 4)]


def test_what_a_reader_sees_is_read_wherever_it_is_wrapped() -> None:
    run = "<w:r><w:t>{}</w:t></w:r>".format
    content = office.word_body(
        f"<w:sdt><w:sdtContent>{paragraph('control')}</w:sdtContent></w:sdt>"
        f"<w:p><w:hyperlink>{run('link')}</w:hyperlink><w:ins>{run(' inserted')}</w:ins>"
        f"<w:smartTag><w:fldSimple>{run(' field')}</w:fldSimple></w:smartTag></w:p>"
        "<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t><w:noBreakHyphen/><w:t>d</w:t><w:softHyphen/>"
        '<w:t>e</w:t><w:sym w:font="Symbol" w:char="F061"/></w:r></w:p>'
        "<m:oMathPara><m:oMath><m:r><m:t>y=</m:t></m:r><m:f><m:num><m:r><m:t>a</m:t></m:r></m:num>"
        "<m:den><m:r><m:t>b</m:t></m:r></m:den></m:f></m:oMath></m:oMathPara>"
    )

    assert text_of(content) == "control\n\nlink inserted field\n\na\tb\nc-deα\n\ny=a/b"


def test_text_boxes_are_read_once_after_their_paragraph() -> None:
    box = f"<w:txbxContent>{paragraph('in the box')}</w:txbxContent>"
    content = office.word_body(
        "<w:p><w:r><mc:AlternateContent>"
        f"<mc:Choice><w:drawing><wps:txbx>{box}</wps:txbx></w:drawing></mc:Choice>"
        f"<mc:Fallback><w:pict><v:textbox>{box}</v:textbox></w:pict></mc:Fallback>"
        "</mc:AlternateContent></w:r><w:r><w:t>before</w:t></w:r></w:p>" + paragraph("after")
    )

    assert text_of(content) == "before\n\nin the box\n\nafter"


def test_a_chart_is_read_from_the_part_that_holds_it() -> None:
    chart = "<c:title><c:rich><c:p><c:r><c:t>Trend</c:t></c:r></c:p></c:rich></c:title><c:ser><c:val><c:pt><c:v>7</c:v>"
    content = office.word_body(
        '<w:p><w:r><w:t>See:</w:t><w:drawing><c:chart xmlns:c="c" w:id="rchart"/></w:drawing></w:r></w:p>',
        parts={"chart": f'<c:plot xmlns:c="c">{chart}</c:pt></c:val></c:ser></c:plot>'},
    )

    assert text_of(content) == "See:\n\nTrend\n7"


def test_notes_follow_the_paragraph_that_refers_to_them_and_margins_come_last_once() -> None:
    content = office.word_body(
        '<w:p><w:r><w:t>claim</w:t><w:footnoteReference w:id="2"/></w:r></w:p>' + paragraph("next"),
        parts={
            "footnotes": f'<w:footnote w:id="0">{paragraph("separator")}</w:footnote>'
            f'<w:footnote w:id="2">{paragraph("its source")}</w:footnote>',
            "header": paragraph("School of Herons"),
            "footer": paragraph("School of Herons") + paragraph("7"),
        },
    )

    assert text_of(content) == "claim\n\nits source\n\nnext\n\nSchool of Herons"


def test_what_is_deleted_hidden_or_said_aside_is_not_read() -> None:
    marker = "UNSEEN"
    content = office.word_body(
        paragraph("seen")
        + paragraph(marker, run="<w:vanish/>")
        + paragraph(marker, run='<w:rStyle w:val="ghost"/>')
        + paragraph(marker, properties='<w:pStyle w:val="ghost"/>')
        + paragraph("shown", run='<w:vanish w:val="0"/>')
        + f"<w:p><w:del><w:r><w:delText>{marker}</w:delText></w:r></w:del><w:moveFrom><w:r><w:t>{marker}</w:t></w:r>"
        f"</w:moveFrom><w:r><w:instrText>{marker}</w:instrText></w:r><w:commentReference/></w:p>"
        f"<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc>{paragraph(marker)}</w:tc></w:tr></w:tbl>",
        parts={
            "styles": '<w:style w:styleId="ghost"><w:rPr><w:vanish/></w:rPr></w:style>',
            "comments": f"<w:comment>{paragraph(marker)}</w:comment>",
        },
    )

    assert text_of(content) == "seen\n\nshown"


def test_a_comment_and_the_properties_stay_out_of_a_real_file() -> None:
    def build(document: Any) -> None:
        document.core_properties.title = document.core_properties.author = "UNSEEN"
        document.add_comment(document.add_paragraph("seen").runs, text="UNSEEN")

    assert text_of(office.word(build)) == "seen"


def test_of_a_word_with_its_reading_the_word_stays_whole() -> None:
    def ruby(base: str, reading: str) -> str:
        return (
            f"<w:r><w:ruby><w:rt><w:r><w:t>{reading}</w:t></w:r></w:rt>"
            f"<w:rubyBase><w:r><w:t>{base}</w:t></w:r></w:rubyBase></w:ruby></w:r>"
        )

    content = office.word_body(f"<w:p>{ruby('東', 'とう')}{ruby('京', 'きょう')}<w:r><w:t>へ行く</w:t></w:r></w:p>")

    assert text_of(content) == "東京へ行く"


def test_a_frame_of_one_cell_is_text_and_a_table_in_a_cell_stays_in_its_row() -> None:
    inner = f"<w:tbl><w:tr><w:tc>{paragraph('x')}</w:tc><w:tc>{paragraph('y')}</w:tc></w:tr></w:tbl>"
    heading = paragraph("Framed", properties='<w:outlineLvl w:val="0"/>')
    content = office.word_body(
        f"<w:tbl><w:tr><w:tc>{heading}{paragraph('text')}</w:tc></w:tr></w:tbl>"
        f"<w:tbl><w:tr><w:tc>{paragraph('a')}{inner}</w:tc><w:tc>{paragraph('b')}</w:tc></w:tr></w:tbl>"
    )

    [(page, outline)] = office.composed(word.read(content, office.WORK))

    assert page.text == "Framed\n\ntext\n\na x y | b"
    assert [heading.title for heading in outline.headings] == ["Framed"]


@pytest.mark.parametrize(
    ("look", "names"), [('w:firstRow="1"', "A | B"), ('w:val="0480"', ""), ('w:val="04A0"', "A | B")]
)
def test_a_first_row_names_columns_when_it_is_shown_as_one(look: str, names: str) -> None:
    rows = "".join(
        f"<w:tr><w:tc>{paragraph(left)}</w:tc><w:tc>{paragraph(right)}</w:tc></w:tr>"
        for left, right in (("A", "B"), ("1", "2"))
    )
    content = office.word_body(f"<w:tbl><w:tblPr><w:tblLook {look}/></w:tblPr>{rows}</w:tbl>")

    [(page, outline)] = office.composed(word.read(content, office.WORK))

    assert outline.columns_at(page.text.index("1")) == names


def test_what_is_linked_or_embedded_is_never_opened() -> None:
    content = office.changed(
        office.word(lambda document: document.add_paragraph("outer")),
        {
            "word/embeddings/inner.docx": lambda _: office.word(lambda document: document.add_paragraph("UNSEEN")),
            "word/_rels/document.xml.rels": lambda rels: rels.replace(
                b"</Relationships>",
                b'<Relationship Id="x1" Type="http://x/header" Target="file:///etc/passwd" TargetMode="External"/>'
                b'<Relationship Id="x2" Type="http://x/header" Target="../../../etc/passwd"/>'
                b'<Relationship Id="x3" Type="http://x/package" Target="embeddings/inner.docx"/></Relationships>',
            ),
        },
    )

    assert text_of(content) == "outer"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("<w:sdt><w:sdtContent>" * 120 + "</w:sdtContent></w:sdt>" * 120, TooComplex),
        ("<w:tbl><w:tr><w:tc>" * 2000 + "</w:tc></w:tr></w:tbl>" * 2000, TooComplex),
        ("<w:p>", ParserFailed),
        ("<w:p><w:r><w:t>" + "a" * 10_000_001 + "</w:t></w:r></w:p>", ParserFailed),
    ],
    ids=["deep", "deeper", "damaged", "endless"],
)
def test_what_is_made_to_hurt_is_refused(body: str, error: type[Exception]) -> None:
    limits = JailLimits(archive_ratio=10_000)

    with pytest.raises(error):
        word.read(office.word_body(body), Work(limits))


def test_entities_are_refused_and_nothing_is_fetched() -> None:
    laughing = office.changed(
        office.word(lambda document: document.add_paragraph("canary")),
        {"word/document.xml": lambda xml: office.LAUGHS + xml[xml.index(b"<w:document") :].replace(b"canary", b"&b;")},
    )

    with pytest.raises(ParserFailed):
        word.read(laughing, office.WORK)


def test_more_text_than_allowed_is_refused() -> None:
    content = office.word_body(paragraph("x" * 60) + paragraph("y" * 60))

    assert word.read(content, Work(JailLimits(text_bytes=120)))
    with pytest.raises(TooMuchText):
        word.read(content, Work(JailLimits(text_bytes=119)))


def test_a_package_without_a_document_is_damaged() -> None:
    with pytest.raises(ParserFailed):
        word.read(office.zipped({"[Content_Types].xml": "<Types/>"}), office.WORK)


def test_numbers_set_higher_or_lower_and_parts_of_fractions_keep_their_meaning() -> None:
    def run(text: str, position: str) -> str:
        return f'<w:r><w:rPr><w:vertAlign w:val="{position}"/></w:rPr><w:t>{text}</w:t></w:r>'

    def part(name: str, text: str) -> str:
        return f"<m:{name}><m:r><m:t>{text}</m:t></m:r></m:{name}>"

    math = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    ten, letter = "<w:r><w:t>10</w:t></w:r>", "<w:r><w:t>H</w:t></w:r>"
    power = f"<w:p>{ten}{run('-3', 'superscript')}{letter}{run('2', 'subscript')}</w:p>"
    ordinal = f"<w:p><w:r><w:t>le 1</w:t></w:r>{run('er', 'superscript')}</w:p>"
    fraction = f"<w:p><m:oMath {math}><m:f>{part('num', 'a+b')}{part('den', '2c')}</m:f></m:oMath></w:p>"

    read = text_of(office.word_body(power + ordinal + fraction))

    assert read.split("\n\n") == ["10⁻³H₂", "le 1er", "(a+b)/(2c)"]
