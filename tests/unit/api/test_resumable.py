import base64
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi.testclient import TestClient

from api import resumable
from api.dependencies import LearnersSession
from api.leasebook import LeaseBook
from api.middleware import RESUMABLE_PATH
from models.errors import InvalidRequest
from sessions.messages import DocumentState, Leased, Resumable

SESSION = cast("LearnersSession", SimpleNamespace(session_id="session"))


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("metadata", "name", "media_type"),
    [
        ("", "", None),
        ("filename", "", None),
        (f"filename {encoded('a.txt')}", "a.txt", None),
        (f"filename {encoded('été.pdf')},filetype {encoded('application/pdf')}", "été.pdf", "application/pdf"),
        (f"is_confidential, filename {encoded('a.txt')}", "a.txt", None),
        (f"relativePath {encoded('secret/folder')},filetype {encoded('text/plain')}", "", "text/plain"),
        (f"Filename {encoded('a.txt')}", "", None),
    ],
)
def test_of_what_a_client_says_name_and_type_are_read(metadata: str, name: str, media_type: str | None) -> None:
    wish = resumable._wish(5, metadata)

    assert (wish.untrusted_filename, wish.untrusted_media_type, wish.length) == (name, media_type, 5)
    assert wish.untrusted_metadata == metadata
    assert not metadata or re.fullmatch(resumable.METADATA_PATTERN, metadata)


@pytest.mark.parametrize("metadata", ["filename /w==", "filename YQ,filetype", "filename YQ==,filename YQ=="])
def test_names_that_cannot_be_read_are_refused(metadata: str) -> None:
    with pytest.raises(InvalidRequest):
        resumable._wish(5, metadata)


@pytest.mark.parametrize(
    "metadata",
    ["", " ", ",", "a,", ",a", "a  YQ==", "a YQ", "a YQ= =", "ä YQ==", "a YQ==\r\nX: y", "a YQ==,,b", "a\tb"],
)
def test_what_does_not_follow_the_form_of_metadata_does_not_match(metadata: str) -> None:
    assert re.search(resumable.METADATA_PATTERN, metadata) is None


@pytest.mark.parametrize(("own_seconds", "lease_seconds"), [(600, 60), (60, 600)])
def test_an_unfinished_upload_expires_with_itself_or_with_its_session(own_seconds: int, lease_seconds: int) -> None:
    leases, begun = LeaseBook(), datetime.now(UTC)
    leases.note("session", Leased(idle_seconds_left=lease_seconds, absolute_seconds_left=10_000))
    resources: Any = SimpleNamespace(leases=leases)
    state = Resumable(upload_id="u", offset=3, length=5, seconds_left=own_seconds)

    headers = resumable.headers_of(resources, SESSION, state)

    left = parsedate_to_datetime(headers.pop("Upload-Expires")) - begun
    passed = datetime.now(UTC) - begun
    assert 58 <= left.total_seconds() <= 61 + passed.total_seconds(), "the header has whole seconds"
    assert headers == {"Upload-Offset": "3"}


def test_a_complete_upload_names_its_document_and_does_not_expire() -> None:
    document = DocumentState(
        document_id="d",
        filename="a.txt",
        sealed_filename=b"",
        media_type=None,
        bytes=5,
    )

    headers = resumable.headers_of(
        cast("Any", None), SESSION, Resumable(upload_id="u", offset=5, length=5, document=document)
    )

    assert headers == {"Upload-Offset": "5", "Mayfly-Document-Id": "d"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("OPTIONS", "", {}, 204),
        ("POST", "", {}, 412),
        ("POST", "", {"Tus-Resumable": "2.0.0"}, 412),
        ("POST", "", {"Tus-Resumable": "1.0.0"}, 401),
        ("HEAD", "/x", {}, 412),
        ("PATCH", "/x", {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}, 401),
        ("DELETE", "/x", {"Tus-Resumable": "1.0.0"}, 401),
        ("GET", "/x", {"Tus-Resumable": "1.0.0"}, 405),
        ("PUT", "", {"Tus-Resumable": "1.0.0"}, 405),
        ("POST", "/x", {"Tus-Resumable": "1.0.0", "X-HTTP-Method-Override": "PATCH"}, 405),
        ("POST", "?a=b", {"Tus-Resumable": "1.0.0"}, 400),
        ("POST", "", {"Tus-Resumable": "1.0.0", "Host": "elsewhere.example"}, 400),
    ],
)
def test_every_reply_names_the_version_and_may_not_be_stored(
    client: TestClient, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    reply = client.request(method, RESUMABLE_PATH + path, headers=headers)

    assert reply.status_code == status
    assert reply.headers["tus-resumable"] == "1.0.0"
    assert reply.headers["cache-control"] == "no-store"
    assert ("tus-version" in reply.headers) == (status in {204, 412})


def test_other_addresses_do_not_speak_of_tus(client: TestClient) -> None:
    assert "tus-resumable" not in client.get("/v1/limits").headers
