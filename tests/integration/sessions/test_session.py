import asyncio
import contextlib
import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest

from models.errors import (
    FileTooLarge,
    IdempotencyConflict,
    InvalidRequest,
    MayflyError,
    NoSuchThing,
    NothingIndexed,
    QueueFull,
    QuotaExceeded,
    SessionExpired,
)
from models.sealing import SealBroken, unseal
from sessions import messages as m
from sessions.client import UploadStream
from sessions.limits import SessionLimits
from sessions.workspace import FILENAME_PURPOSE
from tests.support import library
from tests.support.hosting import KEY, Hosting, Parts, Session, hosting, send_file, wait_until

CANARY = "xylocopa-7361"
NOTE = f"The {CANARY} sleeps in the hollow stem of the elder by the mill until the warm days of April.".encode()
ENGLISH = "\n\n".join(library.ENGLISH).encode()
FRENCH = "\n\n".join(library.FRENCH).encode()


def book(sentences: int) -> bytes:
    """Return a long text, no two lines of which are alike."""
    return "\n\n".join(
        f"In the year {1000 + n} the ferry of Arden carried {n * 7 % 400} sheep and {n * 13 % 90} barrels over "
        f"the river, and the toll keeper wrote {n * 31 % 700} pence into book number {n}."
        for n in range(sentences)
    ).encode()


# --- uploads ---------------------------------------------------------------------------------------------------------


def test_an_upload_is_sealed_on_disk_and_found_after_it_is_ready(session: Session):
    async def upload() -> tuple[bytes, m.Accepted]:
        async with UploadStream(session.socket) as stream:
            await stream.begin()
            await send_file(stream, "note.txt", NOTE)
            (sealed,) = session.hosting.sealed_files()
            return sealed.read_bytes(), await stream.commit()

    on_disk, accepted = asyncio.run(upload())
    state = session.finished(accepted.documents[0].document_id)

    assert (state.status, state.progress, state.error) == ("ready", 1.0, None)
    assert any(CANARY in text for text in session.ask("Where does the bee sleep?"))
    assert len(on_disk) >= len(NOTE)
    assert CANARY.encode() not in on_disk
    assert session.hosting.sealed_files() == []


@pytest.mark.parametrize("how", ["abort", "hang up in a file", "bad frame", "nothing committed"])
def test_an_upload_that_is_not_committed_leaves_nothing(session: Session, how: str):
    async def upload() -> None:
        async with UploadStream(session.socket) as stream:
            await stream.begin("key")
            await send_file(stream, "a.txt", b"mayfly " * 50_000)
            await stream.begin_file("b.txt")
            await stream.data(b"mayfly " * 50_000)
            assert len(session.hosting.sealed_files()) == 2
            assert stream._writer is not None
            if how == "abort":
                await stream.abort()
            elif how == "hang up in a file":
                stream._writer.transport.abort()
            elif how == "bad frame":
                stream._writer.write(b"\x00\x00\x00\x01\xc1")
                await stream._writer.drain()

    asyncio.run(upload())

    wait_until(lambda: session.hosting.sealed_files() == [])
    held = session.client.summarise()
    assert (held.documents, held.bytes, held.quarantined_files) == (0, 0, 0)
    taken = list[m.Accepted]()

    def is_taken() -> bool:
        with contextlib.suppress(IdempotencyConflict):  # The key is released after the files are gone.
            taken.append(session.upload(("a.txt", NOTE), key="key"))
        return bool(taken)

    wait_until(is_taken)
    assert taken[0].replayed is False


def test_several_files_are_taken_all_at_once_and_in_order(session: Session):
    accepted = session.upload(("b.txt", NOTE), ("a.txt", ENGLISH), ("c.txt", FRENCH))

    assert [state.filename for state in accepted.documents] == ["b.txt", "a.txt", "c.txt"]
    assert [state.document_id for state in session.client.documents()] == [
        state.document_id for state in accepted.documents
    ]
    assert [state.bytes for state in accepted.documents] == [len(NOTE), len(ENGLISH), len(FRENCH)]


def test_the_record_gets_the_file_name_only_under_the_learner_s_key(session: Session):
    (state,) = session.upload((f"{CANARY}.txt", NOTE)).documents

    assert state.filename == f"{CANARY}.txt"
    assert CANARY.encode() not in state.sealed_filename
    assert unseal(KEY, state.sealed_filename, purpose=FILENAME_PURPOSE) == f"{CANARY}.txt".encode()
    with pytest.raises(SealBroken):
        unseal(b"x" * 32, state.sealed_filename, purpose=FILENAME_PURPOSE)


