from ingestion.chunk import Chunker
from ingestion.extract.reading import Block, RawPage
from ingestion.outline import compose
from models.content import Chunk, Page
from tests.support.jails import token_counter

CHUNKER = Chunker(token_counter(), max_tokens=64)


def read(raw: RawPage) -> tuple[Page, tuple[Chunk, ...]]:
    composed = compose(1, raw, markdown=False)
    return composed[0], CHUNKER.chunks([composed], max_chunks=1000)


def test_headings_keep_their_place_although_normalising_moves_them() -> None:
    raw = RawPage((
        Block("  \ufb01rst\u00ad part\r\n", level=1),
        Block("Text\u200b of it."),
        Block("\u2028"),
        Block("Inner", level=2),
        Block("More."),
    ))  # fmt: skip

    page, chunks = read(raw)

    assert page.text == "first part\n\nText of it.\n\nInner\n\nMore."
    assert [(page.text[chunk.start : chunk.end], chunk.heading) for chunk in chunks] == [
        ("first part\n\nText of it.", ()),
        ("Inner\n\nMore.", ("first part",)),
    ]


def test_every_part_of_a_table_knows_the_names_of_its_columns() -> None:
    rows = [Block(f"Person {number} | {1900 + number}", columns="Name | Year", tight=True) for number in range(60)]
    raw = RawPage((Block("Before."), Block("Name | Year"), *rows, Block("After.")), above=("Sheet 1",))

    page, chunks = read(raw)

    headings = {page.text[chunk.start : chunk.end].split(" | ")[0]: chunk.heading for chunk in chunks}
    assert len(chunks) > 4
    assert headings["After."] == ("Sheet 1",)
    assert all(
        chunk.heading == ("Sheet 1", "Name | Year")
        for chunk in chunks
        if page.text[chunk.start : chunk.end].startswith("Person")
    )


def test_a_chunk_of_subtitles_knows_when_it_is_spoken() -> None:
    cues = [
        Block(f"Sentence number {number} is said.", seconds=(number * 2.0, number * 2.0 + 1.5), tight=True)
        for number in range(40)
    ]

    page, chunks = read(RawPage(tuple(cues)))

    assert len(chunks) > 3
    for chunk in chunks:
        said = [int(line.split()[2]) for line in page.text[chunk.start : chunk.end].split("\n")]
        assert chunk.seconds == (said[0] * 2.0, said[-1] * 2.0 + 1.5)


def test_a_label_is_normalised_and_cut() -> None:
    grows = "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 3
    page, _ = read(RawPage((Block("x"),), label=f" \u202exi\ufb01 {grows}"))

    assert page.label is not None
    assert page.label.startswith("xifi")
    assert len(page.label) <= 32
