import time

import pytest

from ingestion.extract import html
from ingestion.extract.reading import Work
from ingestion.limits import JailLimits
from ingestion.outline import compose

WORK = Work(JailLimits())
ARTICLE = "<p>The heron waits in the shallow water until a fish comes near enough to be caught. </p>" * 6
PAGE = f"""<!DOCTYPE html><html><head><title>Herons</title><style>p {{color: red}}</style></head><body>
<nav><a href="/">Home</a> <a href="/shop">Shop</a></nav>
<article><h1>Herons</h1>{ARTICLE}<h2>Where they live</h2>{ARTICLE}</article>
<script>alert("evil")</script><footer>Cookie settings</footer></body></html>"""


def text_of(content: str | bytes) -> str:
    untrusted = content if isinstance(content, bytes) else content.encode()
    reading = html.read(untrusted, WORK)
    page, _ = compose(1, reading.pages[0], markdown=reading.markdown)
    return page.text


def test_the_article_is_kept_with_its_headings_and_the_rest_is_not() -> None:
    text = text_of(PAGE)

    assert "heron waits in the shallow water" in text
    assert "\n\nWhere they live\n\n" in text
    blocks = html.read(PAGE.encode(), WORK).pages[0].blocks
    assert [(block.text, block.level) for block in blocks if block.level] == [("Herons", 1), ("Where they live", 2)]
    assert not any(other in text for other in ("alert", "color: red", "Cookie settings", "<p>"))


def test_a_page_without_an_article_gives_all_that_is_visible() -> None:
    text = text_of(
        "<html><body><div>Tide&nbsp;table<br>High water <b>06:12</b></div><script>no()</script></body></html>"
    )

    assert text.split() == ["Tide", "table", "High", "water", "06:12"]


def test_quotations_have_no_marks_and_tables_have_columns() -> None:
    parts = (
        "<h1>Fill in</h1><p>My name is ___ and 1 &lt; 2, a*b, <code>x_y</code>, H<sub>2</sub>O, <u>so</u>.</p>"
        "<ruby>東<rt>とう</rt>京<rt>きょう</rt></ruby><table><tr><th>Place</th><th>Count</th></tr><tr><td>Pond</td>"
        "<td>3</td></tr></table><figure><figcaption>A heron at dusk</figcaption></figure>"
        "<p>So <math><mi>x</mi><mo>=</mo><mn>7</mn></math> here in the long run of all the herons.</p>"
        "<p hidden>UNSEEN</p><p style='display:none'>UNSEEN</p><p aria-hidden='true'>UNSEEN</p>"
    )
    expected = [
        "Fill in", "My name is ___ and 1 < 2, a*b, x_y, H2O, so.", "東京", "Place | Count", "Pond | 3",
        "A heron at dusk", "So x=7 here in the long run of all the herons.",
    ]  # fmt: skip

    for page in (parts, f"<article>{parts}{ARTICLE * 6}</article>", f"{parts}{ARTICLE * 6}"):
        text = text_of(f"<body>{page}")
        assert [line for line in text.split("\n") if line and "waits in the shallow" not in line] == expected


def test_of_a_long_page_the_article_is_chosen_with_its_captions_and_without_what_stands_around() -> None:
    links = "".join(f"<li><a href='/{number}'>Buy offer {number} today</a></li>" for number in range(20))
    page = (
        f"<body><form id='all'><header><h1>Herons of the lake</h1><ul>{links}</ul></header><div class='menu'>"
        f"<ul>{links}</ul></div><article>{ARTICLE * 4}<figure><figcaption>A heron at dusk</figcaption></figure>"
        f"<h2>Young</h2>{ARTICLE * 4}</article><div class='related'><h2>Related</h2><ul>{links}</ul></div>"
        f"<aside>{links}</aside></form>"
    )

    text = text_of(page)

    assert [line for line in text.split("\n") if line and "waits in the shallow" not in line] == [
        "Herons of the lake", "A heron at dusk", "Young",
    ]  # fmt: skip


def test_of_a_short_page_all_but_its_furniture_is_read() -> None:
    links = "<a href='/'>Buy</a> " * 50

    assert text_of(f"<body><nav>{links}</nav><div>One.</div><div>Two.</div><footer>Us</footer>").split() == [
        "One.", "Two.",
    ]  # fmt: skip
    assert text_of(f"<body><nav>{links}</nav>").split() == ["Buy"] * 50


def test_of_a_page_too_deep_to_be_parsed_the_text_is_read_without_reading_aids() -> None:
    text = text_of("<body>" + "<div>" * 1_000 + "<ruby>東<rt>とう</rt>京<rt>きょう</ruby>へ")

    assert text == "東京へ"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('<html><meta charset="shift_jis"><body><p>吾輩は猫である。名前はまだ無い。'.encode("cp932"), "吾輩は猫である"),
        ('<html><meta charset="iso-8859-1"><body><p>na\x93quoted\x94 fa\xe7ade'.encode("latin-1"), "façade"),
        ('<html><meta charset="utf-8"><body><p>lies, but façade'.encode("cp1252"), "façade"),
        ("<html><body><p>без объявления кодировки, всё по-русски".encode("cp1251"), "по-русски"),
        ("<html><body><p>широкие буквы".encode("utf-16"), "широкие буквы"),
    ],
)
def test_the_declared_encoding_is_believed_unless_it_lies(content: bytes, expected: str) -> None:
    assert expected in text_of(content)


@pytest.mark.parametrize(
    "content",
    [
        "<html><body>" + "<div>" * 500_000 + "deep",
        "<html><body><p " + " ".join(f"a{number}=1" for number in range(300_000)) + ">wide",
        "<html><body>" + "<!--" * 200_000,
        "<html><body>" + "<table><tr><td>" * 20_000 + "cell",
        "<html><body>" + "&lt;" * 500_000,
    ],
    ids=["deep", "attributes", "comments", "tables", "entities"],
)
def test_a_page_made_to_be_slow_is_read_in_time(content: str) -> None:
    started = time.process_time()

    text_of(content)

    assert time.process_time() - started < 20
