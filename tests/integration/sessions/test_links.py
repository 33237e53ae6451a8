"""Links in a real session process without network, with a fetcher whose sites are loopback servers."""

import contextlib
import socket
import threading
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest

from ingestion.fetch.messages import Fetch
from ingestion.fetch.site import Bounds
from ingestion.fetch.worker import Fetcher
from ingestion.quarantine import SEGMENT_BYTES
from models.errors import (
    IdempotencyConflict,
    LinkRefused,
    LinksNotAllowed,
    MayflyError,
    PartUnavailable,
    QueueFull,
    QuotaExceeded,
    VideoLink,
)
from models.sealing import unseal
from processes import ipc
from sessions.facts import facts_of
from sessions.limits import SessionLimits
from sessions.messages import SOURCE_LINK_PURPOSE
from tests.support.hosting import KEY, Hosting, Parts, Session, wait_until
from tests.support.sites import PUBLIC, Answer, World, page, redirect, world

MARKER = "xylocopa7361"
TEXT = f"<html><head><title>Bees</title></head><body><p>The {MARKER} bee sleeps in the hollow elder.</p></body></html>"
# A site that is held says nothing for longer than any test waits, so that what ends a fetch is never its time.
BOUNDS = Bounds(max_bytes=200_000, max_seconds=300, redirects=3)


class Linked:
    """A session, its host, and the world that its links lead into."""

    def __init__(self, host: Hosting, here: World) -> None:
        self.host, self.here = host, here
        self.session: Session = host.open()
        self.held = threading.Event()
        self.asked = threading.Semaphore(0)

    def fetch(self, path: str = "/bees.html", *, key: str | None = None) -> str:
        accepted = self.session.client.fetch_link(f"http://site.example{path}", idempotency_key=key)
        return accepted.documents[0].document_id

    def fetch_when_free(self, path: str) -> str:
        """Fetch as soon as the machine has a place: the fetcher has it back a moment after a session hung up."""
        taken = list[str]()

        def is_taken() -> bool:
            with contextlib.suppress(QueueFull):
                taken.append(self.fetch(path))
            return bool(taken)

        wait_until(is_taken)
        return taken[0]

    def answer(self, path: str, answer: bytes) -> None:
        self.here.sites[PUBLIC, 80].answers[path] = answer

    def hold(self, path: str) -> None:
        """Let the site begin an answer and then say nothing until ``held`` is set or nobody listens."""

        def begin(sock: socket.socket) -> None:
            sock.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n" + b"a" * 70_000
            )
            self.asked.release()
            sock.settimeout(200)
            with contextlib.suppress(ConnectionResetError):  # So it is hung up on when not all of it was read.
                assert sock.recv(1) == b""
            self.held.set()

        self.here.sites[PUBLIC, 80].answers[path] = begin


ANSWERS: dict[str, Answer] = {"/bees.html": page(TEXT.encode())}


@contextlib.contextmanager
def linked_host(
    parts: Parts, *, fetches: int = 4, limits: SessionLimits | None = None
) -> Generator[tuple[Hosting, World]]:
    """Run a host and, in this process, a fetcher for it."""
    with world(ANSWERS) as here:
        host = Hosting(parts, limits=limits)
        path = host.folder / "fetcher"
        listener = ipc.listen(path)
        fetcher = Fetcher(here.network, BOUNDS, fetches=fetches)
        threading.Thread(target=ipc.serve, args=(listener, Fetch, fetcher.handle), daemon=True).start()
        host.config = msgspec.structs.replace(host.config, fetcher_socket=str(path))
        try:
            host.start()
            yield host, here
        finally:
            listener.close()
            host.stop()


@pytest.fixture(scope="module")
def shared(parts: Parts) -> Iterator[tuple[Hosting, World]]:
    with linked_host(parts) as running:
        yield running


@pytest.fixture
def linked(shared: tuple[Hosting, World]) -> Iterator[Linked]:
    """A session of its own in a world that is as new."""
    host, here = shared
    here.names = {"site.example": (PUBLIC,)}
    here.sites[PUBLIC, 80].answers = dict(ANSWERS)
    here.resolved.clear()
    here.connected.clear()
    linked = Linked(host, here)
    yield linked
    host.client.kill(linked.session.session_id)


