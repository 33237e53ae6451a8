"""An application with its real record and no other process: what needs the others answers that they are away."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api import logging
from api.app import create_app
from api.settings import AccountSettings, Settings
from models.database import Database


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path / "data",
        runtime_dir=tmp_path / "run",
        accounts=AccountSettings(argon2_memory_kib=64, argon2_passes=1, sign_ins_per_minute=3, sign_ups_per_hour=5),
    )


@pytest.fixture
def starting(settings: Settings) -> Iterator[TestClient]:
    """A front whose start-up sweep cannot finish, because there is no host."""
    logging.configure(settings.log)
    database = Database(settings.resolved_database_url)
    database.migrate()
    database.dispose()
    app = create_app(settings)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def client(starting: TestClient) -> TestClient:
    """A front that serves, though nothing stands behind it."""
    starting.app.state.progress.note_sweep()  # type: ignore[attr-defined]  # It is a FastAPI.
    return starting
