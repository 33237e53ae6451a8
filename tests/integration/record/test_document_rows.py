import contextlib
import dataclasses
import threading
from collections.abc import Generator

import pytest
from sqlalchemy import delete, event, select

from models.accounts.service import Accounts
from models.database import Database
from models.documents import service
from models.documents.service import Facts, Totals
from models.documents.tables import UploadedContent
from models.errors import SessionExpired
from models.ids import new_id
from models.sessions import service as sessions
from tests.support.record import open_session, sign_up


@dataclasses.dataclass(frozen=True)
class Owner:
    user_id: str
    session_id: str


@pytest.fixture
def owner(database: Database, accounts: Accounts) -> Owner:
    user_id = sign_up(database, accounts).user_id
    return Owner(user_id, open_session(database, user_id))


def facts(**changes: object) -> Facts:
    values: dict[str, object] = {
        "content_id": new_id(),
        "media_type": "application/pdf",
        "size_bytes": 1000,
        "status": "ready",
        "pages": 10,
        "ocr_pages": 1,
        "chunks": 40,
        "language": "fr",
        "sealed_filename": b"\0sealed\xff",
    }
    return Facts(**{**values, **changes})  # pyright: ignore[reportArgumentType]  # Tests also pass what is wrong.


@contextlib.contextmanager
def statements_of(database: Database, seen: list[str]) -> Generator[None]:
    """Collect every statement that is sent while the block runs."""

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def insert(database: Database, owner: Owner, *documents: Facts) -> None:
    with database.transaction() as db:
        service.insert(db, documents, user_id=owner.user_id, session_id=owner.session_id)


def test_facts_come_back_as_they_went_in(database: Database, owner: Owner):
    written = facts(sealed_source_link=b"link")

    insert(database, owner, written)

    with database.transaction() as db:
        (read,) = service.of_session(db, owner.session_id)
    assert read.facts == written
    assert read.session_id == owner.session_id


def test_words_of_a_clients_own_are_cut_down_to_closed_sets(database: Database, owner: Owner):
    insert(database, owner, facts(media_type="application/x-my-diary", language="mine", error="dear diary"))

    with database.transaction() as db:
        (read,) = service.of_session(db, owner.session_id)
    assert (read.facts.media_type, read.facts.language, read.facts.error) == ("other", None, "internal_error")


def test_a_session_that_is_ending_accepts_no_late_write(database: Database, owner: Owner):
    insert(database, owner, facts())
    with database.transaction() as db:
        sessions.begin_ending(db, owner.session_id, "sign_out")

    with pytest.raises(SessionExpired):
        insert(database, owner, facts())

    with database.transaction() as db:
        assert len(service.of_session(db, owner.session_id)) == 1


def test_a_write_that_races_the_end_is_either_refused_or_counted(database: Database, owner: Owner):
    start = threading.Barrier(9)
    accepted: list[str] = []

    def upload() -> None:
        start.wait()
        document = facts()
        try:
            insert(database, owner, document)
        except SessionExpired:
            return
        accepted.append(document.content_id)

    threads = [threading.Thread(target=upload) for _ in range(8)]
    for thread in threads:
        thread.start()
    start.wait()
    with database.transaction() as db:
        sessions.begin_ending(db, owner.session_id, "sign_out")
    with database.transaction() as db:
        counted = service.close(db, owner.session_id)
    for thread in threads:
        thread.join()

    assert counted.documents == len(accepted)
    with database.transaction() as db:
        assert {info.facts.status for info in service.of_session(db, owner.session_id)} <= {"purged"}


def test_a_refresh_updates_known_documents_and_adds_none(database: Database, owner: Owner):
    known = facts(status="extracting", pages=0, chunks=0)
    insert(database, owner, known)

    finished = dataclasses.replace(known, status="ready", pages=3, chunks=9)
    with database.transaction() as db:
        service.refresh(db, [finished, facts()], session_id=owner.session_id)

    with database.transaction() as db:
        assert [info.facts for info in service.of_session(db, owner.session_id)] == [finished]


@pytest.mark.parametrize("by_purge", [True, False])
def test_a_refresh_that_brings_nothing_new_writes_nothing(database: Database, owner: Owner, *, by_purge: bool):
    running, ended = facts(status="embedding"), facts(status="failed", error="parser_failed")
    insert(database, owner, running, ended)
    adding_for = owner.user_id if by_purge else None

    written = list[str]()
    with database.transaction() as db, statements_of(database, written):
        service.refresh(db, [ended], session_id=owner.session_id, adding_for=adding_for)
        needless = [statement for statement in written if not statement.startswith("SELECT")]
        service.refresh(db, [running, ended], session_id=owner.session_id, adding_for=adding_for)

    assert needless == []
    assert any(statement.startswith("UPDATE") for statement in written), "no write would ever have been seen"


def test_a_purge_counts_documents_that_never_made_it_into_the_record(database: Database, owner: Owner):
    with database.transaction() as db:
        service.refresh(db, [facts()], session_id=owner.session_id, adding_for=owner.user_id)

    with database.transaction() as db:
        assert service.totals(db, owner.session_id) == Totals(documents=1, pages=10, chunks=40, bytes=1000)


