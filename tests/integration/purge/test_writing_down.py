"""An upload that the session took and the record did not, against a real session and both databases."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from api import uploads
from api.dependencies import LearnersSession
from api.metrics import Metrics
from api.resources import Resources
from models.documents import service as document_record
from models.errors import NoSuchThing, PartUnavailable
from sessions.messages import Accepted
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
