import pytest

from ingestion.extract import epub
from ingestion.extract.reading import Work
from ingestion.limits import JailLimits
from models.errors import EncryptedDocument, ParserFailed, TooComplex
from tests.support import office


def chapter(body: str) -> str:
    return f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>UNSEEN</title></head><body>{body}</body></html>'


def texts(content: bytes) -> list[str]:
    return office.texts(epub.read(content, office.WORK))


def text_of(body: str) -> str:
    return texts(office.book({"a.xhtml": chapter(body)}))[0]


def encryption(algorithm: str) -> dict[str, str]:
    return {
        "META-INF/encryption.xml": '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"'
        ' xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData>'
        f'<enc:EncryptionMethod Algorithm="{algorithm}"/></enc:EncryptedData></encryption>'
    }


def test_each_chapter_is_a_page_in_the_order_of_the_spine() -> None:
    chapters = {"one.xhtml": chapter("<h1>One</h1><p>first</p><h3>Part</h3>"), "two.xhtml": chapter("<p>second</p>")}
    content = office.book(chapters, spine='<itemref idref="c1"/><itemref idref="c0"/><itemref idref="missing"/>')

    reading = office.composed(epub.read(content, office.WORK))

    assert [page.text for page, _ in reading] == ["second", "One\n\nfirst\n\nPart"]
    assert [(heading.title, heading.level) for heading in reading[1][1].headings] == [("One", 1), ("Part", 3)]


def test_paragraphs_lists_tables_and_lines_keep_their_form() -> None:
    text = text_of(
        "<div>loose <b>words</b>\n  here<p>a<br/>b</p></div><ul><li>one</li><li><p>two</p></li></ul>"
        "<table><tr><th>Place</th><th>Count</th></tr><tr><td>Pond</td><td><p>3</p></td></tr></table>"
        "<pre>x\n  y</pre><table><tr><td><h2>Framed</h2>text</td></tr></table>"
    )

    assert text == ("loose words here\n\na\nb\none\ntwo\n\nPlace | Count\nPond | 3\n\nx\n  y\n\nFramed\n\ntext")


def test_a_row_of_headings_names_columns() -> None:
    content = office.book(
        {"a.xhtml": chapter("<table><tr><th>Place</th><th>Count</th></tr><tr><td>Pond</td><td>3</td></tr></table>")}
    )

    [(page, outline)] = office.composed(epub.read(content, office.WORK))

    assert outline.columns_at(page.text.index("Pond")) == "Place | Count"


def test_what_a_reader_does_not_see_is_not_read() -> None:
    text = text_of(
        "<script>UNSEEN</script><style>UNSEEN</style><p hidden=''>UNSEEN</p><p style='display: none'>UNSEEN</p>"
        "<!-- UNSEEN --><svg xmlns='http://www.w3.org/2000/svg'><title>UNSEEN</title></svg><p>seen</p>"
    )

    assert text == "seen"


def test_of_a_word_with_its_reading_the_word_stays_whole() -> None:
    text = text_of("<p><ruby>東<rp>(</rp><rt>とう</rt><rp>)</rp>京<rt>きょう</rt></ruby>へ行く</p>")

    assert text == "東京へ行く"


def test_an_old_book_is_read_with_its_named_characters_and_without_its_document_type() -> None:
    page = (
        '<?xml version="1.0" encoding="iso-8859-1"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN"'
        ' "http://127.0.0.1:9/xhtml11.dtd">'
        + chapter("<p>fa\xe7ade&nbsp;&eacute;t&eacute; &amp; &unknown; &lt;b&gt;</p>")
    )

    assert texts(office.book({"a.xhtml": page.encode("latin-1")})) == ["façade été & &unknown; <b>"]


@pytest.mark.parametrize(
    "page",
    [
        "<html><body><p>not closed<p>still read<br></body>",
        "<html><body><p>not closed" + "<p>" * 1000 + "still read",
        "<html><head><title/></head><body><p>not closed<p>still read</div></body></html>",
    ],
)
def test_a_chapter_that_is_no_xml_is_read_as_a_browser_would(page: str) -> None:
    assert texts(office.book({"a.xhtml": page})) == ["not closed\n\nstill read"]


def test_a_table_of_contents_is_passed_over_unless_there_is_nothing_else() -> None:
    contents = '<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    spine = '<itemref idref="n"/>'
    others = {"OPS/nav.xhtml": chapter("<nav><ol><li>One</li></ol></nav>")}
    chapters = {"a.xhtml": chapter("<p>text</p>")}

    both = office.book(chapters, spine=spine + '<itemref idref="c0"/>', manifest=contents, others=others)

    assert texts(both) == ["text"]
    assert texts(office.book(chapters, spine=spine, manifest=contents, others=others)) == ["One"]


def test_a_table_of_contents_inside_a_chapter_does_not_hide_the_chapter() -> None:
    content = office.zipped(
        {
            "META-INF/container.xml": '<container><rootfiles><rootfile full-path="b.opf"/></rootfiles></container>',
            "b.opf": '<package><manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
            '<item id="t" href="t.xhtml" media-type="application/xhtml+xml"/></manifest>'
            '<spine><itemref idref="t"/><itemref idref="a"/></spine>'
            '<guide><reference type="toc" href="a.xhtml#toc"/><reference type="toc" href="t.xhtml"/></guide></package>',
            "a.xhtml": chapter("<p>text</p>"),
            "t.xhtml": chapter("<p>UNSEEN</p>"),
        }
    )

    assert texts(content) == ["text"]


def test_names_are_resolved_inside_the_archive_only() -> None:
    outside = office.book({"../../etc/passwd": chapter("UNSEEN")})
    inside = office.book({"t%20x/a.xhtml": "", "../b.xhtml": ""}, others={
        "OPS/t x/a.xhtml": chapter("<p>spaced</p>"), "b.xhtml": chapter("<p>above</p>"),
    })  # fmt: skip

    with pytest.raises(ParserFailed):
        epub.read(outside, office.WORK)
    assert texts(inside) == ["spaced", "above"]


def test_a_protected_book_is_refused_and_one_with_obfuscated_fonts_is_not() -> None:
    chapters = {"a.xhtml": chapter("<p>open</p>")}

    with pytest.raises(EncryptedDocument):
        epub.read(office.book(chapters, others=encryption("http://www.w3.org/2001/04/xmlenc#aes256-cbc")), office.WORK)
    assert texts(office.book(chapters, others=encryption("http://www.idpf.org/2008/embedding"))) == ["open"]


@pytest.mark.parametrize(
    ("page", "error"),
    [
        (chapter("<div>" * 250 + "x" + "</div>" * 250), TooComplex),
        (chapter("<div>" * 60_000), TooComplex),
        ("<html><body><p " + " ".join(f"a{number}=1" for number in range(20_000)) + ">", TooComplex),
        (office.LAUGHS.decode() + chapter("&b;"), ParserFailed),
        ("", ParserFailed),
    ],
    ids=["deep", "tags", "attributes", "entities", "empty"],
)
def test_what_is_made_to_hurt_is_refused(page: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        epub.read(office.book({"a.xhtml": page}), Work(JailLimits(archive_ratio=10_000)))


def test_a_book_without_its_package_is_damaged() -> None:
    with pytest.raises(ParserFailed):
        epub.read(office.zipped({"mimetype": "application/epub+zip"}), office.WORK)