def test_the_same_key_with_the_same_bytes_is_answered_with_the_same_documents(session: Session):
    first = session.upload(("a.txt", NOTE), ("b.txt", FRENCH), key="k")
    again = session.upload(("a.txt", NOTE), ("b.txt", FRENCH), key="k")

    assert (first.replayed, again.replayed) == (False, True)
    assert [one.document_id for one in again.documents] == [one.document_id for one in first.documents]
    assert session.client.summarise().documents == 2


@pytest.mark.parametrize("files", [[("a.txt", NOTE + b" ")], [("b.txt", NOTE)], [("a.txt", NOTE), ("a.txt", NOTE)]])
def test_the_same_key_with_other_files_is_a_conflict_and_changes_nothing(
    session: Session, files: list[tuple[str, bytes]]
):
    session.upload(("a.txt", NOTE), key="k")

    with pytest.raises(IdempotencyConflict):
        session.upload(*files, key="k")

    assert session.client.summarise().documents == 1
    assert session.upload(("a.txt", NOTE), key="k").replayed


def test_a_key_whose_first_use_is_under_way_is_a_conflict(session: Session):
    async def upload_twice() -> None:
        async with UploadStream(session.socket) as first, UploadStream(session.socket) as second:
            await first.begin("k")
            with pytest.raises(IdempotencyConflict):
                await second.begin("k")
            await send_file(first, "a.txt", NOTE)
            await first.commit()

    asyncio.run(upload_twice())

    assert session.upload(("a.txt", NOTE), key="k").replayed


def test_an_upload_without_files_is_refused(session: Session):
    with pytest.raises(InvalidRequest):
        session.upload()


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small_host(parts: Parts) -> Iterator[Hosting]:
    limits = SessionLimits(files=3, file_bytes=1000, session_bytes=2500, chunks=4, queue_files=4)
    with hosting(parts, limits=limits) as host:
        yield host


@pytest.fixture
def small(small_host: Hosting) -> Iterator[Session]:
    session = small_host.open()
    yield session
    small_host.client.kill(session.session_id)


@pytest.mark.parametrize(
    ("sizes", "error"),
    [
        ([999], None),
        ([1000], None),
        ([1001], FileTooLarge),
        ([1000, 1000, 499], None),
        ([1000, 1000, 500], None),
        ([1000, 1000, 501], QuotaExceeded),
        ([5, 5], None),
        ([5, 5, 5], None),
        ([5, 5, 5, 5], QuotaExceeded),
    ],
)
@pytest.mark.parametrize("together", [True, False], ids=["one request", "a request each"])
def test_quotas_are_exact(small: Session, sizes: list[int], error: type[MayflyError] | None, *, together: bool):
    files = [(f"{index}.txt", b"x" * size) for index, size in enumerate(sizes)]
    requests = [files] if together else [[file] for file in files]
    *allowed, last = requests
    for request in allowed:
        small.upload(*request)

    if error is None:
        small.upload(*last)
        assert small.client.summarise().bytes == sum(sizes)
    else:
        with pytest.raises(error):
            small.upload(*last)
        assert small.client.summarise().documents == sum(map(len, allowed)), "all or none"


def test_a_deleted_document_makes_room(small: Session):
    documents = small.upload(*[(f"{index}.txt", b"x" * 800) for index in range(3)]).documents
    with pytest.raises(QuotaExceeded):
        small.upload(("d.txt", b"x" * 800))

    small.client.delete(documents[1].document_id)

    small.upload(("d.txt", b"x" * 800))


def test_a_file_that_is_too_large_is_refused_while_it_comes(session: Session):
    limit = SessionLimits().file_bytes
    sent = 0

    async def upload() -> None:
        nonlocal sent
        async with UploadStream(session.socket) as stream:
            await stream.begin()
            await stream.begin_file("endless.txt")
            while sent < 4 * limit:
                await stream.data(b"x" * 1_000_000)
                sent += 1_000_000

    with pytest.raises(FileTooLarge):
        asyncio.run(upload())

    assert limit - 1_000_000 < sent < 2 * limit
    wait_until(lambda: session.hosting.sealed_files() == [])


