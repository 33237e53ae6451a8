"""Resumable uploads in a real session process: what is kept when a connection breaks, and what ends it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from ingestion.quarantine import SEGMENT_BYTES
from models.errors import FileTooLarge, InvalidRequest, MayflyError, NoSuchThing, OffsetConflict, QuotaExceeded
from sessions import messages as m
from sessions.client import UploadStream
from sessions.limits import SessionLimits
from tests.support.hosting import Parts, Session, hosting, wait_until

CANARY = "xylocopa-7362"
NOTE = f"The {CANARY} sleeps in the hollow stem of the elder by the mill until April.\n\n".encode() * 3000


def start(session: Session, length: int = len(NOTE)) -> str:
    wish = m.StartResumable(untrusted_filename="note.txt", untrusted_media_type="text/plain", length=length)
    return session.client.start_resumable(wish).upload_id


async def sending(
    session: Session, upload_id: str, data: bytes, then: Callable[[UploadStream], Awaitable[object]]
) -> object:
    """Send bytes where the upload stands, then do something else, then hang up."""
    async with UploadStream(session.socket) as stream:
        await stream.resume(upload_id, session.client.resumable(upload_id).offset)
        await stream.data(data)
        return await then(stream)


def send(session: Session, upload_id: str, data: bytes) -> m.Resumable:
    told = asyncio.run(sending(session, upload_id, data, UploadStream.suspend))
    assert isinstance(told, m.Resumable)
    return told


def test_a_file_that_came_over_many_connections_is_found(session: Session) -> None:
    short = NOTE[:3000]
    upload_id = start(session, len(short))
    told = session.client.resumable(upload_id)
    while told.offset < len(short):
        told = send(session, upload_id, short[told.offset : told.offset + 700])

    assert told.document is not None
    assert session.finished(told.document.document_id).status == "ready"
    assert told.document.bytes == len(short)
    assert any(CANARY in text for text in session.ask("Where does the xylocopa sleep until April?"))
    assert session.hosting.sealed_files() == []


@pytest.mark.parametrize("how", ["hang up", "half a frame"])
def test_what_arrived_before_the_connection_broke_is_kept_sealed(session: Session, how: str) -> None:
    upload_id = start(session)

    async def break_off(stream: UploadStream) -> None:
        wait = asyncio.get_running_loop().run_in_executor
        await wait(None, wait_until, lambda: session.client.resumable(upload_id).offset == 150_000)
        assert stream._writer is not None
        if how == "half a frame":
            stream._writer.write(b"\x00\x00\x10\x00half")
            await stream._writer.drain()
        stream._writer.transport.abort()

    asyncio.run(sending(session, upload_id, NOTE[:150_000], break_off))

    (sealed,) = session.hosting.sealed_files()
    on_disk = sealed.read_bytes()
    assert session.client.resumable(upload_id).offset == 150_000
    assert len(on_disk) >= 2 * SEGMENT_BYTES
    assert CANARY.encode() not in on_disk
    assert session.client.summarise().quarantined_files == 1
    wait_until(lambda: not refused(session, upload_id, 150_000))
    told = send(session, upload_id, NOTE[150_000:])
    assert told.document is not None


def refused(session: Session, upload_id: str, offset: int) -> bool:
    async def resume() -> None:
        async with UploadStream(session.socket) as stream:
            await stream.resume(upload_id, offset)
            await stream.suspend()

    try:
        asyncio.run(resume())
    except MayflyError:
        return True
    return False


def test_an_upload_all_of_which_had_arrived_is_complete_though_its_connection_broke(session: Session) -> None:
    upload_id = start(session)

    async def hang_up(_: UploadStream) -> None:
        wait = asyncio.get_running_loop().run_in_executor
        await wait(None, wait_until, lambda: session.client.resumable(upload_id).offset == len(NOTE))

    asyncio.run(sending(session, upload_id, NOTE, hang_up))

    wait_until(lambda: session.client.resumable(upload_id).document is not None)
    (state,) = session.client.documents()
    assert state.bytes == len(NOTE)


def test_a_killed_session_leaves_no_part_of_an_upload(session: Session) -> None:
    upload_id = start(session)
    send(session, upload_id, NOTE[:150_000])
    assert len(session.hosting.sealed_files()) == 1

    killed = session.hosting.client.kill(session.session_id)

    assert killed.quarantine_files == 1
    assert session.hosting.sealed_files() == []
    assert session.is_gone()


def test_an_upload_that_gets_nothing_is_destroyed_by_the_session_itself(parts: Parts) -> None:
    limits = SessionLimits(files=1, resume_seconds=1)
    with hosting(parts, limits=limits) as host:
        session, uploads = host.open(), list[str]()

        def is_kept() -> bool:  # On a machine that stalls its second may be over before anybody looks.
            with contextlib.suppress(NoSuchThing, QuotaExceeded):
                uploads.append(start(session))
                send(session, uploads[-1], NOTE[:150_000])
            return len(host.sealed_files()) == 1

        wait_until(is_kept)
        wait_until(lambda: host.sealed_files() == [])

        with pytest.raises(NoSuchThing):
            session.client.resumable(uploads[-1])
        start(session)  # There is room for one file again.


def test_an_upload_that_is_dropped_while_bytes_arrive_is_gone(session: Session) -> None:
    upload_id = start(session)

    async def drop(stream: UploadStream) -> None:
        session.client.drop_resumable(upload_id)
        assert session.hosting.sealed_files() == []
        await stream.data(NOTE[:100_000])
        await stream.suspend()

    with pytest.raises(NoSuchThing):
        asyncio.run(sending(session, upload_id, NOTE[:100_000], drop))

    assert session.hosting.sealed_files() == []


def test_a_refusal_in_the_middle_ends_the_turn_and_not_the_session(session: Session) -> None:
    upload_id = start(session, length=1000)

    with pytest.raises(FileTooLarge):
        send(session, upload_id, NOTE[:1001])
    with pytest.raises(NoSuchThing):
        session.client.resumable(upload_id)

    assert session.client.summarise().quarantined_files == 0
    assert send(session, start(session), NOTE).document is not None


def test_another_offset_is_refused(session: Session) -> None:
    upload_id = start(session)
    send(session, upload_id, NOTE[:100])

    async def resume() -> None:
        async with UploadStream(session.socket) as stream:
            await stream.resume(upload_id, 99)

    with pytest.raises(OffsetConflict):
        asyncio.run(resume())


@pytest.mark.parametrize("nonsense", ["suspend first", "resume twice", "commit", "begin inside"])
def test_steps_out_of_order_are_refused_and_keep_what_was_sealed(session: Session, nonsense: str) -> None:
    upload_id = start(session)
    send(session, upload_id, NOTE[:100])

    async def out_of_order() -> None:
        async with UploadStream(session.socket) as stream:
            if nonsense == "suspend first":
                await stream._connect()
                await stream.suspend()
            await stream.resume(upload_id, 100)
            steps: dict[str, m.SessionRequest] = {
                "resume twice": m.ResumeUpload(upload_id=upload_id, offset=100),
                "commit": m.CommitUpload(),
                "begin inside": m.BeginUpload(),
            }
            await stream._call(steps[nonsense], m.Done)

    with pytest.raises(InvalidRequest):
        asyncio.run(out_of_order())
    assert session.client.resumable(upload_id).offset == 100