def test_closing_says_what_became_of_each_document_and_may_be_repeated(database: Database, owner: Owner):
    ready, failed = facts(), facts(status="failed", error="parser_failed", pages=0, chunks=0)
    running = [facts(status=status, chunks=0, pages=0) for status in ("queued", "extracting", "embedding")]
    insert(database, owner, ready, failed, *running)

    with database.transaction() as db:
        first = service.close(db, owner.session_id)
    with database.transaction() as db:
        second = service.close(db, owner.session_id)
        after = {info.facts.content_id: info.facts for info in service.of_session(db, owner.session_id)}

    assert first == second == Totals(documents=5, pages=10, chunks=40, bytes=5000)
    assert after[ready.content_id].status == "purged"
    assert after[failed.content_id].error == "parser_failed"
    for document in running:
        assert (after[document.content_id].status, after[document.content_id].error) == ("failed", "session_expired")


def test_a_refresh_that_comes_too_late_revives_nothing(database: Database, owner: Owner):
    document = facts()
    insert(database, owner, document)
    with database.transaction() as db:
        service.close(db, owner.session_id)

    with database.transaction() as db:
        service.refresh(db, [document], session_id=owner.session_id)

    with database.transaction() as db:
        assert service.of_session(db, owner.session_id)[0].facts.status == "purged"


@pytest.mark.parametrize("by_purge", [False, True], ids=["sweep", "purge"])
def test_a_refresh_revives_nothing_of_a_session_that_is_over(database: Database, owner: Owner, *, by_purge: bool):
    running = facts(status="embedding", pages=0, chunks=0)
    insert(database, owner, running)
    with database.transaction() as db:
        sessions.begin_ending(db, owner.session_id, "sign_out")
    with database.transaction() as db:
        service.close(db, owner.session_id)
        sessions.finish(db, owner.session_id)

    with database.transaction() as db:
        adding_for = owner.user_id if by_purge else None
        service.refresh(db, [running, facts()], session_id=owner.session_id, adding_for=adding_for)

    with database.transaction() as db:
        (row,) = service.of_session(db, owner.session_id)
    assert (row.facts.status, row.facts.error) == ("failed", "session_expired")


def test_a_sweep_writes_nothing_into_a_session_that_is_ending_and_a_purge_does(database: Database, owner: Owner):
    running = facts(status="embedding", pages=0, chunks=0)
    done = dataclasses.replace(running, status="ready", pages=3, chunks=9)
    insert(database, owner, running)
    with database.transaction() as db:
        sessions.begin_ending(db, owner.session_id, "sign_out")

    for adding_for, status in ((None, "embedding"), (owner.user_id, "ready")):
        with database.transaction() as db:
            service.refresh(db, [done], session_id=owner.session_id, adding_for=adding_for)
        with database.transaction() as db:
            (row,) = service.of_session(db, owner.session_id)
        assert row.facts.status == status


def test_a_row_that_is_deleted_during_a_refresh_stays_deleted(
    database: Database, owner: Owner, monkeypatch: pytest.MonkeyPatch
):
    running, kept = facts(status="embedding"), facts(status="embedding")
    insert(database, owner, running, kept)
    real = service.vocabulary.file_type

    def delete_meanwhile(media_type: str | None) -> str:
        monkeypatch.setattr(service.vocabulary, "file_type", real)
        service.remove(db, running.content_id, session_id=owner.session_id)
        return real(media_type)

    monkeypatch.setattr(service.vocabulary, "file_type", delete_meanwhile)
    done = [dataclasses.replace(document, status="ready") for document in (running, kept)]
    with database.transaction() as db:
        service.refresh(db, done, session_id=owner.session_id)

    with database.transaction() as db:
        assert [row.facts for row in service.of_session(db, owner.session_id)] == [done[1]]


def test_what_has_a_row_already_is_not_written_again(database: Database, owner: Owner):
    first, second = facts(), facts()
    insert(database, owner, first)

    with database.transaction() as db:
        late = [dataclasses.replace(first, status="queued"), second]
        written = service.insert(db, late, user_id=owner.user_id, session_id=owner.session_id)

    assert written == [second]
    with database.transaction() as db:
        rows = {row.facts.content_id: row.facts for row in service.of_session(db, owner.session_id)}
    assert rows == {first.content_id: first, second.content_id: second}


def test_a_document_is_removed_only_through_its_own_session(database: Database, owner: Owner):
    document = facts()
    insert(database, owner, document)
    other = open_session(database, owner.user_id)

    with database.transaction() as db:
        assert not service.remove(db, document.content_id, session_id=other)
        assert service.remove(db, document.content_id, session_id=owner.session_id)
        assert not service.remove(db, document.content_id, session_id=owner.session_id)


def test_only_sessions_with_unfinished_documents_need_a_refresh(database: Database, owner: Owner):
    other = Owner(owner.user_id, open_session(database, owner.user_id))
    running = facts(status="embedding")
    insert(database, owner, running)
    insert(database, other, facts())

    with database.transaction() as db:
        waiting = service.unfinished(db, [owner.session_id, other.session_id])
        assert waiting == {owner.session_id: {running.content_id}}
        assert service.unfinished(db, []) == {}


def test_documents_go_with_their_session(database: Database, owner: Owner):
    insert(database, owner, facts())
    with database.transaction() as db:
        assert db.scalars(select(UploadedContent)).all()

    with database.transaction() as db:
        db.execute(delete(sessions.SessionRow).where(sessions.SessionRow.session_id == owner.session_id))

    with database.transaction() as db:
        assert db.scalars(select(UploadedContent)).all() == []


def test_sealed_names_do_not_show_in_a_repr():
    assert "sealed" not in repr(facts()).replace("sealed_", "")
