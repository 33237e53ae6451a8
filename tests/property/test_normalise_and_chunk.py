"""What must hold of any text at all: nothing lost, nothing too long, every offset exact."""

import itertools
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.check import check
from ingestion.chunk import Chunker, passage
from ingestion.extract.reading import Block, RawPage
from ingestion.limits import JailLimits
from ingestion.normalise import normalise
from ingestion.outline import compose
from models.content import Chunk, Extraction, Page
from models.errors import QuotaExceeded
from tests.support.jails import token_counter

MAX_TOKENS = 48
CHUNKER = Chunker(token_counter(), max_tokens=MAX_TOKENS)

WORDS = st.sampled_from(
    [
        "the",
        "quick",
        "naïve",
        "Straße.",
        "吾輩は猫である。",
        "名前はまだ無い",
        "Привет,",
        "مرحبا",
        "สวัสดีครับ",
        "नमस्ते",
        "👩‍👩‍👧",
        "e\u0301",
        "x" * 300,
    ]
)
BLANKS = st.sampled_from([" ", "\n", "\n\n", "\t", "  ", "\n# Title\n", "\n## Under it\n", "\n```\n", ". "])
PROSE = st.lists(st.tuples(WORDS, BLANKS), max_size=120).map(
    lambda pairs: "".join(word + blank for word, blank in pairs)
)
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=400)
HIDDEN = st.text(
    st.sampled_from(
        "ab \n\u200b\u200c\u200d\u202e\u00ad\u0301\u0628\u0915\u094d\ufe0f\U000e0041\ufffe\r\x00\u3164\u1160"
    ),
    max_size=80,
)
TEXTS = st.one_of(PROSE, ANYTHING, HIDDEN)


@given(TEXTS)
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)

    assert normalise(once) == once


@given(TEXTS)
def test_the_normal_form_passes_the_check_that_a_jail_s_answer_must_pass(text: str) -> None:
    page = Page(1, normalise(text))

    check(Extraction("text/plain", (page,), (), None), JailLimits())


@given(st.text(st.characters(categories=("Lu", "Ll", "Nd", "Po")), max_size=200))
def test_normalising_loses_no_letter_digit_or_mark(text: str) -> None:
    visible = "".join(unicodedata.normalize("NFKC", text).split())

    assert "".join(normalise(text).split()) == visible


def cut(text: str, *, markdown: bool) -> tuple[Page, tuple[Chunk, ...]]:
    composed = compose(1, RawPage((Block(text),)), markdown=markdown)
    return composed[0], CHUNKER.chunks([composed], max_chunks=100_000)


@pytest.mark.parametrize("markdown", [False, True])
@settings(deadline=None)
@given(text=TEXTS)
def test_chunks_hold_every_character_that_is_not_a_blank_once_and_in_order(text: str, markdown: bool) -> None:
    page, chunks = cut(text, markdown=markdown)

    held = "".join(page.text[chunk.start : chunk.end] for chunk in chunks)

    assert "".join(held.split()) == "".join(page.text.split())
    assert all(before.end <= after.start for before, after in itertools.pairwise(chunks))
    assert all(page.text[chunk.start : chunk.end].strip() for chunk in chunks)


@pytest.mark.parametrize("markdown", [False, True])
@settings(deadline=None)
@given(text=TEXTS)
def test_no_chunk_is_longer_than_the_limit_with_its_prefix_and_headings(text: str, markdown: bool) -> None:
    page, chunks = cut(text, markdown=markdown)

    assert all(token_counter().count(passage(page, chunk)) <= MAX_TOKENS for chunk in chunks)


@settings(deadline=None)
@given(st.lists(PROSE, max_size=4))
def test_a_chunk_never_spans_two_pages(texts: list[str]) -> None:
    composed = [compose(number, RawPage((Block(text),)), markdown=False) for number, text in enumerate(texts, start=1)]

    chunks = CHUNKER.chunks(composed, max_chunks=100_000)

    pages = tuple(page for page, _ in composed)
    check(Extraction("application/pdf", pages, chunks, None), JailLimits(chunks=100_000))


BLOCKS = st.lists(
    st.builds(
        Block,
        text=PROSE | st.text(max_size=60),
        level=st.sampled_from([0, 0, 0, 1, 2, 6]),
        columns=st.sampled_from(["", "", "Name | Year", "ﬁrst\u202e | \n second"]),
        seconds=st.none() | st.tuples(st.floats(0, 50), st.floats(50, 99)),
        tight=st.booleans(),
    ),
    max_size=8,
)


@settings(deadline=None)
@given(blocks=BLOCKS, above=st.lists(st.text(max_size=20), max_size=3))
def test_an_outline_is_true_to_the_normal_form_of_its_page(blocks: list[Block], above: list[str]) -> None:
    page, outline = compose(1, RawPage(tuple(blocks), above=tuple(above)), markdown=False)

    chunks = CHUNKER.chunks([(page, outline)], max_chunks=100_000)

    assert normalise(page.text) == page.text
    for heading in outline.headings:
        shown = " ".join(page.text[heading.start :].split())
        assert shown.startswith(heading.title)
    check(Extraction("text/plain", (page,), chunks, None), JailLimits(chunks=100_000))
    assert all(token_counter().count(passage(page, chunk)) <= MAX_TOKENS for chunk in chunks)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000,
        "e" + "\u0301" * 50_000,
        "\u200d" * 50_000,
        "漢" * 20_000,
        "." * 50_000,
        "#" * 50_000,
        "👩‍👩‍👧" * 5_000,
        "a b " * 20_000,
    ],
    ids=["one word", "marks", "joiners", "ideographs", "dots", "hashes", "families", "tiny words"],
)
@pytest.mark.timeout(60)
def test_text_made_to_be_slow_is_cut_in_time(text: str) -> None:
    page, chunks = cut(text, markdown=True)

    held = "".join(page.text[chunk.start : chunk.end] for chunk in chunks)
    assert "".join(held.split()) == "".join(page.text.split())


def test_too_many_chunks_are_refused_while_cutting() -> None:
    text = "A sentence of its own, as good as any other one. " * 200
    composed = compose(1, RawPage((Block(text),)), markdown=False)
    total = len(CHUNKER.chunks([composed], max_chunks=100_000))
    assert total > 10

    assert len(CHUNKER.chunks([composed], max_chunks=total)) == total
    with pytest.raises(QuotaExceeded):
        CHUNKER.chunks([composed], max_chunks=total - 1)
