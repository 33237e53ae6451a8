"""What several tests of a whole service share."""

from collections.abc import Iterator

import pytest

from tests.conftest import serving
from tests.support.mariadb import Server, running
from tests.support.service import Service


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A database server of the module's own."""
    with running(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture(scope="module")
def on_mariadb(mariadb: Server) -> Iterator[Service]:
    """A service with its record in that server."""
    with serving(MAYFLY_DATABASE_URL=mariadb.new_database()) as service:
        yield service
