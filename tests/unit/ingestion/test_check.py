import resource

import msgspec
import pytest

from ingestion.check import check
from ingestion.limits import JailLimits
from models.content import Chunk, Extraction, Page
from models.errors import ParserFailed

LIMITS = JailLimits(pages=2, chunks=3, text_bytes=100)
GOOD = Page(1, "one two three")


def extraction(
    *chunks: Chunk, pages: tuple[Page, ...] = (GOOD,), media_type: str = "text/plain", language: str | None = "en"
) -> Extraction:
    return Extraction(media_type, pages, chunks, language)


def test_an_answer_that_keeps_the_rules_is_believed() -> None:
    answer = extraction(Chunk(1, 0, 3), Chunk(1, 4, 13, ("Title",)), pages=(GOOD, Page(2, "", "ii", 99.5)))

    assert check(answer, LIMITS) is answer


@pytest.mark.parametrize(
    "lie",
    [
        extraction(Chunk(1, 0, 14)),
        extraction(Chunk(1, -1, 3)),
        extraction(Chunk(1, 3, 3)),
        extraction(Chunk(0, 0, 1)),
        extraction(Chunk(2, 0, 1)),
        extraction(Chunk(1, 4, 7), Chunk(1, 0, 3)),
        extraction(Chunk(1, 0, 5), Chunk(1, 4, 7)),
        extraction(*[Chunk(1, at, at + 1) for at in range(4)]),
        extraction(Chunk(1, 0, 3, ("x" * 301,))),
        extraction(Chunk(1, 0, 3, ("bell\x07",))),
        extraction(Chunk(1, 0, 3, ("x",) * 9)),
        extraction(pages=(Page(2, "x"),)),
        extraction(pages=(GOOD, Page(1, "x"))),
        extraction(pages=(GOOD, Page(2, "x"), Page(3, "x"))),
        extraction(pages=(Page(1, "x" * 101),)),
        extraction(pages=(Page(1, "nul\0"),)),
        extraction(pages=(Page(1, "e\u0301"),)),
        extraction(pages=(Page(1, "\ud800"),)),
        extraction(pages=(Page(1, "x", "l" * 33),)),
        extraction(pages=(Page(1, "x", "l\n\x1b"),)),
        extraction(pages=(Page(1, "x", None, 101.0),)),
        extraction(pages=(Page(1, "x", None, float("nan")),)),
        extraction(Chunk(1, 0, 3, ("t" * 90,))),
        extraction(media_type="text/x-evil"),
        extraction(language="english"),
        extraction(language="e\n"),
        extraction(Chunk(1, 0, 3, language="English")),
    ],
)
def test_an_answer_that_our_reader_would_not_give_is_refused(lie: Extraction) -> None:
    with pytest.raises(ParserFailed):
        check(lie, LIMITS)


def test_a_chunk_longer_than_its_tokens_can_be_is_refused() -> None:
    limits = JailLimits(chunk_tokens=10)
    page = Page(1, "x" * 641)
    assert check(extraction(Chunk(1, 0, 640), pages=(page,)), limits)

    with pytest.raises(ParserFailed):
        check(extraction(Chunk(1, 0, 641), pages=(page,)), limits)


@pytest.mark.parametrize(
    ("field", "one", "count"),
    [("heading", b"\xa0", 16_000_000), ("chunks", msgspec.msgpack.encode(Chunk(1, 0, 1)), 1_000_000)],
)
def test_an_answer_that_claims_too_many_parts_is_refused_before_they_are_made(
    field: str, one: bytes, count: int
) -> None:
    chunk = Chunk(1, 0, 1, heading=("QQ",))
    honest = msgspec.msgpack.encode(Extraction("text/plain", (), (chunk,), None))
    start = honest.index(b"\x91\xa2QQ") if field == "heading" else honest.index(b"chunks") + len(b"chunks")
    end = start + len(b"\x91\xa2QQ") if field == "heading" else start + 1 + len(msgspec.msgpack.encode(chunk))
    lie = honest[:start] + b"\xdd" + count.to_bytes(4, "big") + one * count + honest[end:]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(lie, type=Extraction)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # KiB; all of them would take far more.
