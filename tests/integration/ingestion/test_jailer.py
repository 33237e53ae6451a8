"""The real jailer process: what it reads, what it refuses, and that nothing of a jail outlives it."""

import contextlib
import io
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from functools import cache
from pathlib import Path

import msgspec
import psutil
import pytest
from PIL import Image

from ingestion.jail import (
    AskLevel,
    Cancelled,
    DocumentData,
    ExtractRequest,
    Failed,
    JailClient,
    JailReply,
    Job,
    OpenJail,
    Progress,
)
from ingestion.limits import JailLimits
from models.errors import (
    EmptyDocument,
    EncryptedDocument,
    MayflyError,
    NestedArchive,
    ParserFailed,
    PartUnavailable,
    QuotaExceeded,
    TimedOut,
    TooManyPages,
    TooManyPixels,
    TooMuchText,
    UnsupportedType,
)
from processes import ipc
from tests.support.jails import Jailer, Sample, folded, manifest, running_jailer

READABLE = [sample for sample in manifest("pdf", "pdf-scanned", "image") if not sample.must_contain.startswith("(")]
TEXTUAL = [sample for sample in READABLE if sample.must_contain]
WITHOUT_TEXT = [sample for sample in READABLE if not sample.must_contain]
HOSTILE = manifest("hostile")
# What of the hostile files is a document after all: odd, and still readable.
HARMLESS = {".docx", ".fuzz", ".pdf", ".tif"}
# For whoever waits on a machine that stalls, and longer than any test waits for the end of a jail: its time ends none.
PATIENT = JailLimits(document_seconds=120, ocr_page_seconds=120)


@pytest.fixture(scope="module")
def jailer() -> Iterator[Jailer]:
    with running_jailer(limits=PATIENT) as jailer:
        yield jailer


@pytest.fixture(scope="module", autouse=True)
def descriptors_at_rest(jailer: Jailer) -> set[int]:
    """The descriptors of a jailer at which nobody has called yet."""
    return descriptors(jailer)


@pytest.fixture(autouse=True)
def nothing_is_left(jailer: Jailer) -> Iterator[None]:
    """After every test: no process of the jailer, no file in the folder it was told to use."""
    yield
    wait_until(lambda: not jailer.descendants(), "a jail outlived its document")
    assert [path.name for path in jailer.socket.parent.iterdir()] == ["jailer.sock"]


