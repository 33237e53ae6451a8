"""Tables, structured values, subtitles, mails and rich text: what is read, what is left out, what is refused."""

import json
import time
from email.message import EmailMessage

import pytest

from ingestion.extract import mail, rtf, structured, subtitles, tables, text
from ingestion.extract.reading import Reading, Work
from ingestion.extract.registry import Extractor
from ingestion.limits import MIB, JailLimits
from ingestion.outline import compose
from models.errors import MayflyError, TooComplex, TooMuchText, UnsupportedType

WORK = Work(JailLimits())
LONG_WORD = "x" * 200_000


def said(reading: Reading) -> str:
    assert len(reading.pages) == 1
    page, _ = compose(1, reading.pages[0], markdown=reading.markdown)
    return page.text


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_rows_stand_under_their_columns_whatever_separates_them(separator: str) -> None:
    rows = ["name,price,note", 'tea,"1,50","the ""best"""', "rye,2,"]
    content = "\r\n".join(row.replace(",", separator).replace(f"1{separator}50", "1,50") for row in rows)

    blocks = tables.read(content.encode("utf-16"), WORK).pages[0].blocks

    assert [block.text for block in blocks] == ["name | price | note", 'tea | 1,50 | the "best"', "rye | 2"]
    assert [block.columns for block in blocks] == ["", "name | price | note", "name | price | note"]


def test_a_quotation_mark_that_is_never_closed_swallows_nothing() -> None:
    content = 'size,name\n"12,pipe\n' + "3,rod\n" * 50_000

    assert said(tables.read(content.encode(), WORK)).endswith("3 | rod")


def test_a_short_table_with_an_unclosed_quotation_mark_keeps_its_rows() -> None:
    assert said(tables.read(b'size,name\n"12,pipe\n3,rod\n', WORK)) == 'size | name\n"12 | pipe\n3 | rod'


def test_a_quotation_mark_that_is_closed_too_early_spoils_nothing_else() -> None:
    assert said(tables.read(b'a;b\n"one"s;"x;y"\n3;4\n', WORK)) == "a | b\nones | x;y\n3 | 4"


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("1,5;2,5;3,5\n4,5;5,5;6,5\n", "1,5 | 2,5 | 3,5\n4,5 | 5,5 | 6,5"),
        ("sep=;\na,b;c\n", "a,b | c"),
        ('"sep=|"\r\na,b|c\r\n', "a,b | c"),
        ("SEP=\t\na,b\tc\n", "a,b | c"),
    ],
    ids=["German numbers", "stated", "stated in quotation marks", "stated tab"],
)
def test_cells_are_cut_where_their_author_meant(content: str, shown: str) -> None:
    assert said(tables.read(content.encode(), WORK)) == shown


def test_prose_in_one_column_is_not_cut_at_its_commas() -> None:
    lines = ["comment", "Good, but long", "Short", "Tides, moons, and stars, all in one", "Well; I liked it", "Yes"]

    assert said(tables.read("\n".join(lines).encode(), WORK)).split("\n") == lines


def test_a_line_end_inside_a_cell_stays_inside_its_row() -> None:
    assert said(tables.read(b'a,b\n"one\ntwo",three\n', WORK)) == "a | b\none two | three"


@pytest.mark.parametrize(
    ("content", "limits"),
    [
        (b'"' + LONG_WORD.encode(), JailLimits()),
        (b"a,b\n" * 60, JailLimits(cells=100)),
    ],
    ids=["field", "cells"],
)
def test_a_table_that_is_too_much_is_refused(content: bytes, limits: JailLimits) -> None:
    with pytest.raises(TooComplex):
        tables.read(content, Work(limits))


def test_each_value_of_a_structure_stands_after_its_path() -> None:
    content = {"title": "Herons", "birds": [{"name": "grey", "cm": 98}, {"name": "purple", "seen": None}], "ok": True}

    assert said(structured.read(json.dumps(content).encode(), WORK)) == (
        "title: Herons\n\nbirds[0].name: grey\nbirds[0].cm: 98\n\nbirds[1].name: purple\nbirds[1].seen: null\nok: true"
    )


def test_numbers_are_told_as_they_are_written() -> None:
    assert said(structured.read(b'{"a": 1.50, "b": 1e400, "c": ' + b"9" * 5000 + b"}", WORK)).split()[1:4] == [
        "1.50",
        "b:",
        "1e400",
    ]


def test_structures_line_by_line_are_read_too() -> None:
    assert said(structured.read(b'{"a": 1}\n\n{"a": 2}\n', WORK)) == "[0].a: 1\n\n[1].a: 2"


def test_what_is_no_json_after_all_is_text() -> None:
    assert said(structured.read(b"{not json, but words}", WORK)) == "{not json, but words}"


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 500_000 + b"]" * 500_000,
        b'{"a":' * 300 + b"1" + b"}" * 300,
        b"[" + b"1," * 300_000 + b"1]",
        b"[" + b"1," * 3_000_000 + b"1]",
    ],
    ids=["deeper than the parser", "deep", "long", "longer"],
)
def test_a_structure_that_is_too_much_is_refused(content: bytes) -> None:
    with pytest.raises(TooComplex):
        structured.read(content, WORK)


