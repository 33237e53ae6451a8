from collections.abc import Iterator

import pytest

from tests.support.hosting import Hosting, Parts, Session, hosting


@pytest.fixture(scope="session")
def parts() -> Iterator[Parts]:
    """An embedder and a jailer for all tests that do not break them."""
    parts = Parts()
    try:
        parts.start()
        yield parts
    finally:
        parts.stop()


@pytest.fixture(scope="session")
def shared_host(parts: Parts) -> Iterator[Hosting]:
    """A host for all tests that neither break nor fill it."""
    with hosting(parts) as host:
        yield host


@pytest.fixture
def session(shared_host: Hosting) -> Iterator[Session]:
    """An unlocked session; killed afterwards."""
    session = shared_host.open()
    yield session
    shared_host.client.kill(session.session_id)


@pytest.fixture
def own_host(parts: Parts) -> Iterator[Hosting]:
    """A host for one test that breaks it, with room for two sessions."""
    with hosting(parts, capacity=2) as host:
        yield host
