"""What an embeddings endpoint may cost, and what it may not get away with."""

import dataclasses
import json
import os
import ssl
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import EmbeddingFailed, MayflyError, PartUnavailable
from tests.support.certificates import Authority
from tests.support.embedders import prepared
from tests.support.endpoint import EndpointServer, Reply, serving, vectors_reply
from vectorstore import endpoint_backend, models
from vectorstore.container import UnreadableModel
from vectorstore.endpoint import Endpoint, EndpointConfig, EndpointRefused
from vectorstore.endpoint_backend import EndpointEmbedder
from vectorstore.scheduler import Scheduler

SECRET_TEXT = "the heron of cabinet nine"
KEY = "sk-very-secret"


class Replies:
    """Correct answers of length 3, until a test sets another; ``queued`` come first."""

    def __init__(self) -> None:
        self.queued = list[Reply]()
        self.constant: Reply | None = None
        self.held: threading.Event | None = None

    def __call__(self, request: dict[str, Any]) -> Reply:
        if self.held is not None:
            assert self.held.wait(60)
        if self.queued:
            return self.queued.pop(0)
        return self.constant or vectors_reply([[3.0, 4.0, float(len(text))] for text in request["input"]])


@pytest.fixture
def replies() -> Replies:
    return Replies()


@pytest.fixture
def server(replies: Replies) -> Iterator[EndpointServer]:
    with serving(replies) as server:
        yield server


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_backend, "_PAUSES_SECONDS", (0.0, 0.0))


def opened(server: EndpointServer, **changes: Any) -> EndpointEmbedder:
    options: dict[str, Any] = {"url": server.url, "model": "m", "max_tokens": 64, "max_seconds": 60.0} | changes
    return EndpointEmbedder(EndpointConfig(**options), models.tokenizer_file(prepared()))


def items(*vectors: Any, indices: tuple[int, ...] | None = None, model: str = "m") -> Reply:
    places = indices or tuple(range(len(vectors)))
    data = [{"index": i, "embedding": vector} for i, vector in zip(places, vectors, strict=True)]
    return 200, {}, json.dumps({"data": data, "model": model}).encode()


def test_vectors_come_in_the_order_of_the_texts_with_unit_length(server: EndpointServer):
    vectors = opened(server).embed_passages(["a", "bbb"])

    assert vectors.dtype == np.float32
    assert np.allclose(vectors[:, 0] / vectors[:, 2], [3.0, 1.0])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0)


def test_passages_of_several_sessions_go_in_one_request(server: EndpointServer, replies: Replies):
    embedder = opened(server)
    replies.held = threading.Event()
    scheduler = Scheduler(embedder, threads=1, queue_texts=100)
    first = scheduler.submit("zero", "passage", ["in work"])
    while len(server.requests) < 2:
        os.sched_yield()  # Ends when the first text is on its way; else the suite's time limit does.
    texts = {"a": ["one", "three", "eleven"], "b": ["four", "seven"]}
    tickets = {name: scheduler.submit(name, "passage", own) for name, own in texts.items()}
    replies.held.set()

    rows = {name: ticket.future.result(timeout=60) for name, ticket in tickets.items()}

    assert first.future.result(timeout=60).shape == (1, 3)
    assert [len(body["input"]) for _, _, body in server.requests[2:]] == [5]
    for name, vectors in rows.items():
        assert np.allclose(vectors, embedder.embed_passages(texts[name]))
    scheduler.close()


def test_what_is_sent_is_what_openai_documents_and_the_key_goes_in_its_header(server: EndpointServer, tmp_path: Path):
    (tmp_path / "key").write_text(f"{KEY}\n", encoding="ascii")

    opened(server, key_file=str(tmp_path / "key"), passage_prefix="p: ").embed_passages(["text"])

    path, headers, body = server.requests[-1]
    assert path == "/v1/embeddings"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert body == {"model": "m", "input": ["p: text"], "encoding_format": "float"}


