"""A checker that finds nothing proves nothing: each kind of lie is told to it once."""

from typing import Any

import pytest

from tests.support.history import Deed, History, Kind

RECEIPT = {"signature": "a", "statement": {"documents_purged": 1}}
TAKEN = {"documents": [{"document_id": "d"}]}
FOUND = {"passages": [{"document_id": "d", "page": 1, "start": 0, "end": 9}]}


def deed(kind: Kind, began: float, ended: float, status: int = 200, body: Any = None) -> Deed:
    bodies: dict[Kind, Any] = {"upload": TAKEN, "ask": FOUND, "sign_out": RECEIPT, "hook": RECEIPT}
    return Deed(kind, began, ended, status, bodies.get(kind) if body is None else body, "d")


UPLOAD = deed("upload", 0, 1, 202)


def said_of(*deeds: Deed) -> list[str]:
    history = History()
    for each in deeds:
        history.add(each)
    return history.violations()


def test_what_overlaps_an_end_may_go_either_way() -> None:
    assert said_of(deed("upload", 0, 1), deed("sign_out", 2, 4), deed("ask", 3, 5)) == []
    assert said_of(deed("upload", 0, 1), deed("sign_out", 2, 4), deed("ask", 3, 5, 401)) == []


@pytest.mark.parametrize(
    ("deeds", "word"),
    [
        ((UPLOAD, deed("sign_out", 2, 4), deed("ask", 4.1, 5)), "after the end was answered"),
        ((UPLOAD, deed("sign_out", 2, 4), deed("look", 4.1, 5, 503)), "after the end was answered"),
        ((deed("recover", 2, 4), deed("ask", 4.1, 5)), "after the end was answered"),
        ((UPLOAD, deed("sign_out", 2, 4), deed("upload", 4.1, 5, 202)), "after the end was answered"),
        ((deed("kill", 2, 4), deed("ask", 4.1, 5)), "after the session process was dead"),
        ((deed("delete", 2, 4), deed("ask", 4.1, 5)), "found the document"),
        ((UPLOAD, deed("hook", 2, 4), deed("hook", 5, 6, body=RECEIPT | {"signature": "b"})), "2 receipts"),
        ((UPLOAD, UPLOAD, deed("sign_out", 2, 4)), "counts 1 documents"),
        ((deed("look", 0, 1), deed("sign_out", 2, 4)), "counts 1 documents"),
        ((deed("ask", 0, 1, 500),), "answered with 500"),
    ],
)
def test_what_cannot_be_is_named(deeds: tuple[Deed, ...], word: str) -> None:
    taken = (
        () if any(each.kind in {"upload", "look"} and each.ended == 1 for each in deeds) else (deed("upload", 0, 1),)
    )

    assert any(word in violation for violation in said_of(*taken, *deeds))


def test_a_refused_upload_may_have_been_heard() -> None:
    assert said_of(deed("upload", 0, 3, 401), deed("sign_out", 2, 4)) == []
