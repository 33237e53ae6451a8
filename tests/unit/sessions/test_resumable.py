import errno
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from ingestion.quarantine import SEGMENT_BYTES, Quarantine, SealedFile
from models.errors import (
    FileTooLarge,
    MayflyError,
    NoSpace,
    NoSuchThing,
    OffsetConflict,
    QueueFull,
    QuotaExceeded,
    UploadLocked,
)
from models.ids import new_id
from sessions import messages as m
from sessions.documents import Quota
from sessions.limits import SessionLimits
from sessions.resumable import LIFE_FACTOR, QUIET_SECONDS, Resumables
from sessions.uploads import FileMark, Upload

LIMITS = SessionLimits(files=3, file_bytes=300_000, session_bytes=500_000, queue_files=5, resume_seconds=600)


class World:
    """The resumable uploads of a session, with a clock that stands still until it is moved and a shelf of documents."""

    def __init__(self, root: Path, limits: SessionLimits = LIMITS) -> None:
        self.now = 1000.0
        self.quarantine = Quarantine(root, "session")
        self.quota = Quota(limits)
        self.documents: dict[str, tuple[FileMark, SealedFile]] = {}
        self.resumables = Resumables(
            begin=lambda: Upload(self.quarantine, self.quota, limits),
            commit=self.commit,
            state_of=self.state_of,
            limits=limits,
            clock=lambda: self.now,
        )

    def commit(self, upload: Upload) -> m.Accepted:
        (file,) = upload.hand_over()
        document_id = new_id()
        self.documents[document_id] = file
        return m.Accepted(documents=(self.state_of(document_id),))

    def state_of(self, document_id: str) -> m.DocumentState:
        if document_id not in self.documents:
            raise NoSuchThing
        mark, _ = self.documents[document_id]
        return m.DocumentState(
            document_id=document_id,
            filename=mark.filename,
            sealed_filename=b"",
            media_type=None,
            bytes=mark.size,
        )

    def start(self, length: int) -> str:
        request = m.StartResumable(untrusted_filename="a.txt", untrusted_media_type="text/plain", length=length)
        return self.resumables.start(request).upload_id

    def write(self, upload_id: str, *parts: bytes) -> m.Resumable:
        writing = self.resumables.resume(upload_id, self.resumables.state(upload_id).offset)
        for part in parts:
            writing.data(part)
        return writing.suspend()

    def content(self, state: m.Resumable) -> bytes:
        assert state.document is not None
        return b"".join(self.documents[state.document.document_id][1].read())

    def sealed(self) -> list[Path]:
        return list(self.quarantine.folder.iterdir()) if self.quarantine.folder.exists() else []


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    "cuts",
    [(1,), (5,), (SEGMENT_BYTES,), (SEGMENT_BYTES + 1,), (1, 2, 3, SEGMENT_BYTES, 2 * SEGMENT_BYTES, 199_999), ()],
)
def test_a_file_that_came_in_parts_is_the_file(world: World, cuts: Sequence[int]) -> None:
    whole = bytes(number % 251 for number in range(200_000))
    upload_id = world.start(len(whole))

    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        state = world.write(upload_id, whole[start:end])
        assert (state.offset, state.document is None) == (end, end < len(whole))

    assert world.content(world.resumables.state(upload_id)) == whole


def test_what_is_kept_of_an_upload_is_sealed(world: World) -> None:
    upload_id = world.start(200_000)

    world.write(upload_id, b"mayfly " * 20_000)

    (sealed,) = world.sealed()
    assert sealed.stat().st_size > SEGMENT_BYTES
    assert b"mayfly" not in sealed.read_bytes()


def test_an_empty_file_is_complete_at_once(world: World) -> None:
    state = world.resumables.state(world.start(0))

    assert (state.offset, state.seconds_left) == (0, None)
    assert world.content(state) == b""


@pytest.mark.parametrize("offset", [0, 4, 6, 10, 2**53])
def test_bytes_at_another_offset_are_refused_and_change_nothing(world: World, offset: int) -> None:
    upload_id = world.start(10)
    world.write(upload_id, b"12345")

    with pytest.raises(OffsetConflict):
        world.resumables.resume(upload_id, offset)

    assert world.content(world.write(upload_id, b"67890")) == b"1234567890"


def test_a_complete_upload_can_be_completed_again_with_nothing(world: World) -> None:
    upload_id = world.start(5)
    first = world.write(upload_id, b"12345")

    again = world.write(upload_id)

    assert again.document == first.document
    assert len(world.documents) == 1
    with pytest.raises(FileTooLarge):
        world.write(upload_id, b"6")
    assert world.resumables.state(upload_id).document == first.document


