"""The Compose file keeps the walls that the papers speak of."""

from typing import Any

import pytest
import yaml

from scripts.check_floors import ROOT
from tests.support.mariadb import ENCRYPTED

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


@pytest.mark.parametrize("name", ["mayfly", "database"])
def test_a_container_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"].split(":")[0] not in {"0", "root"}
    assert service["ulimits"] == {"core": 0}
    assert service["pids_limit"] > 0


@pytest.mark.parametrize("name", ["mayfly", "database"])
def test_a_container_cannot_swap(name: str) -> None:
    assert SERVICES[name]["memswap_limit"] == SERVICES[name]["mem_limit"]


def test_the_runtime_folder_of_the_image_is_a_ram_disk() -> None:
    folder = next(line for line in (ROOT / "Dockerfile").read_text().splitlines() if "MAYFLY_RUNTIME_DIR=" in line)

    assert any(mount.startswith(folder.split("=")[1].rstrip(" \\") + ":") for mount in SERVICES["mayfly"]["tmpfs"])


def test_ports_are_open_to_this_machine_only() -> None:
    assert SERVICES["mayfly"]["ports"]
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["mayfly"]["ports"])


def test_the_database_has_no_network() -> None:
    assert SERVICES["database"]["network_mode"] == "none"
    assert "ports" not in SERVICES["database"]


def test_no_secret_stands_in_the_environment() -> None:
    names = [name for service in SERVICES.values() for name in service["environment"]]

    assert "MARIADB_PASSWORD_FILE" in names
    assert [name for name in names if ("PASSWORD" in name or "URL" in name) and not name.endswith("_FILE")] == [
        "MARIADB_RANDOM_ROOT_PASSWORD"
    ]


def test_the_database_encrypts_its_files_as_it_is_tested_and_keeps_the_key_outside_its_volume() -> None:
    database = SERVICES["database"]
    (key,) = (option.split("=")[1] for option in database["command"] if "key-management-filename" in option)

    assert set(ENCRYPTED) <= set(database["command"])
    assert {"--general-log=0", "--slow-query-log=0", "--skip-log-bin", "--local-infile=0"} <= set(database["command"])
    assert key == "/run/secrets/database_keys"
    assert "database_keys" in database["secrets"]
    assert not any(key.startswith(volume.split(":")[1]) for volume in database["volumes"])
    assert "database_keys" not in SERVICES["mayfly"]["secrets"]
