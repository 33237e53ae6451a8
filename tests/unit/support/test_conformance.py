"""The judge of documents: a judge that never says no would let every document pass."""

from pathlib import Path
from typing import cast

import pytest

from api.client import Document, LearnerSession
from models.content import DocumentStatus, Passage
from tests.support.conformance import Expectation, Inspector, JailLog, codes, expectations, folded, joined, questions

CODES = codes(Path(__file__).parents[3] / "docs" / "problems.md")
PASSWORD_RULE = "(refuse: password needed)"


def expectation(*, kind: str = "quality", must_contain: str = "", why: str = "") -> Expectation:
    return Expectation(Path("x"), "pdf/x", kind, None, must_contain, why)


def document(status: str, error: str | None = None, *, chunks: int = 1) -> Document:
    return Document(document_id="d", status=cast("DocumentStatus", status), error=error, chunks=chunks)


def passage(start: int, text: str, *, page: int = 1) -> Passage:
    return Passage("d", "x", page, start, start + len(text), text, 1, "high")


def complaint(asked: Expectation, ended: Document, *, found: bool | None = None) -> str:
    inspector = Inspector(cast("LearnerSession", None), CODES, JailLog(None))
    return inspector._complaint(asked, ended, found=found)


@pytest.mark.parametrize(
    ("asked", "ended", "found"),
    [
        (expectation(), document("failed", "parser_failed"), None),
        (expectation(must_contain="a"), document("ready"), False),
        (expectation(must_contain="a"), document("failed", "empty_document"), False),
        (expectation(must_contain=PASSWORD_RULE), document("ready"), None),
        (expectation(must_contain=PASSWORD_RULE), document("failed", "parser_failed"), None),
        (expectation(why="no text: must give an empty result"), document("ready", chunks=3), None),
        (expectation(kind="hostile"), document("failed", "internal_error"), None),
        (expectation(kind="hostile"), document("failed", "no_such_code"), None),
        (expectation(kind="hostile"), document("extracting"), None),
    ],
)
def test_an_end_that_is_not_as_the_manifest_says_is_complained_of(
    asked: Expectation, ended: Document, found: bool | None
) -> None:
    assert complaint(asked, ended, found=found)


@pytest.mark.parametrize(
    ("asked", "ended", "found"),
    [
        (expectation(), document("ready"), None),
        (expectation(), document("failed", "empty_document"), None),
        (expectation(must_contain="a"), document("ready"), True),
        (expectation(must_contain=PASSWORD_RULE), document("failed", "encrypted_document"), None),
        (expectation(why="must give an empty result"), document("ready", chunks=0), None),
        (expectation(kind="hostile"), document("failed", "timed_out"), None),
        (expectation(kind="hostile"), document("ready"), None),
    ],
)
def test_an_end_that_the_manifest_asks_for_is_not(asked: Expectation, ended: Document, found: bool | None) -> None:
    assert complaint(asked, ended, found=found) == ""


def test_quotations_that_follow_on_one_another_are_joined_and_others_are_not() -> None:
    quoted = [
        passage(8, "three"),
        passage(0, "one two"),
        passage(5, "wo th"),
        passage(40, "far"),
        passage(14, "y", page=2),
    ]

    runs = [run for run in joined(quoted) if run]

    assert runs == ["one two three", "far", "y"]


def test_a_text_is_asked_for_whole_and_in_parts() -> None:
    assert list(questions("abcdef"))[:3] == ["abcdef", "abc", "def"]


def test_texts_are_compared_without_their_layout() -> None:
    assert folded("ﬁne\n  day 日 本") == "fine day 日本"


def test_a_manifest_gives_what_is_of_the_wanted_kind(tmp_path: Path) -> None:
    (tmp_path / "MANIFEST.tsv").write_text(
        "file\tkind\twhy\tpage\tmust_contain\na/b.pdf\tquality\tx\t2\thello\na/c.md\ttruth\t\t\t\n", encoding="utf-8"
    )

    (only,) = expectations(tmp_path)

    assert (only.type, only.page, only.text, only.rule) == ("a", 2, "hello", "")
