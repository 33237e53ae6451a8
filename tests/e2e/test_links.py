"""Links over HTTP, the service as an operator runs it. Tests have no internet, so here every link comes to nothing."""

import psutil
import pytest

from api.client import Client, Problem
from tests.conftest import new_learner, serving

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