def test_a_structure_whose_paths_explode_is_refused() -> None:
    content = json.dumps({"k" * 100_000: list(range(1000))}).encode()

    with pytest.raises(TooMuchText):
        structured.read(content, WORK)


WEB = """WEBVTT Kind: captions

STYLE
::cue { color: red }

NOTE never shown

intro
00:01.000 --> 00:02.500 align:start
<v Ann>Hello &amp; <c.yellow>welcome</c></v>
to the <b>tide</b> pools

01:00:00.000 --> 01:00:01.000
5 < 6, <i>isn't it
"""
RIPPED = """1
00:00:01,000 --> 00:00:02,000
{\\an8}First, <font color="#fff">please</font>

2
00:00:99,9 -> never --> 00:xx
Broken times

3
00:00:05,000 --> 00:00:04,000
Backwards
4
00:00:06,000 --> 00:00:07,5
Without a gap
"""


def test_cues_keep_their_words_and_seconds_and_lose_their_marks() -> None:
    blocks = subtitles.read(WEB.encode(), WORK).pages[0].blocks

    assert [(block.text, block.seconds) for block in blocks] == [
        ("Hello & welcome to the tide pools", (1.0, 2.5)),
        ("5 < 6, isn't it", (3600.0, 3601.0)),
    ]
    assert all(block.tight for block in blocks)


def test_a_blank_inside_a_web_cue_ends_nothing() -> None:
    first = "00:01.000 --> 00:02.000 align:start\n \nthe<00:01.500><c> tide</c>\n"
    content = f"WEBVTT\n\n{first}\n00:02.000 --> 00:03.000\nfalls\n \n"

    blocks = subtitles.read(content.encode(), WORK).pages[0].blocks

    assert [(block.text, block.seconds) for block in blocks] == [("the tide", (1.0, 2.0)), ("falls", (2.0, 3.0))]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_cues_whose_times_make_no_sense_keep_their_words(line_end: str) -> None:
    blocks = subtitles.read(RIPPED.replace("\n", line_end).encode(), WORK).pages[0].blocks

    assert [(block.text, block.seconds) for block in blocks] == [
        ("First, please", (1.0, 2.0)),
        ("Broken times", None),
        ("Backwards", None),
        ("Without a gap", (6.0, 7.5)),
    ]


def letter(body: str = "The tide is high.", **headers: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in {"From": "Ann <ann@example.org>", "To": "bo@example.org", "Subject": "Tides", **headers}.items():
        message[name] = value
    message.set_content(body)
    return message


def test_a_mail_is_its_subject_who_wrote_to_whom_and_what() -> None:
    message = letter("Ebbe und Flut: schön.", Subject="Grüße 潮", Date="Mon, 1 Jan 2024 10:00:00 +0000")
    message.add_alternative("<p>never <b>shown</b></p>", subtype="html")
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="secret-name.pdf")
    message.add_attachment(letter("inside").as_bytes(), maintype="message", subtype="octet-stream")

    reading = mail.read(message.as_bytes(), WORK)

    assert said(reading) == (
        "Grüße 潮\n\nFrom: Ann <ann@example.org>\nTo: bo@example.org\nDate: Mon, 01 Jan 2024 10:00:00 +0000\n\n"
        "Ebbe und Flut: schön."
    )
    assert reading.pages[0].blocks[0].level == 1
    assert reading.attachments == 2


def test_a_mail_in_a_mail_is_an_attachment() -> None:
    message = letter()
    message.add_attachment(letter("inside, unopened"))

    reading = mail.read(message.as_bytes(), WORK)

    assert reading.attachments == 1
    assert "unopened" not in said(reading)


@pytest.mark.parametrize("plain", [None, "  \n"])
def test_a_mail_that_says_nothing_in_plain_text_is_read_as_a_page(plain: str | None) -> None:
    message = letter(plain or "")
    page = "<style>p {}</style><h1>High</h1><p>The tide<br>turns &amp; falls</p><script>no()</script>"
    if plain is None:
        message.set_content(page, subtype="html")
    else:
        message.add_alternative(page, subtype="html")

    assert said(mail.read(message.as_bytes(), WORK)).endswith("\n\nHigh\nThe tide\nturns & falls")


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("gb2312", "gb18030"),
        ("us-ascii", "utf-8"),
        ("utf-8", "gb18030"),
        ("no-such", "utf-8"),
        ("iso-8859-1", "cp1252"),
    ],
)
def test_a_mail_that_lies_about_its_encoding_is_told_by_its_bytes(declared: str, encoding: str) -> None:
    words = "潮汐是海水的周期性涨落现象。今天的海水很高,明天会更高。" if encoding != "cp1252" else "“Façade” – naïve"
    head = f"From: a@b\nSubject: x\nContent-Type: text/plain; charset={declared}\nContent-Transfer-Encoding: 8bit\n\n"

    assert words.split("。", maxsplit=1)[0].replace(",", ",") in said(
        mail.read(head.encode() + words.encode(encoding), WORK)
    )


