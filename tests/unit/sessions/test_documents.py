import threading
from pathlib import Path

import pytest

from ingestion.quarantine import Quarantine
from models.errors import NoSuchThing
from sessions.documents import Document, Shelf
from sessions.messages import DocumentState


def document(folder: Path, name: str) -> Document:
    state = DocumentState(
        document_id=name,
        filename=f"{name}.txt",
        sealed_filename=b"",
        media_type=None,
        bytes=1,
    )
    return Document(state, Quarantine(folder, "session").create(), None)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf()
    shelf.place([document(tmp_path, name) for name in ("c", "a", "b")])
    return shelf


def in_background(call: object, *arguments: object) -> tuple[threading.Thread, list[object]]:
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(call(*arguments))  # type: ignore[operator]
        except NoSuchThing as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def test_documents_are_listed_and_taken_in_the_order_of_upload(shelf: Shelf):
    taken = [shelf.take_queued().document_id for _ in range(3)]

    assert taken == [state.document_id for state in shelf.states()] == ["c", "a", "b"]


def test_every_change_makes_a_new_version_and_no_change_makes_none(shelf: Shelf):
    taken = shelf.take_queued()

    shelf.update(taken, status="extracting", progress=0.1)
    shelf.update(taken, status="extracting", progress=0.1)
    shelf.update(taken, progress=0.2)

    assert shelf.state("c").version == 3


def test_a_watch_returns_at_once_when_there_is_news_already(shelf: Shelf):
    assert shelf.watch("a", 0, 30).version == 1


def test_a_watch_without_news_returns_the_old_state_in_time(shelf: Shelf):
    assert shelf.watch("a", 1, 0.01).version == 1


def test_a_watch_wakes_at_the_change(shelf: Shelf):
    taken = shelf.take_queued()
    thread, outcome = in_background(shelf.watch, "c", 1, 30)

    shelf.update(taken, progress=0.5)

    thread.join(60)
    assert [state.progress for state in outcome] == [0.5]  # type: ignore[attr-defined]


def test_a_watch_ends_when_the_document_is_withdrawn(shelf: Shelf):
    thread, outcome = in_background(shelf.watch, "a", 1, 30)

    shelf.withdraw("a")

    thread.join(60)
    assert isinstance(outcome[0], NoSuchThing)


def test_a_withdrawn_document_is_unknown_from_then_on(shelf: Shelf):
    shelf.withdraw("a")

    assert [state.document_id for state in shelf.states()] == ["c", "b"]
    for ask in (shelf.state, shelf.withdraw, lambda name: shelf.watch(name, 0, 1)):
        with pytest.raises(NoSuchThing):
            ask("a")
    with pytest.raises(KeyError):
        shelf.filename("a")


def test_withdrawing_a_document_in_work_can_wait_until_it_is_let_go(shelf: Shelf):
    taken = shelf.take_queued()
    shelf.withdraw("c")
    assert not shelf.wait_until_let_go(taken, 0.01)

    assert shelf.let_go(taken) is True

    assert shelf.wait_until_let_go(taken, 0.01)


def test_the_worker_wakes_when_a_document_is_placed(tmp_path: Path):
    shelf = Shelf()
    thread, outcome = in_background(shelf.take_queued)

    late = document(tmp_path, "late")
    shelf.place([late])

    thread.join(60)
    assert outcome == [late]
