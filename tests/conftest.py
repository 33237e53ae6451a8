"""Fixtures that more than one suite needs: a real service, an HTTP client, a learner who has signed in."""

import secrets
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import hypothesis
import pytest

from api.client import Client, LearnerSession, SignUp
from tests.support.service import Service, prepared

PASSWORD = "correct horse battery staple"


def pytest_configure() -> None:
    """Let no property fail because the machine stalled: its time is the suite's time limit, as for every other test."""
    too_slow = hypothesis.HealthCheck.too_slow
    hypothesis.settings.register_profile("unhurried", deadline=None, suppress_health_check=[too_slow])
    hypothesis.settings.load_profile("unhurried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what is marked slow last, so that a simple mistake shows at once."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@contextmanager
def serving(**settings: str) -> Generator[Service]:
    """Run a service whose home and temporary files lie in its own folder, with its most talkative log."""
    with prepared({"MAYFLY_LOG_LEVEL": "debug", "MAYFLY_SESSIONS_PER_ACCOUNT": "100"} | settings) as service:
        home = service.folder / "home"
        home.mkdir()
        service.environment = {**service.environment, "HOME": str(home), "TMPDIR": str(home)}
        service.start()
        yield service
        if service.process is not None and service.process.poll() is None:
            service.stop()


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """One service with embedded defaults for all tests that break nothing."""
    with serving() as service:
        yield service


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(service.url) as client:
        yield client


@pytest.fixture
def learner(client: Client) -> Iterator[LearnerSession]:
    """A new learner's open session; it is signed out afterwards."""
    with new_learner(client) as session:
        yield session


def new_learner(client: Client, *, languages: tuple[str, ...] = ("fr", "zh", "ja")) -> LearnerSession:
    """Sign a new learner up and in."""
    name = f"learner-{secrets.token_hex(6)}"
    wish = SignUp(username=name, email=f"{name}@example.org", password=PASSWORD, target_languages=languages)
    client.sign_up(wish)
    return client.sign_in(wish.email, wish.password)
