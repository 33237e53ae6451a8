"""Slow, broken and hasty clients (security catalogue, series B), over raw sockets against a whole service."""

import contextlib
import gzip
import socket
import statistics
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psutil
import pytest

from api.client import Client, LearnerSession
from tests.conftest import new_learner
from tests.support import inspection
from tests.support.freezing import frozen
from tests.support.service import Service, eventually, running
from tests.support.wire import BOUNDARY, slow_upload

DOCUMENTS = "/v1/sessions/current/documents"
PATIENCE_SECONDS = 5
NOTE = b"The lighthouse keeper breeds blue newts in a barrel."


@pytest.fixture(scope="module")
def hurried() -> Iterator[Service]:
    """A service that waits a few seconds for the next byte of a body, and keeps many sessions of one address."""
    with running({"MAYFLY_UPLOADS_IDLE_SECONDS": str(PATIENCE_SECONDS), "MAYFLY_SESSIONS_PER_ACCOUNT": "9"}) as service:
        yield service


@pytest.fixture
def somebody(hurried: Service) -> Iterator[LearnerSession]:
    with Client(hurried.url) as client, new_learner(client) as learner:
        yield learner


def connect(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=60)


def answer(service: Service, *parts: bytes) -> bytes:
    """Send bytes and return all that comes back until the service closes."""
    with connect(service) as connection:
        received = b""
        with contextlib.suppress(OSError):  # It may be refused before all of it is sent.
            connection.sendall(b"".join(parts))
        while data := heard(connection):
            received += data
        return received


def heard(connection: socket.socket) -> bytes:
    """Return what comes next; nothing when the service closes, though it had not read all that was sent."""
    try:
        return connection.recv(65_536)
    except ConnectionResetError:
        return b""


def head(learner: LearnerSession, *headers: str, path: str = DOCUMENTS) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        f"Authorization: Bearer {learner.signed_in.token}",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def part(content: bytes = NOTE, name: str = "a.txt") -> bytes:
    disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"'
    return f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def held(learner: LearnerSession) -> tuple[int, int]:
    facts = learner.held()
    return facts["documents"], facts["quarantined_files"]


def front(service: Service) -> psutil.Process:
    return inspection.process(service, "front")


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def served(process: psutil.Process, ports: set[int]) -> set[int]:
    """Return from which of these ports a process has connections."""
    return ports & {each.raddr.port for each in process.net_connections("tcp") if each.raddr}


def question_seconds(learner: LearnerSession, count: int) -> list[float]:
    took = list[float]()
    for _ in range(count):
        started = time.monotonic()
        assert learner.ask("What does the keeper breed?").passages
        took.append(time.monotonic() - started)
    return took


@pytest.mark.slow
def test_b01_two_hundred_slow_senders_are_cut_off_and_hold_nobody_up(
    hurried: Service, somebody: LearnerSession
) -> None:
    (document,) = somebody.upload(("note.txt", NOTE, "text/plain"))
    somebody.wait(document.document_id)
    calm = statistics.median(question_seconds(somebody, 15))

    with Client(hurried.url) as client, new_learner(client) as slow, ExitStack() as open_ones:
        token = slow.signed_in.token
        senders = [
            open_ones.enter_context(slow_upload(hurried.url, token, b"a")) for _ in range(200)
        ]  # fmt: skip
        meanwhile = statistics.median(question_seconds(somebody, 15))
        started = time.monotonic()
        endings = [heard(sender) for sender in senders]

        assert time.monotonic() - started < 60
        refused = (b" 408 ", b" 413 ", b" 429 ", b" 503 ")  # The last: more at once than a queue of connections takes.
        others = [ending[:200] for ending in endings if ending and not any(code in ending[:20] for code in refused)]
        assert others == []
        assert eventually(lambda: held(slow) == (0, 0), seconds=60)
    assert meanwhile < 20 * max(calm, 0.5)  # They are answered; by how much slower is for the benchmarks.


