import pytest

from ingestion.extract import opendocument
from ingestion.extract.reading import Work
from ingestion.limits import JailLimits
from models.errors import EncryptedDocument, ParserFailed, TooComplex
from tests.support import office


def text_of(body: str, *, styles: str = "", masters: str = "") -> str:
    content = office.open_document("text", body, styles=styles, masters=masters)
    return office.texts(opendocument.read_text(content, office.WORK))[0]


def hiding(name: str) -> str:
    return f'<style:style style:name="{name}"><style:text-properties text:display="none"/></style:style>'


def sheet(rows: str, *, name: str = "Birds", style: str = "") -> str:
    return f'<table:table table:name="{name}" table:style-name="{style}">{rows}</table:table>'


def row(*texts: str, attributes: str = "") -> str:
    cells = "".join(f"<table:table-cell><text:p>{text}</text:p></table:table-cell>" for text in texts)
    return f"<table:table-row {attributes}>{cells}</table:table-row>"


def sheets(body: str, *, styles: str = "", limits: JailLimits | None = None) -> list[str]:
    content = office.open_document("spreadsheet", body, styles=styles)
    return office.texts(opendocument.read_sheet(content, Work(limits or JailLimits())))


def test_a_text_is_one_page_with_its_headings_lists_and_tables() -> None:
    content = office.open_document(
        "text",
        '<text:h text:outline-level="1">Herons</text:h><text:p>They <text:span>wait</text:span>.</text:p>'
        '<text:section><text:h text:outline-level="2">Food</text:h><text:list><text:list-item><text:p>fish</text:p>'
        "</text:list-item><text:list-item><text:p>frogs</text:p></text:list-item></text:list></text:section>"
        f"<table:table><table:table-header-rows>{row('Place', 'Count')}</table:table-header-rows>{row('Pond', '3')}"
        "</table:table>",
    )

    [(page, outline)] = office.composed(opendocument.read_text(content, office.WORK))

    assert page.text == "Herons\n\nThey wait.\n\nFood\nfish\nfrogs\n\nPlace | Count\nPond | 3"
    assert [(heading.title, heading.level) for heading in outline.headings] == [("Herons", 1), ("Food", 2)]
    assert outline.columns_at(page.text.index("Pond")) == "Place | Count"


def test_blanks_frames_and_notes_are_read_where_they_belong_and_margins_come_last_once() -> None:
    margin = "<style:{0}><text:p>School of Herons</text:p></style:{0}>".format
    text = text_of(
        '<text:p>a\n  b<text:tab/>c<text:line-break/>d<text:s text:c="2"/>e'
        "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>its source</text:p>"
        "</text:note-body></text:note><draw:frame><draw:text-box><text:p>boxed</text:p></draw:text-box></draw:frame>"
        "</text:p><text:p>next</text:p>",
        masters=f"<style:master-page>{margin('header')}{margin('footer')}</style:master-page>",
    )

    assert text == "a b\tc\nd e\n\nits source\n\nboxed\n\nnext\n\nSchool of Herons"


def test_what_is_deleted_hidden_or_said_aside_is_not_read() -> None:
    text = text_of(
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>UNSEEN</text:p></text:deletion>"
        "</text:changed-region></text:tracked-changes>"
        "<text:p>seen<office:annotation><text:p>UNSEEN</text:p></office:annotation>"
        '<text:span text:style-name="ghost">UNSEEN</text:span></text:p><text:p text:style-name="ghost">UNSEEN</text:p>'
        '<text:section text:display="none"><text:p>UNSEEN</text:p></text:section>'
        '<text:p>UNSEEN<text:hidden-paragraph text:is-hidden="true"/></text:p>',
        styles=hiding("ghost"),
    )

    assert text == "seen"


def test_of_a_word_with_its_reading_the_word_stays_whole() -> None:
    ruby = "<text:ruby><text:ruby-base>{}</text:ruby-base><text:ruby-text>{}</text:ruby-text></text:ruby>".format

    assert text_of(f"<text:p>{ruby('東', 'とう')}{ruby('京', 'きょう')}へ行く</text:p>") == "東京へ行く"


def test_repeated_blanks_cost_nothing() -> None:
    assert text_of('<text:p>a<text:s text:c="2000000000"/>b</text:p>') == "a b"


