from pathlib import Path

import pytest

from ingestion.chunk import Chunker, passage
from ingestion.extract.reading import Block, RawPage
from ingestion.limits import JailLimits
from ingestion.normalise import normalise
from ingestion.outline import compose
from models.content import Chunk, Page
from tests.support import library
from tests.support.jails import DOCUMENTS, token_counter
from vectorstore.container import Container
from vectorstore.convert import build_tokenizer
from vectorstore.packaged import weights_file
from vectorstore.tokens import TokenCounter

CHUNKER = Chunker(token_counter(), max_tokens=224)
GUIDE = """# Birds

Intro.

## Herons

Herons stand still.

```
# not a heading
```

## Terns
### Arctic
Terns fly far.
"""


def chunks_of(text: str, *, markdown: bool = True) -> tuple[Page, tuple[Chunk, ...]]:
    composed = compose(1, RawPage((Block(text),)), markdown=markdown)
    return composed[0], CHUNKER.chunks([composed], max_chunks=1000)


def cut(text: str, *, markdown: bool = True) -> tuple[Page, dict[str, tuple[str, ...]]]:
    page, chunks = chunks_of(text, markdown=markdown)
    return page, {page.text[chunk.start : chunk.end]: chunk.heading for chunk in chunks}


def test_a_chunk_knows_the_headings_above_it() -> None:
    _, headings = cut(GUIDE)

    assert headings == {
        "# Birds\n\nIntro.": (),
        "## Herons\n\nHerons stand still.\n\n```\n# not a heading\n```": ("Birds",),
        "## Terns\n### Arctic\nTerns fly far.": ("Birds",),
    }


def test_without_markdown_a_hash_is_a_hash() -> None:
    _, headings = cut(GUIDE, markdown=False)

    assert list(headings.values()) == [()]


def test_headings_are_embedded_with_the_text_and_are_no_part_of_the_quotation() -> None:
    page = Page(1, "Terns fly far.")

    assert passage(page, Chunk(1, 0, 5, ("Birds", "Terns"))) == "Birds › Terns\nTerns"
    assert passage(page, Chunk(1, 0, 5)) == "Terns"


def test_endless_headings_leave_room_for_the_text() -> None:
    text = "".join(f"{'#' * level} {'very long title ' * 40}\n" for level in range(1, 7)) + "The text. " * 300
    page, chunks = chunks_of(text)

    assert max(token_counter().count(passage(page, chunk)) for chunk in chunks) <= 224


def test_real_chapters_are_cut_at_the_ends_of_sentences() -> None:
    for language in ("ru", "zh-cn"):
        text = normalise((DOCUMENTS / f"truth/asvs-{language}/0x10-V1-Architecture.md").read_text("utf-8"))
        _, chunks = chunks_of(text)

        ends = [text[chunk.end - 1 : chunk.end + 1] for chunk in chunks]
        at_end = sum(end[0] in ".。!?:|)" or end[1:] in {"\n", ""} for end in ends)
        assert len(chunks) > 20
        assert at_end >= 0.9 * len(chunks), language


def test_a_text_the_tokenizer_does_not_know_is_cut_at_the_length_its_tokens_may_have() -> None:
    _, chunks = chunks_of("\U00013000" * 1_900 + (" " + "\U00013000" * 1_900) * 9, markdown=False)

    assert max(chunk.end - chunk.start for chunk in chunks) <= JailLimits().chunk_characters
    assert sum(chunk.end - chunk.start for chunk in chunks) >= 19_000


@pytest.mark.parametrize("max_tokens", [40, 96, 224])
def test_no_chunk_has_more_tokens_than_allowed_whether_or_not_it_is_counted_by_itself(max_tokens: int) -> None:
    counter = token_counter()
    text = "\n\n".join((GUIDE, *library.ENGLISH[:3], *library.JAPANESE, "x1" * 700, "½ ⅓ ² № " * 30, "a\tb  c"))
    page, outline = compose(1, RawPage((Block(text),)), markdown=True)

    chunks = Chunker(counter, max_tokens=max_tokens).chunks([(page, outline)], max_chunks=10_000)

    assert max(counter.count(passage(page, chunk)) for chunk in chunks) <= max_tokens


def test_a_chunk_that_surely_fits_is_made_into_tokens_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = list[str]()
    count = TokenCounter.count
    monkeypatch.setattr(TokenCounter, "count", lambda self, text: counted.append(text) or count(self, text))

    _, chunks = chunks_of("# Birds\n\nHerons stand still.\n\n" + "## Nests\n\nHigh up in the alders.\n\n" * 3)

    assert [chunk.heading for chunk in chunks] == [(), ("Birds",), ("Birds",), ("Birds",)]
    assert counted == ["Birds"], "the path of headings, and no passage"


def test_remembering_words_changes_no_chunk(tmp_path: Path) -> None:
    tokenizer = tmp_path / "tokenizer.json"
    build_tokenizer(Container(weights_file()).vocabulary).save(str(tokenizer))
    composed = compose(1, RawPage(tuple(map(Block, library.ENGLISH))), markdown=False)
    chunker = Chunker(TokenCounter(tokenizer), max_tokens=96)
    before = chunker.chunks([composed], max_chunks=1000)

    chunker.remember_words()

    assert [chunker.chunks([composed], max_chunks=1000) for _ in range(2)] == [before, before]
