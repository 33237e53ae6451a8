"""A service whose vectors come from a server of the operator's own."""

import pytest

from api.client import Client
from tests.conftest import new_learner
from tests.support import library
from tests.support.embedders import packaged
from tests.support.endpoint import embedding_with, serving
from tests.support.service import running


@pytest.mark.slow
def test_a_learner_is_answered_through_an_endpoint_which_the_assurance_names():
    """Only the embedder process talks to the endpoint; the server's log shows that it was asked."""
    with serving(embedding_with(packaged())) as server:
        settings = {
            "MAYFLY_ENDPOINT_URL": server.url,
            "MAYFLY_ENDPOINT_MODEL": "small",
            "MAYFLY_ENDPOINT_QUERY_PREFIX": packaged().card.query_prefix,
            "MAYFLY_ENDPOINT_PASSAGE_PREFIX": packaged().card.passage_prefix,
        }
        with running(settings) as service, Client(service.url) as client, new_learner(client) as learner:
            upload = library.pdf(library.ENGLISH)
            (document,) = learner.upload((upload.name, upload.data, upload.media_type))
            assert learner.wait(document.document_id).status == "ready"
            answer = learner.ask(library.ENGLISH_QUESTION)
            model = client.assurance()["model"]

        sent = [text for _, _, body in server.requests for text in body["input"]]

    assert library.ENGLISH_ANSWER in answer.passages[0].text
    assert any(library.ENGLISH_QUESTION in text for text in sent)
    assert model["endpoint"] == f"http://127.0.0.1:{server.port}"
    assert (model["name"], model["backend"]) == ("small", "endpoint")