def test_no_proxy_of_the_environment_is_asked(server: EndpointServer, monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert opened(server).embed_query("q").shape == (3,)


@pytest.mark.parametrize(
    "reply",
    [
        items([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
        items(),
        items([1.0, 2.0, 3.0], indices=(1,)),
        items([1.0, 2.0]),
        items([0.0, 0.0, 0.0]),
        items([]),
        (200, {}, b'{"data": [{"index": 0, "embedding": [1e999, 1, 1]}]}'),
        (200, {}, b'{"data": [{"index": 0, "embedding": [NaN, 1, 1]}], "model": "m"}'),
        (200, {}, b'{"data": [{"index": 0, "embedding": "AAAA"}], "model": "m"}'),
        (200, {}, b"[]"),
        items([1.0, 2.0, 3.0], model="another"),
        (200, {"Content-Encoding": "gzip"}, b""),
        (302, {"Location": "/v1/elsewhere"}, b""),
        (400, {}, SECRET_TEXT.encode()),
        (401, {}, b""),
        (200, {}, b" " * 1_000_000),
    ],
    ids=[
        "too many", "none", "wrong index", "another length", "null", "empty", "infinite", "not a number", "base64",
        "another form", "another model", "packed", "redirect", "refusal", "wrong key", "too large",
    ],
)  # fmt: skip
def test_an_unusable_answer_fails_at_once(server: EndpointServer, replies: Replies, reply: Reply):
    embedder = opened(server)
    asked = len(server.requests)
    replies.constant = reply

    with pytest.raises(EmbeddingFailed):
        embedder.embed_query("q")

    assert len(server.requests) == asked + 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_busy_is_asked_again(server: EndpointServer, replies: Replies, status: int):
    embedder = opened(server)
    replies.queued = [(status, {}, b""), (status, {}, b"")]

    assert embedder.embed_query("q").shape == (3,)


def test_a_server_that_stays_busy_is_asked_three_times_and_no_more(server: EndpointServer, replies: Replies):
    embedder = opened(server)
    asked = len(server.requests)
    replies.constant = (503, {}, b"")

    with pytest.raises(PartUnavailable):
        embedder.embed_query("q")

    assert len(server.requests) == asked + 3


def test_a_server_that_is_silent_costs_no_more_than_its_seconds(server: EndpointServer, replies: Replies):
    embedder = opened(server)
    embedder._endpoint = dataclasses.replace(embedder._endpoint, max_seconds=0.3)
    replies.held = threading.Event()
    asked, tries = len(server.requests), 0

    while len(server.requests) == asked:  # On a machine that stalls, the time may be over before it is asked.
        tries += 1
        with pytest.raises(PartUnavailable):
            embedder.embed_query("q")

    assert len(server.requests) <= asked + tries
    replies.held.set()


def test_a_server_that_hangs_up_in_the_middle_is_asked_again(server: EndpointServer, replies: Replies):
    embedder = opened(server)
    replies.queued = [(200, {"Content-Length": "10", "Connection": "close"}, b"{")]

    assert embedder.embed_query("q").shape == (3,)


def test_a_server_that_is_gone_is_unavailable(replies: Replies):
    with serving(replies) as server:
        embedder = opened(server)

    with pytest.raises(PartUnavailable):
        embedder.embed_query("q")


def test_an_error_tells_nothing_of_text_key_or_answer(server: EndpointServer, replies: Replies, tmp_path: Path):
    (tmp_path / "key").write_text(KEY, encoding="ascii")
    embedder = opened(server, key_file=str(tmp_path / "key"))
    replies.constant = (400, {}, SECRET_TEXT.encode())

    with pytest.raises(MayflyError) as error:
        embedder.embed_query(SECRET_TEXT)

    told = "".join(traceback.format_exception(error.value)) + repr(embedder._endpoint)
    assert SECRET_TEXT not in told
    assert KEY not in told
    assert server.requests[-1][2]["input"] == [SECRET_TEXT], "never sent, so its absence would prove nothing"


def test_a_text_beyond_the_window_is_cut_before_it_is_sent(server: EndpointServer):
    embedder = opened(server)

    embedder.embed_passages(["lake " * 600])

    assert 60 <= embedder.count_tokens(server.requests[-1][2]["input"][0]) <= 64


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/v1",
        "127.0.0.1:80",
        "http://user:pass@127.0.0.1/v1",
        "http://127.0.0.1/v1?key=1",
        "https:///v1",
    ],
)
def test_an_address_with_more_or_less_than_a_host_and_a_path_is_refused(url: str):
    with pytest.raises(EndpointRefused):
        Endpoint(url)


def test_plain_http_reaches_this_machine_only_unless_allowed(server: EndpointServer, monkeypatch: pytest.MonkeyPatch):
    """The name leads to an address of documentation (RFC 5737): nothing may be sent there."""
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("192.0.2.1", 80))])
    connected = list[Any]()

    def dead_end(address: Any, **_: Any) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("socket.create_connection", dead_end)

    with pytest.raises(UnreadableModel, match="unencrypted"):
        opened(server)
    assert connected == []
    with pytest.raises(UnreadableModel, match="nobody listens"):
        opened(server, allow_http=True)
    assert connected[0] == ("192.0.2.1", server.port)


def test_a_certificate_for_another_name_or_of_a_stranger_is_refused(replies: Replies, tmp_path: Path):
    authority = Authority(tmp_path, "authority")
    issued = authority.issue("127.0.0.1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(issued.certificate, issued.key)
    with serving(replies, tls=tls) as server:
        url, trusted = f"https://127.0.0.1:{server.port}/v1", str(authority.file)

        assert opened(server, url=url, ca_file=trusted).embed_query("q").shape == (3,)
        with pytest.raises(UnreadableModel, match="certificate"):
            opened(server, url=url)
        with pytest.raises(UnreadableModel, match="certificate"):
            opened(server, url=url.replace("127.0.0.1", "localhost"), ca_file=trusted)