@pytest.mark.parametrize("manner", ["reset", "half-close", "close"])
def test_b02_an_upload_that_breaks_off_leaves_nothing_and_frees_its_place(
    service: Service, learner: LearnerSession, manner: str
) -> None:
    connection = slow_upload(service.url, learner.signed_in.token, NOTE * 1000)
    assert eventually(lambda: held(learner)[1] == 1, seconds=60)
    if manner == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if manner == "half-close":
        connection.shutdown(socket.SHUT_WR)
    else:
        connection.close()

    assert eventually(lambda: held(learner) == (0, 0), seconds=60)
    connection.close()


@pytest.mark.parametrize(
    ("headers", "surplus"),
    [
        (("Content-Length: {short}",), b""),
        (("Content-Length: {long}",), b""),
        ((), b""),
        (("Content-Length: -5",), b""),
        (("Content-Length: five",), b""),
        (("Content-Length: {exact}", "Content-Length: {short}"), b""),
        (("Content-Length: {exact}", "Transfer-Encoding: chunked"), b""),
        (("Content-Length: {exact}, {short}",), b""),
    ],
    ids=["shorter", "longer", "missing", "negative", "a word", "two", "with chunked", "a list of two"],
)
def test_b03_a_body_that_is_not_as_long_as_said_is_refused_and_nothing_is_kept(
    hurried: Service, somebody: LearnerSession, headers: tuple[str, ...], surplus: bytes
) -> None:
    body = part() + END
    lengths = {"exact": len(body), "short": len(body) - 20, "long": len(body) + 20}

    reply = answer(hurried, head(somebody, *(line.format(**lengths) for line in headers)), body + surplus)

    assert not reply or reply.split(b" ", 2)[1] in {b"400", b"408", b"422"}, reply[:80]
    assert b"200 OK" not in reply[:20]
    assert b"202 " not in reply[:20]
    assert eventually(lambda: held(somebody) == (0, 0), seconds=60)


@pytest.mark.parametrize(
    "body",
    [
        b"FFFFFFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabcXX0\r\n\r\n",
        b"3 ;" + b"x" * 70_000 + b"\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
    ],
    ids=["overflow", "negative", "no line end", "a huge extension", "hexadecimal prefix"],
)
def test_b04_broken_chunks_are_refused(service: Service, learner: LearnerSession, body: bytes) -> None:
    reply = answer(service, head(learner, "Transfer-Encoding: chunked"), body)

    assert not reply or reply.split(b" ", 2)[1] in {b"400", b"431"}, reply[:80]
    assert eventually(lambda: held(learner) == (0, 0), seconds=60)


@pytest.mark.parametrize(
    "headers",
    [[f"X-Filler: {'y' * 1_000_000}"], [f"X-{number}: y" for number in range(10_000)]],
    ids=["a megabyte", "ten thousand"],
)
def test_b04_huge_headers_are_refused_at_little_cost(
    service: Service, learner: LearnerSession, headers: list[str]
) -> None:
    process = front(service)
    before = cpu_seconds(process)

    reply = answer(service, head(learner, *headers))

    assert not reply or reply.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ")), reply[:80]
    assert cpu_seconds(process) - before < 1.0


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (part(b"") * 100_000, {b"413", b"400"}),
        (part(NOTE), {b"400"}),
        (f"--{BOUNDARY}\r\nContent-Disposition: {'x' * 200_000}\r\n\r\nabc".encode(), {b"400"}),
        (f"--{BOUNDARY}\r\n".encode() + b"X-Header: y\r\n" * 1000 + b"\r\nabc\r\n" + END, {b"400"}),
        (b"preamble that never ends " * 40_000, {b"400"}),
    ],
    ids=["a hundred thousand parts", "no final boundary", "a huge part header", "many part headers", "no boundary"],
)
def test_b05_forms_made_to_be_costly_are_refused_cheaply(
    service: Service, learner: LearnerSession, body: bytes, codes: set[bytes]
) -> None:
    process = front(service)
    cpu, memory = cpu_seconds(process), process.memory_info().rss

    reply = answer(service, head(learner, f"Content-Length: {len(body)}"), body)

    assert not reply or reply.split(b" ", 2)[1] in codes, reply[:80]
    assert cpu_seconds(process) - cpu < 2.0
    assert process.memory_info().rss - memory < 30_000_000
    assert eventually(lambda: held(learner) == (0, 0), seconds=60)