def test_a_link_becomes_a_document_that_can_be_asked(linked: Linked):
    accepted = linked.session.client.fetch_link(f"http://site.example/bees.html?{MARKER}=1#part")
    (first,) = accepted.documents
    state = linked.session.finished(first.document_id)

    assert (first.status, first.filename, first.progress) == ("queued", "bees.html", 0.0)
    assert (state.status, state.error, state.bytes, state.media_type) == ("ready", None, len(TEXT), "text/html")
    assert next(iter(state.timings)) == "fetching"
    assert {"extracting", "embedding"} <= set(state.timings), "what came after is there too"
    assert any(MARKER in text for text in linked.session.ask("Where does the bee sleep?"))
    assert linked.host.sealed_files() == []


def test_the_record_gets_the_link_only_under_the_learner_s_key_and_without_its_query(linked: Linked):
    (state,) = linked.session.client.fetch_link(f"http://site.example/bees.html?{MARKER}=1").documents
    kept = facts_of(state).sealed_source_link

    assert kept is not None
    assert b"site.example" not in kept
    assert unseal(KEY, kept, purpose=SOURCE_LINK_PURPOSE) == b"http://site.example/bees.html"


@pytest.mark.parametrize("media_type", ["text/html", "application/xhtml+xml"])
@pytest.mark.parametrize("path", ["/wiki/Node.js", "/blob/main/paper.pdf", "/wiki/File:Cat.jpg", "/a/Main.xml"])
def test_a_page_whose_address_ends_like_another_file_is_a_page(linked: Linked, path: str, media_type: str):
    linked.answer(path, page(TEXT.encode(), media_type=media_type))

    state = linked.session.finished(linked.fetch(path))

    assert (state.status, state.error, state.media_type) == ("ready", None, "text/html")
    assert state.filename == path.rpartition("/")[2], "it is shown by its own name"


@pytest.mark.parametrize(("answer", "code"), [
    (page(b"%PDF-1.4 not html", media_type="text/html"), {"unsupported_type", "type_mismatch"}),
    (page(b"<html><body>text</body></html>", media_type="application/pdf"), {"unsupported_type", "type_mismatch"}),
    (page(b"\x7fELF" + bytes(100), media_type="application/octet-stream"), {"unsupported_type", "type_mismatch"}),
    (page(b"", media_type="text/html"), {"empty_document"}),
    (page(b"a" * 300_000), {"too_large"}),
    (page(b"x", media_type="video/mp4"), {"media_file"}),
    (page(b"x", media_type="font/woff"), {"unsupported_type"}),
    (page(b"x", status="404 Not Found"), {"link_failed"}),
    (redirect("http://127.0.0.1/"), {"link_refused"}),
    (redirect("https://youtu.be/x"), {"video_link"}),
])  # fmt: skip
def test_what_cannot_be_had_fails_with_a_code(linked: Linked, answer: bytes, code: set[str]):
    linked.answer("/x", answer)

    state = linked.session.finished(linked.fetch("/x"))

    assert state.status == "failed"
    assert state.error in code
    assert linked.host.sealed_files() == []
    assert linked.session.finished(linked.fetch()).status == "ready", "the session goes on"


def test_a_name_that_is_private_is_refused_without_a_connection(linked: Linked):
    linked.here.names["site.example"] = (PUBLIC, "10.0.0.1")

    assert linked.session.finished(linked.fetch()).error == "link_refused"
    assert linked.here.connected == []


@pytest.mark.parametrize(("url", "error"), [
    ("http://127.0.0.1/", LinkRefused),
    ("file:///etc/passwd", LinkRefused),
    ("https://youtu.be/x", VideoLink),
])  # fmt: skip
def test_what_the_words_of_a_link_tell_is_refused_at_once(linked: Linked, url: str, error: type[MayflyError]):
    with pytest.raises(error):
        linked.session.client.fetch_link(url)

    assert (linked.session.client.documents(), linked.here.resolved) == ((), [])


def test_a_slow_site_holds_up_no_other_document(linked: Linked):
    linked.hold("/slow")
    slow = linked.fetch("/slow")
    assert linked.asked.acquire(timeout=60)

    linked.session.ready(("note.txt", b"The ferry of Arden carries sheep."))

    assert linked.session.client.document(slow).status == "queued"


