"""An upload that the session took and the record did not, against a real session and both databases."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api import resumable, uploads
from api.dependencies import LearnersSession
from api.metrics import Metrics
from api.resources import Resources
from models.documents import service as document_record
from models.errors import NoSuchThing, PartUnavailable
from sessions.client import SessionClient, UploadStream
from sessions.messages import Accepted, Resumable, StartResumable
from tests.support.hosting import Session
from tests.support.purging import TEXT, World


class Front:
    """As much of a front as writing documents down needs."""

    def __init__(self, world: World) -> None:
        self.session = world.open()
        self.parts: Any = SimpleNamespace(
            host=world.host.client,
            leases=SimpleNamespace(note=lambda *_: None),  # pyright: ignore[reportUnknownLambdaType]  # Not looked at.
            database=world.database,
            metrics=Metrics(),
        )
        self.learner = LearnersSession(world.row(self.session.session_id), self.session.client)

    def write_down(self, accepted: Accepted) -> None:
        uploads.write_down(cast("Resources", self.parts), self.learner, accepted)

    def remove(self, document_id: str) -> None:
        uploads.remove(cast("Resources", self.parts), self.learner, document_id)

    def look(self, upload_id: str) -> Resumable:
        return resumable.look(cast("Resources", self.parts), self.learner, upload_id)

    def drop(self, upload_id: str) -> None:
        resumable.drop(cast("Resources", self.parts), self.learner, upload_id)

    def resumable(self) -> Resumable:
        """Bring a whole resumable upload that nobody has written down yet."""
        name, data = TEXT
        wish = StartResumable(untrusted_filename=name, untrusted_media_type=None, length=len(data))
        return asyncio.run(self._bring(self.session.client.start_resumable(wish).upload_id, data))

    async def _bring(self, upload_id: str, data: bytes) -> Resumable:
        async with UploadStream(self.session.socket) as stream:
            await stream.resume(upload_id, 0)
            await stream.data(data)
            return await stream.suspend()


@pytest.fixture
def front(world: World) -> Front:
    return Front(world)


def held(session: Session) -> list[str]:
    return [state.document_id for state in session.client.documents()]


@pytest.mark.parametrize("step", ["renew", "insert"])
@pytest.mark.parametrize("failure", [PartUnavailable, ValueError])
def test_an_upload_that_is_not_written_down_can_be_sent_again_with_its_key(
    world: World, front: Front, monkeypatch: pytest.MonkeyPatch, step: str, failure: type[Exception]
):
    def fail(*_: object, **__: object) -> None:
        raise failure

    accepted = front.session.upload(TEXT, key="k")
    assert len(held(front.session)) == 1
    with monkeypatch.context() as patched:
        patched.setattr(*((uploads, "renew") if step == "renew" else (document_record, "insert")), fail)
        with pytest.raises(failure):
            front.write_down(accepted)
    assert held(front.session) == []

    again = front.session.upload(TEXT, key="k")
    front.write_down(again)

    assert not again.replayed
    rows = [row.facts.content_id for row in world.documents(front.session.session_id)]
    assert rows == held(front.session) == [again.documents[0].document_id]


def test_a_replay_writes_down_what_its_first_request_did_not(world: World, front: Front):
    first = front.session.upload(TEXT, key="k")  # And its front died.
    assert world.documents(front.session.session_id) == []

    for _ in range(2):
        again = front.session.upload(TEXT, key="k")
        assert again.replayed
        front.write_down(again)

    rows = [row.facts.content_id for row in world.documents(front.session.session_id)]
    assert rows == [first.documents[0].document_id]


def test_a_replay_that_is_not_written_down_takes_nothing_back(front: Front, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        raise PartUnavailable

    front.write_down(front.session.upload(TEXT, key="k"))
    again = front.session.upload(TEXT, key="k")
    monkeypatch.setattr(document_record, "insert", fail)

    with pytest.raises(PartUnavailable):
        front.write_down(again)

    assert held(front.session) == [again.documents[0].document_id]


def test_removing_again_removes_the_row_that_the_first_time_did_not_reach(world: World, front: Front):
    front.write_down(accepted := front.session.upload(TEXT))
    document_id = accepted.documents[0].document_id
    front.session.client.delete(document_id)
    assert len(world.documents(front.session.session_id)) == 1

    with pytest.raises(NoSuchThing):
        front.remove(document_id)

    assert world.documents(front.session.session_id) == []


def test_looking_at_an_upload_writes_down_no_document_that_is_removed_meanwhile(
    world: World, front: Front, monkeypatch: pytest.MonkeyPatch
):
    upload_id = front.resumable().upload_id
    record = uploads.record

    def remove_and_record(*arguments: Any) -> None:
        (document_id,) = held(front.session)
        front.remove(document_id)  # The other request is through, and found no row.
        record(*arguments)

    monkeypatch.setattr(uploads, "record", remove_and_record)
    with pytest.raises(NoSuchThing):
        front.look(upload_id)

    assert world.documents(front.session.session_id) == []
    with pytest.raises(NoSuchThing):
        front.look(upload_id)


def test_looking_at_a_complete_upload_writes_its_document_down_once(world: World, front: Front):
    told = front.resumable()
    assert told.document is not None
    assert world.documents(front.session.session_id) == []

    for _ in range(2):
        front.look(told.upload_id)

    rows = [row.facts.content_id for row in world.documents(front.session.session_id)]
    assert rows == [told.document.document_id]


def test_dropping_an_upload_whose_first_try_broke_off_drops_its_document(
    world: World, front: Front, monkeypatch: pytest.MonkeyPatch
):
    def die(*_: object) -> None:
        raise SystemExit

    upload_id = front.resumable().upload_id
    front.look(upload_id)
    with monkeypatch.context() as patched:
        patched.setattr(SessionClient, "delete", die)
        with pytest.raises(SystemExit):
            front.drop(upload_id)

    front.drop(upload_id)

    assert held(front.session) == []
    assert world.documents(front.session.session_id) == []
    with pytest.raises(NoSuchThing):
        front.drop(upload_id)
