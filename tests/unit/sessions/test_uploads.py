from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.quarantine import SEGMENT_BYTES, Quarantine
from models.errors import FileTooLarge, IdempotencyConflict, InvalidRequest, MayflyError, QueueFull, QuotaExceeded
from sessions.documents import Quota
from sessions.limits import SessionLimits
from sessions.uploads import FileMark, Idempotency, Upload, display_name

LIMITS = SessionLimits(files=3, file_bytes=100, session_bytes=250, queue_files=4, queue_bytes=10_000)
MARKS = (FileMark("a.txt", None, 3, b"hash"),)


class Session:
    """One session's quarantine and quota, shared by its uploads."""

    def __init__(self, root: Path) -> None:
        self.quarantine = Quarantine(root, "session")
        self.quota = Quota(LIMITS)

    def upload(self, *, keep: bool = True) -> Upload:
        return Upload(self.quarantine, self.quota, LIMITS, keep=keep)

    def sealed_files(self) -> int:
        return len(list(self.quarantine.folder.iterdir())) if self.quarantine.folder.exists() else 0


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path)


def put(upload: Upload, *sizes: int) -> None:
    for size in sizes:
        upload.begin_file("a.txt", "text/plain")
        upload.data(b"x" * size)
        upload.end_file()


@pytest.mark.parametrize(
    ("sizes", "error"),
    [
        ((99,), None),
        ((100,), None),
        ((101,), FileTooLarge),
        ((100, 100, 49), None),
        ((100, 100, 50), None),
        ((100, 100, 51), QuotaExceeded),
        ((1, 1), None),
        ((1, 1, 1), None),
        ((1, 1, 1, 1), QuotaExceeded),
        ((0,), None),
    ],
)
def test_limits_are_exact(session: Session, sizes: tuple[int, ...], error: type[MayflyError] | None):
    upload = session.upload()

    if error is None:
        put(upload, *sizes)
        assert [mark.size for mark in upload.marks()] == list(sizes)
    else:
        with pytest.raises(error):
            put(upload, *sizes)


def test_uploads_at_the_same_time_share_one_quota(session: Session):
    one, other = session.upload(), session.upload()
    put(one, 100)
    put(other, 100)

    with pytest.raises(QuotaExceeded):
        put(one, 51)
    other.abort()

    put(session.upload(), 51)


def test_aborting_leaves_no_file_and_gives_the_quota_back(session: Session):
    for _ in range(5):
        upload = session.upload()
        put(upload, 100, 100)
        upload.begin_file("b.txt", None)
        upload.data(b"x" * 50)
        assert session.sealed_files() == 3
        upload.abort()
        upload.abort()
        assert session.sealed_files() == 0


def test_files_that_were_handed_over_outlive_the_upload(session: Session):
    upload = session.upload()
    put(upload, 40)

    ((mark, sealed),) = upload.hand_over()
    upload.abort()

    assert b"".join(sealed.read()) == b"x" * mark.size == b"x" * 40


def test_a_sealed_file_holds_none_of_the_plain_text(session: Session):
    upload = session.upload()
    upload.begin_file("a.txt", None)
    upload.data(b"the mayfly flew")
    upload.end_file()
    ((_, sealed),) = upload.hand_over()

    assert b"".join(sealed.read()) == b"the mayfly flew"
    assert b"mayfly" not in sealed.path.read_bytes()


def test_the_machine_takes_no_more_files_than_its_queue_holds(session: Session, tmp_path: Path):
    others = [Quarantine(tmp_path, f"other-{index}").create() for index in range(4)]
    with pytest.raises(QueueFull) as refusal:
        session.upload().begin_file("a.txt", None)
    assert refusal.value.retry_after_seconds

    others[0].destroy()

    session.upload().begin_file("a.txt", None)


def test_the_machine_s_bytes_are_counted_while_a_file_arrives(tmp_path: Path):
    limits = SessionLimits(queue_bytes=4 * SEGMENT_BYTES)
    upload = Upload(Quarantine(tmp_path, "session"), Quota(limits), limits)
    upload.begin_file("a.txt", None)
    upload.data(b"x" * SEGMENT_BYTES)
    other = Quarantine(tmp_path, "other").create()
    other.path.write_bytes(bytes(3 * SEGMENT_BYTES + 1))

    with pytest.raises(QueueFull):
        upload.data(b"x" * SEGMENT_BYTES)

    other.destroy()
    upload.data(b"x" * SEGMENT_BYTES)