def test_b05_a_nested_form_is_a_file_like_any_other_and_is_not_opened(
    service: Service, learner: LearnerSession
) -> None:
    inner = b'--inner\r\nContent-Disposition: form-data; name="file"; filename="b.txt"\r\n\r\nhidden\r\n--inner--\r\n'
    body = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
        "Content-Type: multipart/mixed; boundary=inner\r\n\r\n"
    ).encode() + inner + b"\r\n" + END  # fmt: skip

    reply = answer(service, head(learner, f"Content-Length: {len(body)}"), body)

    assert reply.startswith(b"HTTP/1.1 202 ")
    assert held(learner)[0] == 1


@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/sessions", "/v1/sessions/current/queries", DOCUMENTS])
def test_b06_a_million_form_fields_are_refused_everywhere(service: Service, learner: LearnerSession, path: str) -> None:
    fields = b"a=b&" * 1_000_000
    process = front(service)
    cpu, memory = cpu_seconds(process), process.memory_info().rss
    request = head(learner, f"Content-Length: {len(fields)}", path=path).replace(
        f"multipart/form-data; boundary={BOUNDARY}".encode(), b"application/x-www-form-urlencoded"
    )

    reply = answer(service, request, fields)

    assert not reply or reply.split(b" ", 2)[1] in {b"413", b"415"}, reply[:80]
    assert cpu_seconds(process) - cpu < 1.0
    assert process.memory_info().rss - memory < 30_000_000


def test_b07_a_watcher_that_goes_away_is_not_served_any_longer(service: Service, learner: LearnerSession) -> None:
    book = b"The bittern booms over the reed bed. " * 20_000
    (document,) = learner.upload(("book.txt", book, "text/plain"))
    request = (
        f"GET {DOCUMENTS}/{document.document_id}/events HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {learner.signed_in.token}\r\n\r\n"
    )
    process = front(service)
    before, ports = process.num_fds(), set[int]()
    with frozen(inspection.process(service, "embedder").pid):  # The book is not done while they watch.
        with ExitStack() as watchers:
            for _ in range(10):
                connection = watchers.enter_context(connect(service))
                ports.add(connection.getsockname()[1])
                connection.sendall(request.encode())
                assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
            assert served(process, ports) == ports

        assert eventually(lambda: not served(process, ports), seconds=60)
        # Others may have come and gone meanwhile, but not one for each watcher.
        assert eventually(lambda: process.num_fds() <= before + 5, seconds=60)
    learner.delete(document.document_id)


def test_b08_one_key_many_times_at_once_is_one_document(service: Service, learner: LearnerSession) -> None:
    body = part() + END
    request = head(learner, f"Content-Length: {len(body)}", "Idempotency-Key: once")
    barrier = threading.Barrier(8)

    def send(_: int) -> bytes:
        barrier.wait()
        return answer(service, request, body).split(b" ", 2)[1]

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(send, range(8)))

    assert b"202" in codes
    assert set(codes) <= {b"202", b"409"}
    assert held(learner)[0] == 1


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate", "gzip, gzip", "identity, gzip"])
def test_b09_a_packed_body_is_refused_unopened(service: Service, learner: LearnerSession, encoding: str) -> None:
    bomb = gzip.compress(bytes(20_000_000))

    reply = answer(service, head(learner, f"Content-Length: {len(bomb)}", f"Content-Encoding: {encoding}"), bomb)

    assert reply.startswith(b"HTTP/1.1 415 "), reply[:80]
    assert b'"unsupported_encoding"' in reply
    assert held(learner) == (0, 0)
