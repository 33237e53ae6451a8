import contextlib
import socket

import pytest

from ingestion.chunk import Chunker
from ingestion.inmate import Inmate
from ingestion.jail import DocumentData, ExtractRequest, Failed, Finished, JailReply, JailRequest
from ingestion.limits import JailLimits
from processes import ipc
from tests.support.jails import token_counter


@pytest.mark.parametrize(
    ("content", "limit", "answer"),
    [
        ("Short and good.", 100, Finished),
        ("\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM} " * 20, 100, Failed),
    ],
)
def test_the_answer_is_announced_before_it_is_sent_and_text_that_grew_is_refused_by_name(
    content: str, limit: int, answer: type[Finished | Failed]
) -> None:
    here, there = socket.socketpair()
    ours, theirs = ipc.Connection(here, JailReply), ipc.Connection(there, JailRequest)
    announced = list[int]()
    untrusted = content.encode()

    def announce() -> None:
        here.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            assert b"Finished" not in here.recv(1 << 16, socket.MSG_PEEK)
        here.setblocking(True)
        announced.append(1)

    with ours, theirs:
        ours.send(ExtractRequest(session="s", size=len(untrusted), untrusted_filename="a.txt"))
        ours.send(DocumentData(data=untrusted))
        chunker = Chunker(token_counter(), max_tokens=224)
        Inmate(theirs, JailLimits(text_bytes=limit), chunker, lambda: None, announce).serve()
        theirs.close()
        replies = list(iter(ours.receive, None))

    assert announced == [1]
    assert isinstance(replies[-1], answer)
    if isinstance(replies[-1], Failed):
        assert replies[-1].slug == "too_much_text"