def test_a_mail_to_very_many_names_them_as_they_stand_there() -> None:
    recipients = ", ".join(f"learner{number}@example.org" for number in range(1000))

    read = said(mail.read(f"From: a@b\nTo: {recipients}\nSubject: x\n\nThe tide".encode(), WORK))

    assert "learner0@example.org, learner1@example.org" in read
    assert read.endswith("The tide")


def test_headers_in_undeclared_bytes_are_read() -> None:
    assert said(mail.read("From: a@b\nSubject: Grüße\n\nx".encode(), WORK)).startswith("Grüße")


@pytest.mark.parametrize(
    "content",
    [
        b"From: a@b\nSubject: x\n"
        + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(3000)),
        b"From: a@b\nSubject: " + b"x" * MIB + b"\n\nx",
        b"From: " + b"(" * 30_000 + b"\nSubject: x\n\nx",
        b"From: " + b"a@b," * 1_900 + b"\nSubject: x\n\nx",
        b"From: a@b\nSubject: " + b"=?utf-8?q?a?= " * 2_000 + b"\n\nx",
        b"From: a@b\nSubject: x\nContent-Type: text/plain; " + b"a*0=b; " * 1_100 + b"\n\nx",
        b"From: a@b\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 5_000,
    ],
    ids=["deep", "long", "comments", "addresses", "words", "parameters", "parts"],
)
def test_a_mail_made_to_be_slow_ends_in_time(content: bytes) -> None:
    started = time.process_time()

    try:
        mail.read(content, WORK)
    except MayflyError as error:
        assert isinstance(error, TooComplex)  # noqa: PT017 - either end is a good one

    assert time.process_time() - started < 10


RICH = rb"""{\rtf1\ansi\ansicpg1251{\fonttbl{\f0\fcharset204 Times;}}{\info{\author Marker-Author}{\title Marker-Title}}
{\*\generator Marker-Generator;}\f0 \'cf\'f0\'e8\'e2\'e5\'f2 {\b bold}\par \u28526?\u-10179?\u-8704?
{\pict\pngblip 00ff00ff}{\object{\*\objdata 0105}{\result Marker-Object}}{\v Marker-Hidden}{\*\annotation Marker-Note}
{\field{\*\fldinst{HYPERLINK "https://marker.example"}}{\fldrslt the link}} \bin9 Marker}}x end \{brace\}}"""


def test_rich_text_is_its_words_and_not_what_is_hidden_or_embedded() -> None:
    read = said(rtf.read(RICH, WORK))

    for words in ("Привет bold", "潮😀", "the link", "end {brace}"):
        assert words in read
    assert "arker" not in read


@pytest.mark.parametrize(
    "content",
    [
        b"{\\rtf1 " + b"{" * 500_000 + b"x" + b"}" * 500_000,
        b"{\\rtf1 " + b"{}" * 1_100_000 + b"}",
    ],
    ids=["deep", "groups"],
)
def test_rich_text_that_is_too_much_is_refused(content: bytes) -> None:
    with pytest.raises(TooComplex):
        rtf.read(content, WORK)


def test_notes_headers_and_text_boxes_of_rich_text_are_text() -> None:
    content = rb"""{\rtf1\ansi{\header\pard Kept-Header\par}{\footerf Kept-Footer}Tides{\super\chftn}{\footnote \pard
Kept-Note.} turn.\par{\shp{\*\shpinst\shpleft100\shptop5{\sp{\sn Marker-Name}{\sv Marker-Value}}{\shptxt \pard
Kept-Box\par}}{\shprslt Marker-Fallback}}{\*\other{\shptxt Marker-Inside}}\par after}"""

    read = said(rtf.read(content, WORK))

    assert "arker" not in read
    assert "Tides [Kept-Note.] turn." in read
    assert {"Kept-Header", "Kept-Footer", "Kept-Box", "after"} <= set(read.split("\n"))


def test_damaged_rich_text_gives_what_there_is() -> None:
    assert said(rtf.read(b"{\\rtf1 The tide {\\b turns", WORK)) == "The tide turns"


def test_each_font_of_rich_text_keeps_its_alphabet_also_when_one_has_none():
    fonts = rb"{\fonttbl{\f0\fswiss A;}{\f1\froman\fcharset204 B;}{\f2\fcharset161{\*\falt X}C;}"

    assert said(rtf.read(b"{\\rtf1" + fonts + rb"}\f1 \'cf\'f0\f2 \'c1\'e2}", WORK)) == "ПрΑβ"
    assert said(rtf.read(b"{\\rtf1" + fonts, WORK)) == "", "the table does not end"


@pytest.mark.parametrize("content", ["a" * 4 * MIB, "e" + "\u0301" * 1_000_000, "\u200d" * 1_000_000])
def test_endless_text_is_read_in_time(content: str) -> None:
    started = time.process_time()

    said(text.read_plain(content.encode(), WORK))

    assert time.process_time() - started < 20


@pytest.mark.parametrize("read", [text.read_plain, tables.read, structured.read, subtitles.read])
def test_bytes_that_are_no_text_are_refused(read: Extractor) -> None:
    with pytest.raises(UnsupportedType):
        read(bytes(range(256)) * 20, WORK)
