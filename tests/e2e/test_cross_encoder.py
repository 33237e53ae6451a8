"""A service with a cross-encoder as second stage, and one whose folder is not fit to be one."""

from pathlib import Path

import pytest

from api.client import Client
from tests.conftest import new_learner
from tests.support import library
from tests.support.cross_encoders import write_cross_encoder
from tests.support.service import START_SECONDS, prepared, running
from vectorstore.cross_encoder import adopt


@pytest.mark.slow
def test_a_learner_is_answered_after_a_second_look_which_assurance_and_metrics_name(tmp_path: Path):
    folder = write_cross_encoder(tmp_path / "tiny-judge")
    settings = {
        "MAYFLY_SEARCH_RERANK": "cross-encoder",
        "MAYFLY_SEARCH_RERANK_MODEL": str(folder),
        "MAYFLY_SEARCH_RERANK_SECONDS": "15",
    }
    with running(settings) as service, Client(service.url) as client, new_learner(client) as learner:
        upload = library.pdf(library.ENGLISH)
        (document,) = learner.upload((upload.name, upload.data, upload.media_type))
        assert learner.wait(document.document_id).status == "ready"
        answer = learner.ask(library.ENGLISH_QUESTION)
        reranker = client.assurance()["reranker"]
        with service.client() as plain:
            metrics = plain.get("/metrics").text

    assert library.ENGLISH_ANSWER in "".join(passage.text for passage in answer.passages)
    assert reranker == {"name": "tiny-judge", "sha256": adopt(folder).sha256, "window_tokens": 512}
    assert 'mayfly_second_stages_total{outcome="done"} 1.0' in metrics


def test_a_folder_with_a_pickle_stops_the_start_and_says_why(tmp_path: Path):
    folder = write_cross_encoder(tmp_path / "judge")
    (folder / "pytorch_model.bin").write_bytes(b"")
    settings = {"MAYFLY_SEARCH_RERANK": "cross-encoder", "MAYFLY_SEARCH_RERANK_MODEL": str(folder)}
    with prepared(settings) as service:
        service.start_only()
        assert service.process is not None

        assert service.process.wait(START_SECONDS) == 1

        assert "the model cannot be used: .bin files are programs" in service.log
        assert "mayfly cannot start: the model could not be prepared" in service.log
