"""J05: a jail that was taken over answers whatever it likes, and its document fails, nothing else."""

import contextlib
import resource
import socket
import struct
import threading
from collections.abc import Generator
from pathlib import Path

import msgspec
import pytest

from ingestion.jail import Admitted, Dropped, ExtractRequest, Failed, Finished, JailClient, JailerRequest, Job, Progress
from ingestion.level import Walls
from ingestion.limits import MIB, JailLimits
from models.content import Chunk, Extraction, Page
from models.errors import MayflyError, ParserFailed
from processes import ipc

REQUEST = ExtractRequest(session="s", size=0, untrusted_filename="a")
LIMITS = JailLimits(output_bytes=4 * MIB, pages=10)
GOOD = Extraction("text/plain", (Page(1, "one two three"),), (Chunk(1, 0, 3),), "en")


def frame(body: bytes) -> bytes:
    """Return a frame whose length is true."""
    return struct.pack(">I", len(body)) + body


def told(message: msgspec.Struct) -> bytes:
    return frame(msgspec.msgpack.encode(message))


def with_field(name: str, value: bytes) -> bytes:
    """Return a good answer in which one more field holds these bytes."""
    body = msgspec.msgpack.encode(Finished(extraction=GOOD))
    assert 0x80 <= body[0] < 0x8F, "not a small map"
    return frame(bytes([body[0] + 1]) + body[1:] + msgspec.msgpack.encode(name) + value)


LIES = {
    "a length of four gigabytes": b"\xff\xff\xff\xff",
    "a negative length": struct.pack(">i", -1),
    "a length one above the limit": struct.pack(">I", 4 * MIB + 1),
    "a length that is too short": struct.pack(">I", 3) + told(Finished(extraction=GOOD))[4:],
    "a length that is too long": struct.pack(">I", 4000) + told(Finished(extraction=GOOD))[4:],
    "an empty frame": frame(b""),
    "half a frame": told(Finished(extraction=GOOD))[:-1],
    "no letters": told(Finished(extraction=GOOD)).replace(b"one two", b"one\xff\xfe\xfdo"),
    "a NUL": told(Finished(extraction=GOOD)).replace(b"one two", b"one\x00two"),
    "a list of four thousand million": frame(b"\xdd\xff\xff\xff\xff"),
    "a map of four thousand million": frame(b"\xdf\xff\xff\xff\xff"),
    "a text of four gigabytes": frame(b"\xdb\xff\xff\xff\xff"),
    "lists in lists": frame(b"\x91" * (2 * MIB)),
    "lists in lists where nobody looks": with_field("more", b"\x91" * (2 * MIB)),
    "maps in maps where nobody looks": with_field("more", b"\x81\xa1x" * MIB),
    "another type": frame(msgspec.msgpack.encode({"type": "os.system", "extraction": None})),
    "a type that is a list": frame(msgspec.msgpack.encode({"type": [], "extraction": None})),
    "no map at all": frame(msgspec.msgpack.encode([1, 2, 3])),
    "an extension": frame(b"\xc7\x01\x2a\x00"),
    "json": frame(b'{"type": "Finished"}'),
    "words of the jailer": told(Dropped(jails=1)),
    "a second admission": told(Admitted(limits=JailLimits(pages=10**9))),
    "an unknown blame": told(Failed(slug="no_such_slug")),
    "somebody else's blame": told(Failed(slug="session_expired")),
    "a blame that is a text": told(Failed(slug="x" * MIB)),
    "pages that are not there": told(Finished(extraction=Extraction("text/plain", (Page(7, "x"),), (), None))),
    "a chunk of a page that is not there": told(
        Finished(extraction=Extraction("text/plain", GOOD.pages, (Chunk(2, 0, 1),), None))
    ),
    "more pages than allowed": told(
        Finished(extraction=Extraction("text/plain", tuple(Page(at, "x") for at in range(1, 12)), (), None))
    ),
    "a hundred thousand tiny chunks": told(
        Finished(extraction=Extraction("text/plain", (Page(1, "x" * 100_000),), (Chunk(1, 0, 1),) * 100_000, None))
    ),
    "progress without end, then nothing": told(Progress(stage="extracting", pages_done=1, pages_known=1)) * 10_000,
    "progress that is impossible": told(Progress(stage="extracting", pages_done=-5, pages_known=2**62)) * 10,
}


@contextlib.contextmanager
def lying(folder: Path, answer: bytes) -> Generator[JailClient]:
    """A jailer that lives and admits, and whose jail then sends these bytes and hangs up."""
    listener = ipc.listen(folder / "lying.sock")

    def serve() -> None:
        sock, _ = listener.accept()
        with ipc.Connection(sock, JailerRequest) as connection:
            connection.receive()
            connection.send(Admitted(limits=LIMITS))
            with contextlib.suppress(OSError):  # The client may have seen enough.
                sock.sendall(answer)
                sock.shutdown(socket.SHUT_WR)
                sock.recv(1 << 16)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield JailClient(folder / "lying.sock")
    finally:
        thread.join(60)
        listener.close()


@pytest.mark.parametrize("answer", LIES.values(), ids=LIES.keys())
def test_a_lie_fails_its_document_and_nothing_else(tmp_path: Path, answer: bytes) -> None:
    progress = list[tuple[str, int, int]]()

    with lying(tmp_path, answer) as client, pytest.raises(ParserFailed):
        client.extract(iter([]), REQUEST, on_progress=lambda *step: progress.append(step), job=Job())

    assert len(progress) <= 1, "progress is told when there is some"
    assert all(0 <= done <= known <= LIMITS.pages for _, done, known in progress)


def test_the_same_jailer_s_good_answer_is_believed(tmp_path: Path) -> None:
    with lying(tmp_path, told(Finished(extraction=GOOD))) as client:
        assert client.extract(iter([]), REQUEST, on_progress=lambda *_: None, job=Job()) == GOOD


def test_a_claim_costs_no_memory_before_it_is_kept(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    for answer in (b"\xff\xff\xff\xff", frame(b"\xdd\xff\xff\xff\xff"), frame(b"\xdb\xff\xff\xff\xff")):
        with lying(tmp_path, answer) as client, pytest.raises(MayflyError):
            client.extract(iter([]), REQUEST, on_progress=lambda *_: None, job=Job())
        (tmp_path / "lying.sock").unlink(missing_ok=True)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024, "in KiB"


@pytest.mark.parametrize("held", [[], [["network"]], "network", [["network", 1]], {"network": "seccomp"}])
def test_walls_that_are_no_pairs_are_no_walls(held: object) -> None:
    encoded = msgspec.msgpack.encode({"held": held})

    try:
        walls = msgspec.msgpack.decode(encoded, type=Walls)
    except msgspec.ValidationError:
        return
    assert walls.level == "none"
