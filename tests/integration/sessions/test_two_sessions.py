"""Two live session processes over one embedder: what one holds and does changes no answer of the other."""

import threading
from itertools import count

import msgspec

from models.content import Answer
from sessions import messages as m
from tests.support import library
from tests.support.hosting import Hosting, Session

OWN = tuple(
    (f"{name}.txt", "\n\n".join(texts).encode())
    for name, texts in (("english", library.ENGLISH), ("french", library.FRENCH))
)
QUESTIONS = (
    library.ENGLISH_QUESTION,
    library.FRENCH_QUESTION,
    library.CHINESE_QUESTION,
    "Who invented the steam locomotive of the moon?",
    '"clings to tiny ice crystals"',
)
# Nearly what the first session holds, so that a mix-up would show in the answers.
FOREIGN = "\n\n".join(text.replace("fish", "bird") for text in library.ENGLISH).encode()


def answers(session: Session) -> list[Answer]:
    """Ask everything, doubtful passages included; what a question took is left out, ids are those of the upload."""
    named = {document.document_id: document.filename for document in session.client.documents()}
    found = [session.client.ask(m.Ask(text=text, top_k=5, doubtful=True)) for text in QUESTIONS]
    return [
        msgspec.structs.replace(
            answer,
            took_ms=0.0,
            passages=tuple(
                msgspec.structs.replace(passage, document_id=named[passage.document_id]) for passage in answer.passages
            ),
        )
        for answer in found
    ]


class Neighbour:
    """A second learner who uploads and asks without a pause. ``done`` counts what he got."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stop = threading.Event()
        self.ready, self.answered = 0, 0
        self._threads = [threading.Thread(target=work) for work in (self._upload, self._ask)]

    def __enter__(self) -> "Neighbour":
        self._session.ready(("first.txt", FOREIGN))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _upload(self) -> None:
        for number in count():
            (state,) = self._session.ready((f"{number}.txt", FOREIGN + str(number).encode()))
            self.ready += 1
            self._session.client.delete(state.document_id)
            if self._stop.is_set():
                return

    def _ask(self) -> None:
        while not self._stop.is_set() or not self.answered:
            for text in QUESTIONS:
                self._session.ask(text)
                self.answered += 1


def test_answers_are_the_same_alone_and_while_another_session_uploads_and_asks(shared_host: Hosting):
    session = shared_host.open()
    session.ready(*OWN)
    alone = answers(session)

    with Neighbour(shared_host.open()) as neighbour:
        beside = answers(session)
        late = shared_host.open()
        late.ready(*OWN)
        filled_beside = answers(late)

    assert neighbour.ready > 0
    assert neighbour.answered > 0
    assert len({passage.relevance for answer in alone for passage in answer.passages}) > 1, "one band proves no bands"
    assert beside == alone
    assert filled_beside == alone