def test_a_client_that_sends_more_than_it_announced_has_no_upload_any_more(world: World) -> None:
    upload_id = world.start(5)

    with pytest.raises(FileTooLarge):
        world.write(upload_id, b"12345", b"6")

    with pytest.raises(NoSuchThing):
        world.resumables.state(upload_id)
    assert (world.sealed(), world.documents) == ([], {})


def test_only_one_writes_at_a_time(world: World) -> None:
    upload_id = world.start(10)
    writing = world.resumables.resume(upload_id, 0)
    writing.data(b"123")

    with pytest.raises(UploadLocked):
        world.resumables.resume(upload_id, 3)
    writing.data(b"45")
    writing.suspend()

    assert world.content(world.write(upload_id, b"67890")) == b"1234567890"


def test_a_writer_that_has_gone_quiet_is_replaced_and_can_do_nothing_any_more(world: World) -> None:
    upload_id = world.start(10)
    broken = world.resumables.resume(upload_id, 0)
    broken.data(b"123")
    world.now += QUIET_SECONDS
    with pytest.raises(OffsetConflict):
        world.resumables.resume(upload_id, 0)

    writing = world.resumables.resume(upload_id, 3)

    with pytest.raises(OffsetConflict):
        broken.data(b"xx")
    with pytest.raises(OffsetConflict):
        broken.suspend()
    writing.data(b"4567890")
    assert world.content(writing.suspend()) == b"1234567890"


def test_a_writer_whose_bytes_arrive_is_not_quiet(world: World) -> None:
    upload_id = world.start(10)
    writing = world.resumables.resume(upload_id, 0)
    for byte in b"12345":
        writing.data(bytes([byte]))
        world.now += QUIET_SECONDS - 0.1

    with pytest.raises(UploadLocked):
        world.resumables.resume(upload_id, 5)


def test_many_who_write_at_once_make_one_file(world: World) -> None:
    whole = bytes(number % 256 for number in range(200_000))
    upload_id = world.start(len(whole))
    refused: list[type[MayflyError]] = []

    def write() -> None:
        for _ in range(2_000):
            try:
                offset = world.resumables.state(upload_id).offset
                writing = world.resumables.resume(upload_id, offset)
                writing.data(whole[offset : offset + 1000])
                writing.suspend()
            except (UploadLocked, OffsetConflict) as error:
                refused.append(type(error))
            if world.resumables.state(upload_id).document is not None:
                return

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while world.resumables.state(upload_id).document is None:
        world.write(upload_id, whole[(at := world.resumables.state(upload_id).offset) : at + 1000])

    assert world.content(world.resumables.state(upload_id)) == whole
    assert len(world.documents) == 1


@pytest.mark.parametrize("when", ["before it wrote", "while it writes", "after it wrote"])
def test_a_dropped_upload_leaves_nothing_and_cannot_go_on(world: World, when: str) -> None:
    upload_id = world.start(200_000)
    writing = world.resumables.resume(upload_id, 0)
    if when != "before it wrote":
        writing.data(b"x" * 100_000)
    if when == "after it wrote":
        writing.suspend()
    assert len(world.sealed()) == 1

    told = world.resumables.drop(upload_id)

    assert told.document is None
    assert world.sealed() == []
    for refused in (lambda: writing.data(b"x"), writing.suspend, writing.state):
        with pytest.raises(NoSuchThing):
            refused()
    for gone in (world.resumables.state, world.resumables.drop, lambda name: world.resumables.resume(name, 0)):
        with pytest.raises(NoSuchThing):
            gone(upload_id)


def test_the_document_of_a_dropped_upload_stays(world: World) -> None:
    upload_id = world.start(5)
    state = world.write(upload_id, b"12345")

    assert world.resumables.drop(upload_id).document == state.document

    assert world.content(state) == b"12345"


def test_an_upload_is_known_no_longer_than_its_document(world: World) -> None:
    kept, other = world.start(5), world.start(5)
    world.write(kept, b"12345")
    state = world.write(other, b"12345")
    assert state.document is not None

    del world.documents[state.document.document_id]
    world.start(5)

    assert other not in world.resumables._kept
    assert world.resumables.state(kept).document is not None
    with pytest.raises(NoSuchThing):
        world.resumables.state(other)


def test_an_upload_that_gets_nothing_is_given_up_and_others_are_not(world: World) -> None:
    stalled, alive, complete = world.start(10), world.start(10), world.start(0)
    world.write(stalled, b"12345")
    world.now += LIMITS.resume_seconds - 1
    world.write(alive, b"12345")
    assert world.resumables.give_up_stalled() == 1
    assert world.resumables.state(stalled).seconds_left == 1

    world.now += 1
    assert world.resumables.give_up_stalled() == LIMITS.resume_seconds - 1

    with pytest.raises(NoSuchThing):
        world.resumables.state(stalled)
    assert world.resumables.state(alive).offset == 5
    assert world.resumables.state(complete).document is not None
    assert len(world.sealed()) == 2