def test_each_slide_is_a_page_with_its_title_first_and_its_notes_last() -> None:
    def frame(text: str, kind: str = "outline", more: str = "") -> str:
        return (
            f'<draw:frame presentation:class="{kind}" {more}><draw:text-box><text:p>{text}</text:p></draw:text-box>'
            "</draw:frame>"
        )

    placeholder = frame("UNSEEN", more='presentation:placeholder="true"')
    content = office.open_document(
        "presentation",
        f"<draw:page>{frame('point')}{frame('First', 'title')}<draw:g><draw:custom-shape><text:p>shape</text:p>"
        f"</draw:custom-shape></draw:g><presentation:notes>{frame('said', 'notes')}{frame('UNSEEN', 'header')}"
        "</presentation:notes></draw:page>"
        f'<draw:page draw:style-name="hidden">{frame("UNSEEN")}</draw:page>'
        f"<draw:page>{frame('last')}{placeholder}</draw:page>",
        styles='<style:style style:name="hidden"><style:drawing-page-properties presentation:visibility="hidden"/>'
        "</style:style>",
    )

    reading = office.composed(opendocument.read_slides(content, office.WORK))

    assert [page.text for page, _ in reading] == ["First\n\npoint\n\nshape\n\nsaid", "", "last"]
    assert [(heading.title, heading.level) for heading in reading[0][1].headings] == [("First", 1)]


def test_a_sheet_is_a_page_under_its_name_and_its_first_row_names_the_columns() -> None:
    body = sheet(row("Place", "Count") + row("Pond", "3")) + sheet(row("Pike"), name="Fish")
    content = office.open_document("spreadsheet", body)

    [(birds, outline), (fish, other)] = office.composed(opendocument.read_sheet(content, office.WORK))

    assert (birds.text, fish.text) == ("Place | Count\nPond | 3", "Pike")
    assert outline.columns_at(birds.text.index("Pond")) == "Place | Count"
    assert (outline.above, other.above) == (("Birds",), ("Fish",))


def test_dates_and_times_are_in_iso_form_and_other_values_as_they_are_shown() -> None:
    cell = "<table:table-cell office:value-type='{}' {}><text:p>{}</text:p></table:table-cell>".format
    cells = (
        cell("date", "office:date-value='2026-11-21'", "21.11.26")
        + cell("time", "office:time-value='PT08H10M00S'", "8 Uhr 10")
        + cell("percentage", "office:value='0.125'", "12,5 %")
    )

    assert sheets(sheet(f"<table:table-row>{cells}</table:table-row>")) == ["2026-11-21 | 8:10:00 | 12,5 %"]


def test_what_is_hidden_in_a_spreadsheet_is_not_read() -> None:
    hidden = '<style:style style:name="off"><style:table-properties table:display="false"/></style:style>'
    columns = '<table:table-column/><table:table-column table:visibility="collapse"/><table:table-column/>'
    rows = columns + row("seen", "UNSEEN", "too") + row("UNSEEN", attributes='table:visibility="filter"')

    assert sheets(sheet(rows) + sheet(row("UNSEEN"), style="off"), styles=hidden) == ["seen | too"]


def test_repeated_cells_count_each_time_and_empty_ones_never() -> None:
    times = 'table:number-rows-repeated="{}"'.format
    empty = (
        '<table:table-row table:number-rows-repeated="1048576">'
        '<table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    )

    assert sheets(sheet(row("a", "b", attributes=times(3)) + empty + row("end"))) == ["a | b\na | b\na | b\nend"]
    assert sheets(sheet(row("a", "b", attributes=times(50))), limits=JailLimits(cells=100))
    with pytest.raises(TooComplex):
        sheets(sheet(row("a", "b", attributes=times(51))), limits=JailLimits(cells=100))
    with pytest.raises(TooComplex):
        sheets(sheet(row("a", attributes=times(1_048_576))))


def test_a_password_is_asked_for() -> None:
    entry = '<manifest:file-entry manifest:full-path="content.xml"><manifest:encryption-data/></manifest:file-entry>'

    with pytest.raises(EncryptedDocument):
        opendocument.read_text(office.open_document("text", "<text:p>x</text:p>", manifest=entry), office.WORK)


@pytest.mark.parametrize(
    ("body", "error"),
    [("<text:section>" * 201 + "</text:section>" * 201, TooComplex), ("<text:p>", ParserFailed)],
    ids=["deep", "damaged"],
)
def test_what_is_made_to_hurt_is_refused(body: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        text_of(body)


def test_entities_another_kind_and_a_missing_part_are_refused() -> None:
    content = office.open_document("text", "<text:p>canary</text:p>")
    laughing = office.changed(content, {"content.xml": lambda xml: office.LAUGHS + xml.replace(b"canary", b"&b;")})

    for broken in (laughing, office.open_document("presentation", ""), office.zipped({"mimetype": "x"})):
        with pytest.raises(ParserFailed):
            opendocument.read_text(broken, office.WORK)
