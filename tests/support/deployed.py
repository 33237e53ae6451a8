"""A test's service as ``mayfly prove`` sees one, and a session in it with a marker everywhere."""

from pathlib import Path

from api.proving.deployment import Deployment
from api.settings import Settings
from tests.support.service import Service


def deployment(service: Service) -> Deployment:
    """Return a running service of a test, to be searched."""
    url = service.environment.get("MAYFLY_DATABASE_URL")
    own = {"data_dir": service.data_dir, "runtime_dir": service.runtime_dir, "port": service.port}
    settings = Settings().model_copy(update=own | ({"database_url": _secret(url)} if url else {}))
    return Deployment(service.url, settings, Path(service.folder / "log"))


def _secret(url: str) -> object:
    from pydantic import SecretStr

    return SecretStr(url)