def test_who_comes_and_brings_nothing_keeps_no_upload(world: World) -> None:
    upload_id = world.start(10)
    for _ in range(2):
        world.now += LIMITS.resume_seconds / 2 - 1
        world.write(upload_id)
    assert world.resumables.state(upload_id).seconds_left == 2

    world.now += 2
    world.resumables.give_up_stalled()

    with pytest.raises(NoSuchThing):
        world.resumables.state(upload_id)
    assert world.sealed() == []


def test_a_writer_that_has_brought_nothing_yet_is_not_quiet(world: World) -> None:
    upload_id = world.start(10)
    world.now += QUIET_SECONDS
    world.resumables.resume(upload_id, 0)

    with pytest.raises(UploadLocked):
        world.resumables.resume(upload_id, 0)


def test_an_upload_ends_however_slowly_it_goes_on(world: World) -> None:
    upload_id, end = world.start(1000), world.now + LIFE_FACTOR * LIMITS.resume_seconds
    while world.now + LIMITS.resume_seconds / 2 < end:
        world.now += LIMITS.resume_seconds / 2
        told = world.write(upload_id, b"x")
        assert told.seconds_left == min(LIMITS.resume_seconds, end - world.now), "it is told before"

    world.now = end
    world.resumables.give_up_stalled()

    with pytest.raises(NoSuchThing):
        world.resumables.state(upload_id)
    assert world.sealed() == []


@pytest.mark.parametrize("ending", ["dropped", "given up"])
def test_the_quota_is_given_back(world: World, ending: str) -> None:
    for _ in range(10):
        started = [world.start(250_000), world.start(250_000)]
        for upload_id in started:
            world.write(upload_id, b"x" * 249_999)
        if ending == "dropped":
            for upload_id in started:
                world.resumables.drop(upload_id)
        else:
            world.now += LIMITS.resume_seconds
            world.resumables.give_up_stalled()

    assert world.sealed() == []


def test_limits_are_those_of_an_upload(world: World) -> None:
    with pytest.raises(FileTooLarge):
        world.start(LIMITS.file_bytes + 1)
    one, two, _ = world.start(300_000), world.start(300_000), world.start(1)
    with pytest.raises(QuotaExceeded):
        world.start(1)

    world.write(one, b"x" * 299_999)
    world.write(two, b"x" * 200_001)
    with pytest.raises(QuotaExceeded):
        world.write(two, b"x")

    assert world.resumables.state(two).offset == 200_001, "what was sealed before the refusal is kept"


def test_while_the_queue_is_full_an_upload_waits_where_it_stands(world: World, tmp_path: Path) -> None:
    upload_id = world.start(10)
    world.write(upload_id, b"12345")
    others = [Quarantine(tmp_path, f"other-{index}").create() for index in range(5)]
    with pytest.raises(QueueFull):
        world.start(1)
    with pytest.raises(QueueFull):
        world.write(upload_id, b"67890")

    for other in others:
        other.destroy()
    world.now += QUIET_SECONDS

    assert world.content(world.write(upload_id, b"67890")) == b"1234567890"


@pytest.mark.parametrize("when", ["while it writes", "as it ends"])
def test_on_a_full_disk_nothing_of_the_upload_is_kept(world: World, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    upload_id = world.start(SEGMENT_BYTES * 2)
    world.write(upload_id, b"x" * SEGMENT_BYTES)

    def no_room(*_: object) -> None:
        raise NoSpace

    monkeypatch.setattr(SealedFile, "_store" if when == "while it writes" else "close", no_room)
    with pytest.raises(NoSpace):
        world.write(upload_id, b"x" * SEGMENT_BYTES)

    assert (world.sealed(), world.documents) == ([], {})
    with pytest.raises(NoSuchThing):
        world.resumables.state(upload_id)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.ENOSPC])
def test_an_upload_that_could_not_be_made_does_not_count(
    world: World, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail() -> None:
        raise OSError(number, "")

    with monkeypatch.context() as patched:
        patched.setattr(world.quarantine, "create", fail)
        for _ in range(LIMITS.files + 1):
            with pytest.raises(OSError, match=str(number)):
                world.start(5)

    for _ in range(LIMITS.files):
        world.start(5)


@pytest.mark.parametrize("when", ["_store", "close"])
def test_an_upload_that_a_disk_failed_is_gone(world: World, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "")

    with monkeypatch.context() as patched:
        patched.setattr(SealedFile, when, fail)
        for _ in range(LIMITS.files + 1):
            upload_id = world.start(SEGMENT_BYTES * 2)
            with pytest.raises(OSError, match=str(errno.EIO)):
                world.write(upload_id, b"x" * SEGMENT_BYTES * 2)
            with pytest.raises(NoSuchThing):
                world.resumables.state(upload_id)

    assert (world.sealed(), world.documents) == ([], {})
    world.write(world.start(5), b"12345")
