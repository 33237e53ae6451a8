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