def test_more_chunks_than_the_session_may_hold_fail_the_document_and_leave_none_of_it(small: Session):
    (fits,) = small.upload(("fits.txt", NOTE)).documents
    assert small.finished(fits.document_id).status == "ready"
    (too_many,) = small.upload(("too-many.html", long_lines(990))).documents

    state = small.finished(too_many.document_id)

    if state.status == "failed":
        assert state.error == "quota_exceeded"
        assert small.client.summarise().chunks == small.finished(fits.document_id).chunks
    else:
        assert small.client.summarise().chunks <= 4


@pytest.mark.parametrize(("chunks", "fits"), [(3, True), (4, True), (5, False)])
@pytest.mark.parametrize("held", [0, 1])
def test_the_chunk_quota_is_exact_and_is_checked_before_anything_is_embedded(
    small: Session, chunks: int, held: int, *, fits: bool
):
    if held:
        small.ready(("first.txt", NOTE))
    (document,) = small.upload(("parts.md", parts_of(chunks - held))).documents

    state = small.finished(document.document_id)

    if fits:
        assert (state.status, state.chunks) == ("ready", chunks - held)
    else:
        assert (state.status, state.error) == ("failed", "quota_exceeded")
        assert "embedding" not in state.timings
    assert small.client.summarise().chunks == (chunks if fits else held)


def parts_of(chunks: int) -> bytes:
    """Return a text that is cut at its headings into this many chunks."""
    return "\n\n".join(f"# Part {n}\n\nThe bittern number {n} booms over the reed bed." for n in range(chunks)).encode()


def long_lines(size: int) -> bytes:
    return book(50)[:size]


def test_a_machine_on_which_too_many_files_wait_takes_no_more(small_host: Hosting, small: Session):
    waiting = small_host.quarantine_dir / "others"
    waiting.mkdir()
    for number in range(4):
        (waiting / str(number)).write_bytes(b"sealed")

    with pytest.raises(QueueFull) as refusal:
        small.upload(("a.txt", NOTE))

    assert refusal.value.retry_after_seconds
    for file in waiting.iterdir():
        file.unlink()
    small.upload(("a.txt", NOTE))


# --- the life of a document ------------------------------------------------------------------------------------------


def test_a_watcher_sees_progress_that_never_falls_and_ends_at_one(session: Session):
    seen = watched(session)

    assert seen[-1].status == "ready"
    assert seen[-1].progress == 1.0
    assert all(one.version < other.version and one.progress <= other.progress for one, other in pairwise(seen))
    assert seen[-1].timings.keys() == {"extracting", "chunking", "embedding"}
    assert {(each.pages_done, each.pages_known) for each in seen[-1].timings.values()} == {(1, 1)}
    # Who watches from a process that stalls is told less.
    wait_until(lambda: steps_of(seen) > 3 or steps_of(watched(session)) > 3)


def steps_of(states: list[m.DocumentState]) -> int:
    return len({state.progress for state in states})


def watched(session: Session) -> list[m.DocumentState]:
    """Upload a document and return what a watcher is told of it, from first to last."""
    (state,) = session.upload(("book.txt", book(200))).documents
    seen = [state]
    while seen[-1].status not in {"ready", "failed"}:
        last = seen[-1]
        seen.append(session.client.watch(last.document_id, after_version=last.version, timeout_seconds=20))
    return seen


def test_a_document_that_cannot_be_read_says_why_and_the_next_one_is_read(session: Session):
    bad, good = session.upload(("empty.txt", b"   \n"), ("note.txt", NOTE)).documents

    failed = session.finished(bad.document_id)

    assert (failed.status, failed.error, failed.chunks) == ("failed", "empty_document", 0)
    assert session.finished(good.document_id).status == "ready"
    assert session.hosting.sealed_files() == []


def test_a_document_is_found_only_when_all_of_it_is_ready(session: Session):
    session.ready(("note.txt", NOTE))
    (large,) = session.upload(("book.txt", book(400))).documents
    question = "How many sheep did the ferry of Arden carry over the river?"

    early = list[tuple[bool, int]]()
    while (state := session.client.document(large.document_id)).status not in {"ready", "failed"}:
        answer = session.client.ask(m.Ask(text=question, top_k=5))
        if (now := session.client.document(large.document_id)).status != "ready":
            early.append((large.document_id in {passage.document_id for passage in answer.passages}, now.version))

    assert state.status == "ready"
    # It is found when all of it is in, and called ready a moment later: nothing else may happen to it in between.
    assert {version for is_found, version in early if is_found} <= {state.version - 1}
    found = session.client.ask(m.Ask(text=question, top_k=5)).passages
    assert {passage.document_id for passage in found} == {large.document_id}