def test_while_others_wait_a_session_has_half_of_the_machine_s_queue(session: Session, tmp_path: Path):
    upload = session.upload()
    put(upload, 1, 1)
    other = Quarantine(tmp_path, "other").create()
    with pytest.raises(QueueFull):
        upload.begin_file("c.txt", None)

    other.destroy()

    put(session.upload(), 1)


def test_a_session_alone_may_fill_the_queue_and_half_of_its_bytes_while_others_wait(tmp_path: Path):
    limits = SessionLimits(queue_bytes=4 * SEGMENT_BYTES)
    upload = Upload(Quarantine(tmp_path, "session"), Quota(limits), limits)
    other = Quarantine(tmp_path, "other").create()
    upload.begin_file("a.txt", None)
    upload.data(b"x" * 2 * SEGMENT_BYTES)
    with pytest.raises(QueueFull):
        upload.data(b"x" * SEGMENT_BYTES)

    other.destroy()

    upload.data(b"x" * SEGMENT_BYTES)


def test_a_replay_is_compared_and_not_stored(session: Session):
    first, again = session.upload(), session.upload(keep=False)
    put(first, 100, 100)
    put(again, 100, 100)

    assert again.marks() == first.marks()
    assert session.sealed_files() == 2
    again.abort()
    put(first, 50)


def test_a_replay_has_the_limits_of_an_upload(session: Session):
    with pytest.raises(FileTooLarge):
        put(session.upload(keep=False), 101)
    with pytest.raises(QuotaExceeded):
        put(session.upload(keep=False), 1, 1, 1, 1)


@pytest.mark.parametrize(
    "nonsense",
    [
        lambda upload: upload.data(b"x"),
        lambda upload: upload.end_file(),
        lambda upload: upload.marks(),
        lambda upload: (upload.begin_file("a", None), upload.begin_file("b", None)),
        lambda upload: (upload.begin_file("a", None), upload.marks()),
    ],
)
def test_steps_out_of_order_are_refused(session: Session, nonsense: Callable[[Upload], object]):
    with pytest.raises(InvalidRequest):
        nonsense(session.upload())


def test_a_key_is_claimed_until_it_is_finished_or_released():
    keys = Idempotency()
    assert keys.begin("k") is False
    with pytest.raises(IdempotencyConflict):
        keys.begin("k")

    keys.release("k")
    assert keys.begin("k") is False
    keys.finish("k", MARKS, ("document",))

    assert keys.begin("k") is True
    assert keys.replay("k", MARKS) == ("document",)


def test_a_key_that_was_used_for_other_files_is_refused():
    keys = Idempotency()
    keys.begin("k")
    keys.finish("k", MARKS, ("document",))

    with pytest.raises(IdempotencyConflict):
        keys.replay("k", (FileMark("a.txt", None, 3, b"other"),))
    with pytest.raises(IdempotencyConflict):
        keys.replay("k", MARKS * 2)


def test_a_key_is_free_again_when_its_documents_are_taken_back():
    keys = Idempotency()
    for key in ("k", "other"):
        keys.begin(key)
        keys.finish(key, MARKS, (f"document of {key}",))

    keys.forget(["document of k"])

    assert keys.begin("k") is False
    assert keys.begin("other") is True


def test_uploads_without_a_key_never_conflict():
    keys = Idempotency()

    assert [keys.begin(None), keys.begin(None)] == [False, False]
    keys.finish(None, MARKS, ("document",))
    keys.release(None)


def test_the_oldest_keys_are_forgotten():
    keys = Idempotency()
    for number in range(1001):
        keys.begin(str(number))
        keys.finish(str(number), MARKS, ())

    assert keys.begin("1") is True
    assert keys.begin("0") is False


@pytest.mark.parametrize(
    ("untrusted", "shown"),
    [
        ("notes.txt", "notes.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\notes.txt", "notes.txt"),
        ("a\x00b\r\nc.txt", "abc.txt"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("a\u200bb.txt", "ab.txt"),
        ("  two   words .pdf ", "two words .pdf"),
        ("été.pdf", "été.pdf"),
        ("蜉蝣.pdf", "蜉蝣.pdf"),
        ("", "document"),
        ("dir/", "document"),
        ("x" * 300, "x" * 255),
    ],
)
def test_a_file_name_is_made_fit_to_show(untrusted: str, shown: str):
    assert display_name(untrusted) == shown
