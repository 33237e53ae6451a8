"""Word documents: a worksheet, a chapter with formulas, a text in many scripts, one written over by many hands."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.corpus.made import BEES, HARBOUR, MARKET, NIGHT, ORCHARD, RIVER, TEA, Made
from tests.support import office

_EXERCISES = (
    ("Measure the gauge.", "List Number"),
    ("Draw both peaks.", "List Number"),
    ("in winter", "List Number 2"),
    ("in spring", "List Number 2"),
    ("Compare with Brede.", "List Number"),
)


def made() -> Iterator[Made]:
    """Yield the documents."""
    yield _worksheet()
    yield _chapter()
    yield _scripts()
    yield _revised()
    yield _exercises()


def _packed(body: str, *, parts: Mapping[str, str] | None = None) -> bytes:
    """Return a document with this body and these parts, which says of each part what it is, as some readers need."""
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    types = "".join(
        f'<Override PartName="/word/{part}.xml" ContentType="{kind}.{name}+xml"/>'
        for part, name in (("document", "document.main"), *((part, part) for part in parts or {}))
    )
    rels = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    listed = f'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">{rels}{types}</Types>'
    return office.changed(office.word_body(body, parts=parts), {"[Content_Types].xml": lambda _: listed.encode()})


def _p(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def _box(text: str) -> str:
    """Return a text box as Word writes it: once for itself, once more for programs of 2003."""
    content = f"<w:txbxContent>{_p(text)}</w:txbxContent>"
    return (
        f'<mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wps:wsp><wps:txbx>{content}</wps:txbx></wps:wsp>'
        f"</w:drawing></mc:Choice><mc:Fallback><w:pict><v:shape><v:textbox>{content}</v:textbox></v:shape></w:pict>"
        "</mc:Fallback></mc:AlternateContent>"
    )


def _worksheet() -> Made:
    """Return what a teacher hands out: a box with the task, notes, a table with merged cells, head and foot."""
    title, first, second, third, fourth, fifth = "Reading the flood gauges", *RIVER
    box, note = "Task: underline both causes of the double peak.", "Holm lies twelve metres above the sea."
    rows = (("Month", "Peak in centimetres"), ("", "snow", "rain"), ("March", "212", "174"), ("April", "188", "231"))
    merged = (
        '<w:tr><w:tc><w:tcPr><w:vMerge w:val="restart"/></w:tcPr>' + _p(rows[0][0]) + "</w:tc>"
        '<w:tc><w:tcPr><w:gridSpan w:val="2"/></w:tcPr>' + _p(rows[0][1]) + "</w:tc></w:tr>"
        "<w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc>"
        + "".join(f"<w:tc>{_p(cell)}</w:tc>" for cell in rows[1][1:])
        + "</w:tr>"
    )
    plain = "".join("<w:tr>" + "".join(f"<w:tc>{_p(cell)}</w:tc>" for cell in row) + "</w:tr>" for row in rows[2:])
    comment = '<w:r><w:commentReference w:id="0"/></w:r>'
    body = (
        _p(title, "Title")
        + f"<w:p><w:r><w:t>{first}</w:t></w:r><w:r>{_box(box)}</w:r></w:p>"
        + f'<w:p><w:r><w:t>{second}</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r>{comment}</w:p>'
        + f"<w:tbl>{merged}{plain}</w:tbl>"
        + "".join(map(_p, (third, fourth, fifth)))
    )
    parts = {
        "footnotes": f'<w:footnote w:id="2">{_p(note)}</w:footnote>',
        "header": _p("Geography, second term"),
        "footer": _p("Please return by Friday"),
        "comments": f'<w:comment w:id="0">{_p("Too hard for this class?")}</w:comment>',
    }
    cells = tuple(cell for row in rows for cell in row if cell)
    truth = (title, first, box, second, note, *cells, third, fourth, fifth, *("Geography, second term",))
    return Made("worksheet.docx", _packed(body, parts=parts), (*truth, "Please return by Friday"))


def _chapter() -> Made:
    """Return a chapter made with the usual library: headings, lists within lists, a table in a table, links."""

    def fill(document: Any) -> None:
        document.add_heading("Bees of the wall", 1)
        document.add_paragraph(BEES[0])
        document.add_heading("Nests", 2)
        document.add_paragraph("clay", style="List Bullet")
        document.add_paragraph("wet clay for doors", style="List Bullet 2")
        document.add_paragraph("sand", style="List Bullet")
        document.add_paragraph(BEES[1])
        table = document.add_table(2, 2)
        table.cell(0, 0).text, table.cell(0, 1).text = "Species", "Flies from"
        table.cell(1, 0).text = "Osmia cornuta"
        inner = table.cell(1, 1).add_table(1, 2)
        inner.cell(0, 0).text, inner.cell(0, 1).text = "March", "Aprilwind"
        for text in BEES[2:]:
            document.add_paragraph(text)
        document.sections[0].header.paragraphs[0].text = "Naturkunde 7b"
        document.core_properties.comments = "secretword"

    truth = (
        "Bees of the wall",
        BEES[0],
        "Nests",
        "clay",
        "wet clay for doors",
        "sand",
        BEES[1],
        "Species",
        "Flies from",
    )
    rest = ("Osmia cornuta", "March", "Aprilwind", *BEES[2:], "Naturkunde 7b")
    return Made("chapter.docx", office.word(fill), (*truth, *rest))


def _scripts() -> Made:
    texts = (*TEA, *HARBOUR, *ORCHARD, *MARKET, *NIGHT)
    reading = (
        "<w:p><w:r><w:ruby><w:rt><w:r><w:t>みなと</w:t></w:r></w:rt>"
        "<w:rubyBase><w:r><w:t>港</w:t></w:r></w:rubyBase></w:ruby></w:r>"
        "<w:r><w:t>の灯</w:t></w:r></w:p>"
    )
    return Made("scripts.docx", _packed("".join(map(_p, texts)) + reading), (*texts, "港の灯"))


def _revised() -> Made:
    """Return a text with insertions, deletions, hidden words, fields and content controls."""
    body = (
        f'<w:p><w:r><w:t xml:space="preserve">The sluice </w:t></w:r><w:ins><w:r><w:t>opens</w:t></w:r></w:ins>'
        f"<w:del><w:r><w:delText>closes</w:delText></w:r></w:del><w:r><w:t> at dawn.</w:t></w:r></w:p>"
        f"<w:sdt><w:sdtPr/><w:sdtContent>{_p(RIVER[0])}</w:sdtContent></w:sdt>"
        "<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>answer key: gulls</w:t></w:r>"
        "<w:r><w:t>Visible line.</w:t></w:r></w:p>"
        '<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>DATE \\@ "d"</w:instrText></w:r>'
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>14 March</w:t></w:r>'
        '<w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>'
        "<w:p><w:hyperlink><w:r><w:t>The map of Holm</w:t></w:r></w:hyperlink></w:p>"
        f'<w:p><w:r><w:t>{RIVER[3]}</w:t></w:r><w:r><w:endnoteReference w:id="1"/></w:r></w:p>'
    )
    note = f'<w:endnote w:id="1">{_p("Told by a miller in Brede.")}</w:endnote>'
    truth = ("The sluice opens at dawn.", RIVER[0], "Visible line.", "14 March", "The map of Holm", RIVER[3])
    data = _packed(body, parts={"endnotes": note})
    return Made("revised.docx", data, (*truth, "Told by a miller in Brede."))


def _exercises() -> Made:
    """Return numbered exercises with lettered parts; the numbers are Word's own."""

    def fill(document: Any) -> None:
        document.add_heading("Exercises", 1)
        for text, style in _EXERCISES:
            document.add_paragraph(text, style=style)
        document.add_paragraph(RIVER[4])

    numbered = (
        "1. Measure the gauge.",
        "2. Draw both peaks.",
        "1. in winter",
        "2. in spring",
        "3. Compare with Brede.",
    )
    return Made("exercises.docx", office.word(fill), ("Exercises", *numbered, RIVER[4]))