def test_before_anything_is_ready_nothing_is_indexed(session: Session):
    with pytest.raises(NothingIndexed):
        session.ask("anything")

    (state,) = session.upload(("empty.txt", b" ")).documents
    session.finished(state.document_id)

    with pytest.raises(NothingIndexed):
        session.ask("anything")


@pytest.mark.parametrize("stage", ["queued", "extracting or embedding", "ready"])
def test_deleting_a_document_at_any_stage_leaves_nothing_of_it(session: Session, stage: str):
    (other,) = session.ready(("french.txt", FRENCH))
    if stage == "queued":
        session.upload(("first.txt", book(2000)))
    (document,) = session.upload(("book.txt", book(2000) if stage != "ready" else NOTE)).documents
    if stage == "ready":
        session.finished(document.document_id)
        assert any(CANARY in text for text in session.ask("Where does the bee sleep?"))
    elif stage != "queued":
        session.client.watch(document.document_id, after_version=document.version + 1, timeout_seconds=30)

    deleted = session.client.delete(document.document_id)

    assert (deleted.document_id, deleted.bytes) == (document.document_id, document.bytes)
    assert (deleted.chunks > 0) == (stage == "ready")
    if stage == "queued":
        session.client.delete(session.client.documents()[1].document_id)
    held = session.client.summarise()
    assert (held.documents, held.chunks, held.bytes) == (1, other.chunks, len(FRENCH))
    assert held.quarantined_files == 0
    assert not any("ferry" in text or CANARY in text for text in session.ask("ferry sheep bee", top_k=20))
    session.ready(("again.txt", NOTE))


def test_a_watcher_of_a_deleted_document_is_told(session: Session):
    (document,) = session.ready(("note.txt", NOTE))
    outcome: list[MayflyError] = []

    def watch() -> None:
        try:
            session.client.watch(document.document_id, after_version=document.version, timeout_seconds=30)
        except NoSuchThing as error:
            outcome.append(error)

    watching = threading.Thread(target=watch)
    watching.start()
    session.client.delete(document.document_id)
    watching.join(60)

    assert len(outcome) == 1


def test_unknown_documents_are_not_found(session: Session):
    session.ready(("note.txt", NOTE))
    for ask in (
        lambda: session.client.document("0" * 32),
        lambda: session.client.delete("0" * 32),
        lambda: session.client.watch("0" * 32, after_version=0, timeout_seconds=5),
        lambda: session.ask("anything", document_ids=("0" * 32,)),
    ):
        with pytest.raises(NoSuchThing):
            ask()


@pytest.fixture(scope="module")
def library_session(shared_host: Hosting) -> Session:
    """A session with one text in each of four languages."""
    session = shared_host.open()
    texts = (library.ENGLISH, library.FRENCH, library.CHINESE, library.JAPANESE)
    session.ready(*[(f"{number}.txt", "\n\n".join(text).encode()) for number, text in enumerate(texts)])
    return session


# --- questions -------------------------------------------------------------------------------------------------------


def test_passages_are_exact_best_first_and_name_their_document(session: Session):
    english, french = session.ready(("english.txt", ENGLISH), ("french.txt", FRENCH))

    answer = session.client.ask(m.Ask(text=library.ENGLISH_QUESTION, top_k=3))

    best = answer.passages[0]
    assert library.ENGLISH_ANSWER in best.text
    assert (best.document_id, best.filename, best.rank) == (english.document_id, "english.txt", 1)
    assert best.relevance == "high"
    assert best.end - best.start == len(best.text)
    assert not answer.nothing_relevant
    assert [passage.rank for passage in answer.passages] == list(range(1, len(answer.passages) + 1))
    only_french = session.client.ask(m.Ask(text=library.ENGLISH_QUESTION, top_k=3, document_ids=(french.document_id,)))
    assert {passage.document_id for passage in only_french.passages} <= {french.document_id}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (library.ENGLISH_QUESTION, library.ENGLISH_ANSWER),
        (library.FRENCH_QUESTION, library.FRENCH_ANSWER),
        (library.CHINESE_QUESTION, library.CHINESE_ANSWER),
        (library.JAPANESE_QUESTION, library.JAPANESE_ANSWER),
    ],
    ids=["en", "fr", "zh", "ja"],
)
def test_the_best_passage_among_four_languages_holds_the_answer(library_session: Session, question: str, answer: str):
    best, *_ = library_session.ask(question, top_k=5)

    assert answer in best


