import pytest

from ingestion import xml
from ingestion.limits import JailLimits
from models.errors import MayflyError, ParserFailed, TooComplex

LIMITS = JailLimits()
DECLARED = '<!DOCTYPE x [<!ENTITY a "ha">]><x>&a;</x>'


def both(content: bytes) -> list[type[MayflyError] | None]:
    """Return how each way of parsing refuses the content."""
    refusals = list[type[MayflyError] | None]()
    for parse in (lambda: xml.parse(content, LIMITS), lambda: list(xml.elements(content, "x"))):
        try:
            parse()
            refusals.append(None)
        except MayflyError as error:
            refusals.append(type(error))
    return refusals


@pytest.mark.parametrize(
    "content",
    [
        DECLARED.encode(),
        ('<?xml version="1.0"?><!-- <x> -->' + DECLARED).encode(),
        ('<?xml version="1.0" encoding="utf-16"?>' + DECLARED).encode("utf-16"),
        ('<?xml version="1.0" encoding="cp037"?>' + DECLARED).encode("cp037"),
        b" " * 100_000 + DECLARED.encode(),
        b"<!--" + b"-" * 2 + b">" + DECLARED.encode(),
        ("<!--" + "a" * 100_000 + "-->" + DECLARED).encode(),
        b'<!DOCTYPE x SYSTEM "file:///etc/hostname" [<!ENTITY % p SYSTEM "http://127.0.0.1:9/"> %p;]><x/>',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><x>&a;</x>',
    ],
    ids=["plain", "comment", "utf-16", "ebcdic", "blanks", "empty comment", "long comment", "parameter", "external"],
)
def test_whoever_declares_entities_is_refused(content: bytes) -> None:
    assert both(content) == [ParserFailed, ParserFailed]


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/[a].dtd"><x>ok</x>',
        b"<!DOCTYPE x PUBLIC '-//A//B' 'file:///etc/hostname'><x>ok</x>",
        b"\xef\xbb\xbf<x><!-- a --><?b c?>ok</x>",
        '<?xml version="1.0" encoding="utf-16"?><x>ok</x>'.encode("utf-16"),
        b"<x>&lt;!DOCTYPE x [&lt;!ENTITY&gt;]ok</x>",
    ],
)
def test_what_declares_nothing_is_read_and_nothing_is_fetched(content: bytes) -> None:
    assert xml.parse(content, LIMITS).text.endswith("ok")
    assert both(content) == [None, None]


def test_as_many_levels_as_allowed_are_read_and_one_more_is_not() -> None:
    limits = JailLimits(depth=3)

    assert xml.parse(b"<a><b><c/></b></a>", limits) is not None
    with pytest.raises(TooComplex):
        xml.parse(b"<a><b><c><d/></c></b></a>", limits)
    assert both(b"<x>" * 3_000) == [TooComplex, TooComplex]


def test_a_tree_that_would_not_fit_is_refused_before_it_grows() -> None:
    with pytest.raises(TooComplex):
        xml.parse(b"<a>" + b"<b/>" * 6_000_001 + b"</a>", LIMITS)


@pytest.mark.parametrize("content", [b"", b"<a>", b"<a></b>", b"<a/><b/>", b"\0\0", b"<a>\xff</a>"])
def test_what_is_damaged_is_called_that(content: bytes) -> None:
    assert both(content) == [ParserFailed, ParserFailed]


def test_elements_come_one_by_one_whole_and_in_order() -> None:
    found = [
        (xml.local_name(each), each.text, each.get("n"))
        for each in xml.elements(b'<s xmlns="u"><x n="1">a</x><y>-</y><x n="2">b<z/></x></s>', "x")
    ]

    assert found == [("x", "a", "1"), ("x", "b", "2")]


def test_names_are_compared_without_their_namespace() -> None:
    root = xml.parse(b'<p:a xmlns:p="u" p:id="1"><p:b><c id="2"/></p:b><b/></p:a>', LIMITS)

    assert xml.local_name(root) == "a"
    assert (xml.attribute(root, "id"), xml.attribute(root, "d")) == ("1", "")
    assert len(xml.children(root, "b")) == 2
    inner = xml.child(root, "b", "c")
    assert inner is not None
    assert xml.attribute(inner, "id") == "2"
    assert xml.child(root, "b", "missing") is None
