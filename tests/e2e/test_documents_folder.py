"""Documents that nobody on this project wrote become searchable, or are refused with the right word."""

import pytest

from benchmarks.documents import inspect
from tests.support.conformance import expectations
from tests.support.jails import DOCUMENTS
from tests.support.service import Service

pytestmark = pytest.mark.slow


@pytest.mark.timeout(1500)
@pytest.mark.skipif(
    not (DOCUMENTS / "MANIFEST.tsv").is_file(),
    reason=f"THE SHARED DOCUMENTS ARE MISSING ({DOCUMENTS}): nothing that others wrote is tried",
)
def test_every_document_of_the_folder_ends_as_its_manifest_says(service: Service) -> None:
    files = expectations(DOCUMENTS)

    results = inspect(service.url, service, files)

    assert len(results) == len(files) > 0
    assert {each.expectation.file: each.complaint for each in results if each.complaint} == {}