def test_a_passage_budget_is_kept(session: Session):
    session.ready(("english.txt", ENGLISH))

    unlimited = session.ask(library.ENGLISH_QUESTION, top_k=5)
    limited = session.ask(library.ENGLISH_QUESTION, top_k=5, max_tokens=20)

    assert 0 < sum(map(len, limited)) <= 60 < sum(map(len, unlimited))
    assert limited[0] in unlimited[0]


def test_a_question_the_documents_do_not_touch_has_no_answer(session: Session):
    session.ready(("note.txt", NOTE))

    answer = session.client.ask(m.Ask(text="Wer gewann die Fußballweltmeisterschaft 1990?", top_k=5))

    assert answer.passages == ()
    assert answer.nothing_relevant


def test_whoever_asks_for_doubtful_passages_gets_them_marked(session: Session):
    session.ready(("note.txt", NOTE))

    answer = session.client.ask(m.Ask(text="Wer gewann die Fußballweltmeisterschaft 1990?", top_k=5, doubtful=True))

    assert answer.nothing_relevant
    assert {passage.relevance for passage in answer.passages} == {"low"}


def test_a_passage_names_its_language_and_its_best_sentence(library_session: Session):
    answer = library_session.client.ask(m.Ask(text=library.ENGLISH_QUESTION, top_k=3))

    best = answer.passages[0]
    assert best.language == "en"
    assert best.highlight is not None
    highlighted = best.text[best.highlight.start - best.start : best.highlight.end - best.start]
    assert highlighted.startswith("The Antarctic toothfish does not freeze")
    assert highlighted.endswith("could bear.")


def test_a_language_that_is_asked_for_is_the_only_one(library_session: Session):
    answer = library_session.client.ask(m.Ask(text=library.ENGLISH_QUESTION, top_k=9, language="fr", doubtful=True))

    assert {passage.language for passage in answer.passages} == {"fr"}


@pytest.mark.parametrize(("top_k", "max_tokens"), [(0, None), (51, None), (-1, None), (5, 0)])
def test_a_senseless_question_is_refused(session: Session, top_k: int, max_tokens: int | None):
    session.ready(("note.txt", NOTE))

    with pytest.raises(InvalidRequest):
        session.client.ask(m.Ask(text="bee", top_k=top_k, max_tokens=max_tokens))


def test_a_grant_is_good_for_asking_and_a_wrong_or_foreign_or_expired_one_for_nothing(
    session: Session, shared_host: Hosting
):
    session.ready(("note.txt", NOTE))
    foreign = shared_host.open().client.mint_grant(60)
    brief = session.client.mint_grant(1)
    grant = session.client.mint_grant(60)
    assert grant.ttl_seconds == 60

    assert session.ask("Where does the bee sleep?", grant=grant.secret)

    for secret in (b"", b"x" * 32, foreign.secret, grant.secret[:-1]):
        with pytest.raises(SessionExpired):
            session.ask("Where does the bee sleep?", grant=secret)

    def is_over() -> bool:
        try:
            session.ask("bee", grant=brief.secret)
        except SessionExpired:
            return True
        return False

    wait_until(is_over)


@pytest.mark.parametrize(("ttl_seconds", "granted"), [(0, False), (1, True), (900, True), (901, False)])
def test_a_grant_s_life_is_limited(session: Session, ttl_seconds: int, *, granted: bool):
    if granted:
        assert len(session.client.mint_grant(ttl_seconds).secret) == 32
    else:
        with pytest.raises(InvalidRequest):
            session.client.mint_grant(ttl_seconds)


def test_a_session_s_log_holds_no_word_of_its_documents_names_or_questions(session: Session):
    session.ready((f"{CANARY}.txt", NOTE))
    session.upload((f"{CANARY}-empty.txt", b" "))
    assert any(CANARY in text for text in session.ask(f"Where does the {CANARY} sleep?"))

    log = session.hosting.log()

    assert session.session_id in log
    assert CANARY not in log