def test_removing_a_document_stops_its_fetch_and_gives_everything_back(linked: Linked):
    linked.hold("/slow")
    slow = linked.fetch("/slow")
    assert linked.asked.acquire(timeout=60)
    wait_until(lambda: linked.host.sealed_bytes() > SEGMENT_BYTES)  # What came has been sealed, so it counts.

    removed = linked.session.client.delete(slow)

    assert removed.bytes > 0
    assert linked.held.wait(60), "the site was not hung up on"
    assert linked.host.sealed_files() == []
    held = linked.session.client.summarise()
    assert (held.documents, held.bytes, held.quarantined_files) == (0, 0, 0)
    assert linked.session.finished(linked.fetch()).status == "ready", "its place is free again"


def test_ending_the_session_stops_its_fetches(linked: Linked):
    linked.hold("/slow")
    linked.fetch("/slow")
    assert linked.asked.acquire(timeout=60)

    linked.host.client.kill(linked.session.session_id)

    assert linked.held.wait(60)
    assert linked.host.sealed_files() == []


def test_a_session_fetches_two_links_at_once(linked: Linked):
    linked.hold("/slow")
    ids = [linked.fetch("/slow"), linked.fetch("/slow")]

    with pytest.raises(QueueFull) as caught:
        linked.fetch()

    assert caught.value.retry_after_seconds
    linked.session.client.delete(ids[0])
    assert linked.session.finished(linked.fetch()).status == "ready"


def test_links_count_against_the_quota_of_the_session_and_the_places_of_the_machine(parts: Parts):
    with linked_host(parts, fetches=1, limits=SessionLimits(files=1, session_bytes=80_000)) as (host, here):
        slow = Linked(host, here)
        slow.hold("/slow")
        first = slow.fetch("/slow")
        assert slow.asked.acquire(timeout=60)
        other = Linked(host, here)

        with pytest.raises(QueueFull) as caught:
            other.fetch()
        assert caught.value.retry_after_seconds
        assert other.session.client.documents() == ()

        slow.session.client.delete(first)
        slow.answer("/much", page(b"a" * 90_000))
        assert slow.session.finished(slow.fetch_when_free("/much")).error == "quota_exceeded"
        with pytest.raises(QuotaExceeded):
            slow.fetch()


def test_the_same_key_makes_the_same_document_and_asks_the_site_once(linked: Linked):
    first = linked.fetch(key="k")
    linked.session.finished(first)

    assert linked.fetch(key="k") == first
    assert linked.here.connected == [(PUBLIC, 80)]
    with pytest.raises(IdempotencyConflict):
        linked.fetch("/other", key="k")


def test_a_key_whose_link_was_refused_is_free_again(linked: Linked):
    tries = count()
    for _ in range(2):
        with pytest.raises(LinkRefused):
            linked.session.client.fetch_link("http://127.0.0.1/", idempotency_key="k")
        next(tries)

    assert next(tries) == 2
    assert linked.session.finished(linked.fetch(key="k")).status == "ready"


def test_a_fetcher_that_is_not_there_is_told(parts: Parts):
    host = Hosting(parts)
    host.config = msgspec.structs.replace(host.config, fetcher_socket=str(host.folder / "nobody"))
    try:
        host.start()
        session = host.open()
        with pytest.raises(PartUnavailable):
            session.client.fetch_link("http://site.example/")
        assert session.client.summarise().quarantined_files == 0
    finally:
        host.stop()


def test_without_a_fetcher_no_link_is_taken(session: Session):
    with pytest.raises(LinksNotAllowed):
        session.client.fetch_link("http://site.example/")


def test_nothing_is_logged_but_numbers(linked: Linked, capfd: pytest.CaptureFixture[str]):
    linked.answer(f"/{MARKER}", page(TEXT.encode()))
    linked.session.finished(linked.fetch(f"/{MARKER}"))
    linked.session.finished(linked.fetch("/missing"))
    said = list[str]()

    def is_told() -> bool:
        said.append(capfd.readouterr().err)
        return "link_failed" in "".join(said)

    wait_until(is_told)
    assert "link_fetched" in "".join(said)
    for log in ("".join(said), Path(linked.host.log_file).read_text()):
        assert MARKER not in log
        assert "site.example" not in log