def wait_until(condition: Callable[[], bool], complaint: str, seconds: float = 60) -> None:
    """Return when the condition holds; nothing tells of another process's children but looking."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, complaint
        threading.Event().wait(0.01)


@cache
def scan(*, pages: int = 1) -> bytes:
    """Return a PDF of pictures without a text layer, noisy enough to keep recognition busy for seconds."""
    buffer = io.BytesIO()
    first, *others = [Image.effect_noise((1700, 2400), 120 + page) for page in range(pages)]
    first.save(buffer, "PDF", save_all=True, append_images=others, resolution=200)
    return buffer.getvalue()


def ids(samples: list[Sample]) -> list[str]:
    return [sample.file.rpartition("/")[2][:40] for sample in samples]


# --- what it reads ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", TEXTUAL, ids=ids(TEXTUAL))
def test_a_real_document_gives_its_text_on_the_right_page(jailer: Jailer, sample: Sample) -> None:
    extraction = jailer.extract(sample.untrusted, sample.file)

    holding = [page.number for page in extraction.pages if folded(sample.must_contain) in folded(page.text)]
    assert (sample.page or holding[0]) in holding
    text = {page.number: page.text for page in extraction.pages}
    held = "".join(text[chunk.page][chunk.start : chunk.end] for chunk in extraction.chunks)
    assert "".join(held.split()) == "".join("".join(text.values()).split()), "every letter is in a chunk"


@pytest.mark.parametrize("sample", WITHOUT_TEXT, ids=ids(WITHOUT_TEXT))
def test_a_picture_without_text_gives_an_empty_result(jailer: Jailer, sample: Sample) -> None:
    extraction = jailer.extract(sample.untrusted, sample.file)

    assert extraction.chunks == ()
    assert [page.text for page in extraction.pages] == [""]


@pytest.mark.parametrize("name", ["asvs-ru/0x11-V2-Authentication.md", "asvs-zh-cn/0x11-V2-Authentication.md"])
def test_a_markdown_document_has_headings_and_a_language(jailer: Jailer, name: str) -> None:
    (sample,) = [sample for sample in manifest("truth") if sample.file.endswith(name)]

    extraction = jailer.extract(sample.untrusted, "chapter.md")

    assert extraction.language == name[5:7]
    assert extraction.media_type == "text/markdown"
    assert any(chunk.heading for chunk in extraction.chunks)


def test_a_web_page_is_read(jailer: Jailer) -> None:
    content = "<html><body><article><h1>Tides</h1>" + "<p>The tide turns twice a day at this shore.</p>" * 9

    extraction = jailer.extract(content.encode(), "tides.html", media_type="text/html")

    assert "tide turns twice" in extraction.pages[0].text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "cp932"])
def test_a_text_in_any_encoding_is_read(jailer: Jailer, encoding: str) -> None:
    text = "吾輩は猫である。名前はまだ無い。\nどこで生れたかとんと見当がつかぬ。"

    assert jailer.extract(text.encode(encoding), "cat.txt").pages[0].text == text


def test_progress_counts_the_pages_of_each_stage_and_never_falls(jailer: Jailer) -> None:
    (sample,) = [sample for sample in READABLE if "4.0.3-ru" in sample.file]
    seen = list[tuple[str, int, int]]()

    extraction = jailer.extract(sample.untrusted, sample.file, on_progress=lambda *each: seen.append(each))

    extracted = [each for each in seen if each[0] == "extracting"]
    pages = len(extraction.pages)
    assert extracted == sorted(extracted)
    assert len(extracted) > 20
    assert extracted[-1] == ("extracting", pages, pages)
    assert seen[-1] == ("chunking", pages, pages)


# --- what it refuses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", HOSTILE, ids=ids(HOSTILE))
def test_a_hostile_file_ends_in_one_named_error_or_in_text(jailer: Jailer, sample: Sample) -> None:
    refusals = (UnsupportedType, NestedArchive, ParserFailed, EmptyDocument, TimedOut, TooManyPixels)
    harmless = Path(sample.file).suffix in HARMLESS

    with contextlib.suppress(*refusals) if harmless else pytest.raises(refusals):
        assert jailer.extract(sample.untrusted, sample.file).pages


@pytest.mark.parametrize(
    ("content", "name", "error"),
    [
        (b"", "a.pdf", EmptyDocument),
        (b" \n\t ", "a.txt", EmptyDocument),
        (b"<html><body><script>x</script></body></html>", "a.html", EmptyDocument),
        (b"PK\x03\x04", "a.docx", ParserFailed),
        (b"%PDF-1.7 nothing else", "a.pdf", ParserFailed),
        (b"\x89PNG\r\n\x1a\n nothing else", "a.png", ParserFailed),
    ],
)
def test_a_document_that_cannot_be_read_is_refused_by_name(
    jailer: Jailer, content: bytes, name: str, error: type[MayflyError]
) -> None:
    with pytest.raises(error):
        jailer.extract(content, name)


def test_a_document_that_needs_a_password_is_refused(jailer: Jailer) -> None:
    (sample,) = [sample for sample in manifest("pdf") if "password" in sample.file]

    with pytest.raises(EncryptedDocument):
        jailer.extract(sample.untrusted, sample.file)


def test_every_limit_is_kept_and_the_process_lives_on() -> None:
    limits = JailLimits(pages=2, pixels=1000, chunks=5, text_bytes=50_000)
    with running_jailer(limits=limits) as strict:
        with pytest.raises(TooManyPages):
            strict.extract(manifest("pdf")[0].untrusted, "a.pdf")
        with pytest.raises(TooManyPixels):
            strict.extract(_png((40, 26)), "a.png")
        with pytest.raises(QuotaExceeded):
            strict.extract(b"A sentence as good as any other. " * 400, "a.txt")
        with pytest.raises(TooMuchText):
            strict.extract(b"x" * 50_001, "a.txt")

        assert strict.extract(_png((40, 25)), "a.png").chunks == ()
        assert strict.extract(b"Short and good.", "a.txt").chunks


def _png(size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", size, 255).save(buffer, "PNG")
    return buffer.getvalue()


# --- how a jail ends -------------------------------------------------------------------------------------------------


@pytest.fixture
def working(jailer: Jailer) -> Iterator[tuple[Job, list[BaseException]]]:
    """A jail that has been recognising a scan for a moment, and what its client gets in the end."""
    job, ends = Job(), list[BaseException]()

    def read() -> None:
        try:
            jailer.extract(scan(), "scan.pdf", job=job, session="doomed")
        except BaseException as error:  # noqa: BLE001 - handed to the test.
            ends.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    wait_until(lambda: holds_recognition(jailer), "recognition never began, so its end would prove nothing")
    yield job, ends
    job.cancel()
    thread.join(60)
    assert not thread.is_alive()


def holds_recognition(jailer: Jailer, *, pages: int = 1) -> bool:
    """Stop the programs that recognise, so that they are at work for as long as a test wants; say whether all are."""
    stopped = 0
    for process in jailer.descendants():
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.name() == "tesseract":
                process.suspend()
                stopped += process.status() == psutil.STATUS_STOPPED
    return stopped == pages


def names(jailer: Jailer) -> set[str]:
    found = set[str]()
    for process in jailer.descendants():
        with contextlib.suppress(psutil.NoSuchProcess):
            found.add(process.name())
    return found


def test_cancelling_a_job_kills_its_jail(jailer: Jailer, working: tuple[Job, list[BaseException]]) -> None:
    job, ends = working

    job.cancel()

    wait_until(lambda: not jailer.descendants(), "the jail lives on")
    wait_until(lambda: bool(ends), "the client waits for ever")
    assert isinstance(ends[0], Cancelled)


def test_dropping_a_session_kills_its_jails_and_no_other(
    jailer: Jailer, working: tuple[Job, list[BaseException]]
) -> None:
    _, ends = working

    assert jailer.client.drop("another") == 0
    assert "tesseract" in names(jailer)
    assert jailer.client.drop("doomed") == 1

    assert jailer.descendants() == [], "dead and reaped before the answer"
    wait_until(lambda: bool(ends), "the client waits for ever")
    assert isinstance(ends[0], (PartUnavailable, ParserFailed))


def test_a_client_that_dies_takes_its_jail_with_it(jailer: Jailer) -> None:
    with begun(jailer, scan()):
        wait_until(lambda: holds_recognition(jailer), "recognition never began")

    wait_until(lambda: not jailer.descendants(), "the jail lives on")


def test_a_jail_that_is_killed_is_a_parser_that_failed(
    jailer: Jailer, working: tuple[Job, list[BaseException]]
) -> None:
    _, ends = working

    for process in jailer.descendants():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()

    wait_until(lambda: bool(ends), "the client waits for ever")
    assert isinstance(ends[0], ParserFailed)


def is_over(connection: ipc.Connection) -> bool:
    try:
        return connection.receive() is None
    except ipc.PeerGone:
        return True


def test_killing_the_jailer_leaves_no_jail() -> None:
    with running_jailer(limits=PATIENT) as doomed, begun(doomed, scan()) as connection:
        wait_until(lambda: holds_recognition(doomed), "recognition never began")
        children = doomed.descendants()

        doomed.process.send_signal(signal.SIGKILL)

        _, alive = psutil.wait_procs(children, timeout=60)
        assert alive == []
        wait_until(lambda: is_over(connection), "the client waits for ever")
        with pytest.raises(PartUnavailable):
            doomed.client.level()


def test_the_wall_limit_ends_a_document_and_each_recognised_page_adds_to_it() -> None:
    with running_jailer(limits=JailLimits(document_seconds=1, ocr_page_seconds=1)) as strict:
        content = scan(pages=2)
        started = time.monotonic()

        with pytest.raises(TimedOut):
            strict.extract(content, "scan.pdf")

        assert time.monotonic() - started < 60
        wait_until(lambda: not strict.descendants(), "a jail outlived its time")
        wait_until(lambda: is_read(strict, b"And on it goes."), "no document is read any more")


def is_read(jailer: Jailer, untrusted: bytes) -> bool:
    """Say whether a text was read. On a busy machine its time may be over before its jail has begun."""
    try:
        return bool(jailer.extract(untrusted, "a.txt").chunks)
    except (TimedOut, PartUnavailable):
        return False


def test_a_client_that_sends_nothing_is_timed_out_as_well() -> None:
    with running_jailer(limits=JailLimits(document_seconds=0.5)) as strict:
        wait_until(lambda: told_in_silence(strict) == ["Admitted", "Failed"], "nobody was admitted in time")


def told_in_silence(jailer: Jailer) -> list[str]:
    """Return what a client hears that sends nothing; the last word is that its time is over."""
    with ipc.connect(jailer.socket, JailReply, timeout_seconds=60) as connection:
        connection.send(OpenJail(session="slow"))
        replies = list(iter(connection.receive, None))
    assert isinstance(replies[-1], Failed)
    assert replies[-1].slug == TimedOut.slug
    return [type(reply).__name__ for reply in replies]


def test_when_a_drop_is_answered_all_of_a_jail_is_dead_and_reaped(
    jailer: Jailer, working: tuple[Job, list[BaseException]]
) -> None:
    job, _ = working
    pids = [process.pid for process in jailer.descendants()]
    assert not job.cancelled
    assert len(pids) >= 2, "the jail has no process but its first"

    assert jailer.client.drop("doomed") == 1

    assert [pid for pid in pids if psutil.pid_exists(pid)] == []


def test_nothing_is_written_into_the_middle_of_an_answer(jailer: Jailer) -> None:
    content = b"The tide turns twice a day at this shore. " * 15_000
    with ipc.connect(jailer.socket, JailReply, timeout_seconds=60) as connection:
        connection.call(OpenJail(session="s"))
        connection.send(ExtractRequest(session="s", size=len(content), untrusted_filename="a.txt"))
        connection.send(DocumentData(data=content))
        while (length := int.from_bytes(connection.sock.recv(4, socket.MSG_WAITALL))) < 1000:
            connection.sock.recv(length, socket.MSG_WAITALL)
        processes = jailer.descendants()
        for process in processes:
            process.suspend()
        wait_until(lambda: {process.status() for process in processes} == {"stopped"}, "the jail does not stop")
        connection.sock.setblocking(False)
        received = bytearray()
        with contextlib.suppress(BlockingIOError):
            while part := connection.sock.recv(1 << 20):
                received += part
        assert 0 < len(received) < length, "the answer is whole, so it has no middle"

        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):  # It dies with the one before.
                process.kill()

        connection.sock.settimeout(60)
        assert connection.sock.recv(1 << 20) == b""


def descriptors(jailer: Jailer) -> set[int]:
    return {int(path.name) for path in Path(f"/proc/{jailer.process.pid}/fd").iterdir()}


@contextlib.contextmanager
def free_descriptors(jailer: Jailer, used: set[int], count: int) -> Generator[None]:
    """Let the jailer open only so many more descriptors than it has used at rest."""
    process = psutil.Process(jailer.process.pid)
    wait_until(lambda: descriptors(jailer) == used, "the jailer holds a descriptor of somebody who left")
    limit = [number for number in range(len(used) + count + 1) if number not in used][count]
    before = process.rlimit(resource.RLIMIT_NOFILE)
    process.rlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        process.rlimit(resource.RLIMIT_NOFILE, before)


def test_a_jailer_without_a_free_descriptor_lets_visitors_wait_and_lives_on(
    jailer: Jailer, descriptors_at_rest: set[int]
) -> None:
    with free_descriptors(jailer, descriptors_at_rest, 0):
        with ipc.connect(jailer.socket, JailReply, timeout_seconds=0.5) as visitor, pytest.raises(ipc.PeerGone):
            visitor.call(AskLevel())
        assert jailer.process.poll() is None

    assert jailer.client.level()


@pytest.mark.parametrize("count", [1, 2])
def test_a_jail_that_cannot_be_built_refuses_its_visitor_and_nobody_else(
    jailer: Jailer, descriptors_at_rest: set[int], count: int
) -> None:
    with free_descriptors(jailer, descriptors_at_rest, count), pytest.raises(PartUnavailable):
        jailer.extract(b"Nothing is left to read this with.", "a.txt")

    assert jailer.extract(b"And on it goes.", "a.txt").chunks


@contextlib.contextmanager
def begun(jailer: Jailer, untrusted: bytes) -> Generator[ipc.Connection]:
    """A client by hand, which has sent its document and hangs up at the end."""
    with ipc.connect(jailer.socket, JailReply, timeout_seconds=60) as connection:
        connection.call(OpenJail(session="by hand"))
        connection.send(ExtractRequest(session="by hand", size=len(untrusted), untrusted_filename="scan.pdf"))
        connection.send(DocumentData(data=untrusted))
        yield connection


# --- the queue -------------------------------------------------------------------------------------------------------


def test_documents_wait_in_order_for_a_free_jail_and_can_be_withdrawn(jailer: Jailer) -> None:
    with contextlib.ExitStack() as stack:
        both = [stack.enter_context(begun(jailer, scan())) for _ in range(2)]
        wait_until(lambda: holds_recognition(jailer, pages=2), "recognition never began")
        assert len(jails(jailer)) == 2
        waiting = [ipc.connect(jailer.socket, JailReply, timeout_seconds=60) for _ in range(3)]
        for connection in waiting:
            connection.send(OpenJail(session="waits"))
            jailer.client.level()  # Answered after what was sent before it was taken in.
        waiting[0].close()
        assert len(jails(jailer)) == 2, "no third jail was started"

        both[0].close()

        assert type(waiting[1].receive()).__name__ == "Admitted"
        assert jailer.client.drop("waits") == 2, "one at work and one that still waited"
        assert waiting[2].receive() is None
        for connection in waiting:
            connection.close()


def jails(jailer: Jailer) -> list[psutil.Process]:
    return psutil.Process(jailer.process.pid).children()


def test_a_visitor_who_talks_nonsense_is_shown_the_door(jailer: Jailer) -> None:
    for nonsense in (b"\xff\xff\xff\xff", b"\0\0\0\x04abcd", b"\0\0\0\0"):
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.connect(str(jailer.socket))
            visitor.sendall(nonsense)
            assert visitor.recv(100) == b""

    assert jailer.client.level()


def test_the_jailer_has_one_thread_and_holds_no_descriptor_of_a_finished_document(
    jailer: Jailer, descriptors_at_rest: set[int]
) -> None:
    for _ in range(5):
        jailer.extract(b"Another.", "a.txt")

    wait_until(lambda: descriptors(jailer) == descriptors_at_rest, "it holds a descriptor of a finished document")
    assert psutil.Process(jailer.process.pid).num_threads() == 1


def test_the_jailer_s_environment_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAYFLY_DATABASE_URL", "mariadb://keeper:swordfish@record/mayfly")
    with running_jailer() as jailer:
        environment = Path(f"/proc/{jailer.process.pid}/environ").read_bytes()

    assert b"PATH=" in environment
    assert b"swordfish" not in environment


# --- a jail that lies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0\0",
        b"\0\0\0\x01\xc1",
        b"\xff\xff\xff\xff",
        b"\0\0\0\x10short",
        ipc._LENGTH.pack(2) + b"\x81\xa4",
    ],
)
def test_an_answer_that_is_no_message_is_a_failed_document(tmp_path: Path, answer: bytes) -> None:
    with lying(tmp_path, answer) as client, pytest.raises(ParserFailed):
        client.extract(
            iter([]), ExtractRequest(session="s", size=0, untrusted_filename="a"), on_progress=print, job=Job()
        )


@pytest.mark.parametrize("slug", ["part_unavailable", "parser_failed"])
def test_a_jail_that_ends_before_it_admits_is_no_fault_of_the_document(tmp_path: Path, slug: str) -> None:
    """Its walls could not be built, and it has not seen a byte."""
    with lying(tmp_path, b"", instead=Failed(slug=slug)) as client, pytest.raises(PartUnavailable):
        client.extract(
            iter([b"x"]), ExtractRequest(session="s", size=1, untrusted_filename="a"), on_progress=print, job=Job()
        )


def test_a_jail_that_was_admitted_cannot_ask_to_be_tried_again(tmp_path: Path) -> None:
    answer = msgspec.msgpack.encode(Failed(slug="part_unavailable"))
    with lying(tmp_path, ipc._LENGTH.pack(len(answer)) + answer) as client, pytest.raises(ParserFailed):
        client.extract(
            iter([]), ExtractRequest(session="s", size=0, untrusted_filename="a"), on_progress=print, job=Job()
        )


@pytest.mark.parametrize("answer", [b"", b"\0\0\0\x10short"])
def test_a_jailer_that_died_is_a_part_that_is_unavailable(tmp_path: Path, answer: bytes) -> None:
    with lying(tmp_path, answer, dying=True) as client, pytest.raises(PartUnavailable):
        client.extract(
            iter([]), ExtractRequest(session="s", size=0, untrusted_filename="a"), on_progress=print, job=Job()
        )


@contextlib.contextmanager
def lying(folder: Path, answer: bytes, *, dying: bool = False, instead: Failed | None = None) -> Generator[JailClient]:
    """A jailer that admits, or says something instead, and then sends these bytes; a dying one listens no more then."""
    from ingestion.jail import Admitted, JailerRequest

    path = folder / "lying.sock"
    listener = ipc.listen(path)

    def serve() -> None:
        sock, _ = listener.accept()
        # A client that was told why it gets nothing hangs up, and the rest is for nobody.
        with ipc.Connection(sock, JailerRequest) as connection, contextlib.suppress(OSError):
            connection.receive()
            connection.send(instead or Admitted(limits=JailLimits()))
            connection.send(Progress(stage="extracting", pages_done=1, pages_known=2))
            sock.sendall(answer)
            if dying:
                listener.close()
            sock.shutdown(socket.SHUT_WR)
            sock.recv(1 << 16)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield JailClient(path)
    finally:
        thread.join(60)
        listener.close()
        path.unlink()
