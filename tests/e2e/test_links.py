"""Links over HTTP, the service as an operator runs it. The internet is a namespace with one site on its loopback."""

import json
from typing import Any

import psutil
import pytest

from api.client import Client, Problem
from ingestion.fetch.site import USER_AGENT
from tests.conftest import new_learner, serving
from tests.support.namespaces import run_in_namespaces

pytestmark = pytest.mark.timeout(900)

MARKER = "xylocopa7361"
REFUSED = {
    f"http://127.0.0.1/{MARKER}": "link_refused",
    f"http://user@{MARKER}.example/": "link_refused",
    f"https://youtu.be/{MARKER}": "video_link",
}


@pytest.mark.slow
@pytest.mark.parametrize("allowed", [False, True])
def test_links_come_to_nothing_where_they_must_and_nothing_of_them_is_kept(allowed: bool):
    settings = {"MAYFLY_LINKS_ALLOWED": "true", "MAYFLY_LINKS_SECONDS": "3"} if allowed else {}
    with serving(**settings) as running:
        assert (running.runtime_dir / "fetcher.sock").exists() is allowed
        with Client(running.url) as client, new_learner(client) as session:
            for url, code in REFUSED.items():
                with pytest.raises(Problem) as caught:
                    session.link(url)
                assert caught.value.code == (code if allowed else "links_not_allowed")
                assert MARKER not in str(caught.value)
            if allowed:
                (fetcher,) = running.pids("fetcher")
                assert [name for name in psutil.Process(fetcher).environ() if "MAYFLY" in name] == []
                document = session.link(f"http://{MARKER}.invalid/{MARKER}?{MARKER}")
                assert document.filename == MARKER
                assert session.wait(document.document_id).error in {"link_failed", "timed_out"}
        running.stop()
        assert MARKER not in running.log
        kept = [path.read_bytes() for path in running.data_dir.rglob("*") if path.is_file()]
        assert kept
        assert not any(MARKER.encode() in data for data in kept)


@pytest.fixture(scope="module")
def visited() -> dict[str, Any]:
    """What happened in a world where links lead somewhere, see ``tests.support.linked_service``."""
    done = run_in_namespaces(
        "tests.support.linked_service", untried="no fetched link was tried end to end", timeout_seconds=840
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["article", "away", "pdf"])
def test_what_a_link_leads_to_becomes_a_document(visited: dict[str, Any], name: str):
    document = visited["documents"][name]

    assert (document["status"], document["error"]) == ("ready", None)
    assert document["stages"][0] == "fetching"
    assert len(document["stages"]) > 1


@pytest.mark.slow
def test_a_fetched_article_answers_a_question_and_its_link_is_the_learner_s_to_export(visited: dict[str, Any]):
    sentence = f"The {visited['marker']} is a bird that nests only in the bell tower of the old observatory."

    assert any(sentence in passage for passage in visited["passages"])
    assert visited["export"][0]["source_link"] == visited["link"]
    assert visited["assurance"] is True


@pytest.mark.slow
@pytest.mark.parametrize("name", ["address", "name"])
def test_a_redirect_inside_is_refused_and_nothing_inside_is_asked(visited: dict[str, Any], name: str):
    document = visited["documents"][name]

    assert (document["status"], document["error"]) == ("failed", "link_refused")
    assert any(request.startswith(f"GET /{name} ") for request in visited["requests"]), "the redirect was read"
    assert visited["connected_inside"] == 0


@pytest.mark.slow
def test_a_site_learns_nothing_of_who_asks(visited: dict[str, Any]):
    requests = visited["requests"]

    assert len(requests) == 6
    for request in requests:
        assert f"\r\nUser-Agent: {USER_AGENT}\r\n" in request
        assert "cookie:" not in request.lower()
        assert "referer:" not in request.lower()
        assert visited["session_id"] not in request


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text", "path", "host"])
def test_after_sign_out_nothing_of_a_link_is_left(visited: dict[str, Any], kind: str):
    assert visited["memory_before"][kind], "it was never in memory, so its absence below would prove nothing"
    assert visited["files_before"][kind] == ["control"], "only what was planted may be found"
    assert any("ingestion.fetch.worker" in process for process in visited["searched"])
    assert visited["memory_after"][kind] == []
    assert visited["files_after"][kind] == []
