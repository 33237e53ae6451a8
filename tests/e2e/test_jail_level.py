"""How strong a jail must be before the service starts, on machines that forbid what jails are made of (J07, J10)."""

import contextlib
import subprocess
from collections.abc import Generator, Mapping

import pytest

from tests.support.service import START_SECONDS, Service, prepared, running
from tests.support.without import CAPABILITIES, LANDLOCK, NAMESPACES, SECCOMP, command

LAUNCHER = ("-m", "api.launcher")


@contextlib.contextmanager
def started(without: tuple[str, ...], settings: Mapping[str, str]) -> Generator[Service]:
    """Start a service on a machine without these system calls; it may refuse."""
    with prepared(settings) as service, (service.folder / "log").open("ab") as log:
        service.process = subprocess.Popen(
            command(without, LAUNCHER),
            env=dict(service.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        yield service


def told_by(service: Service) -> dict[str, object]:
    with service.client() as http:
        return http.get("/v1/assurance").json()


@pytest.mark.parametrize(
    ("without", "what"),
    [((NAMESPACES, LANDLOCK), "no wall keeps a parser from other files"), ((SECCOMP,), "the whole of the kernel")],
)
@pytest.mark.slow
def test_a_machine_whose_jail_is_too_weak_is_refused_whatever_else_is_allowed(
    without: tuple[str, ...], what: str
) -> None:
    with started(without, {"MAYFLY_ALLOW_WEAK_HOST": "true"}) as service:
        assert service.process is not None
        assert service.process.wait(START_SECONDS) == 1

        assert "mayfly cannot start: the jail is too weak" in service.log
        assert what in service.log
        assert "MAYFLY_ALLOW_WEAK_JAIL" in service.log
        assert '"event": "ready"' not in service.log


@pytest.mark.slow
def test_a_machine_that_lets_no_jail_be_built_is_refused_though_a_weak_one_is_allowed() -> None:
    with started((CAPABILITIES,), {"MAYFLY_ALLOW_WEAK_JAIL": "true", "MAYFLY_ALLOW_WEAK_HOST": "true"}) as service:
        assert service.process is not None
        assert service.process.wait(START_SECONDS) == 1

        assert "mayfly cannot start: the jailer process refuses this host" in service.log
        assert '"event": "ready"' not in service.log


@pytest.mark.slow
def test_an_operator_can_allow_a_weak_jail_and_it_is_told() -> None:
    with started((NAMESPACES, LANDLOCK), {"MAYFLY_ALLOW_WEAK_JAIL": "true"}) as service:
        service.wait_until_ready()
        told = told_by(service)
        warned = [event["problem"] for event in service.events if event["event"] == "weak_jail"]
        service.stop()

    jail = told["jail"]
    assert isinstance(jail, dict)
    assert (jail["level"], jail["weak_allowed"]) == ("none", True)
    assert "files" not in jail["walls"]
    assert warned == ["no_wall_keeps_a_parser_from_other_files"]


@pytest.mark.slow
def test_without_namespaces_the_service_starts_and_says_that_its_jails_are_reduced() -> None:
    with started((NAMESPACES,), {}) as service:
        service.wait_until_ready()
        told = told_by(service)
        service.stop()
        log = service.log

    assert told["jail"] == {
        "level": "reduced",
        "walls": ["files", "landlock", "limits", "network", "processes", "syscalls", "user"],
        "kept_by": {
            "files": ["landlock"],
            "landlock": ["landlock"],
            "limits": ["rlimits"],
            "network": ["seccomp"],
            "processes": ["seccomp"],
            "syscalls": ["seccomp"],
            "user": ["capabilities"],
        },
        "weak_allowed": False,
    }
    assert "weak_jail" not in log


@pytest.mark.slow
def test_with_namespaces_the_jails_are_complete() -> None:
    with running() as service:
        told = told_by(service)

    jail = told["jail"]
    assert isinstance(jail, dict)
    assert (jail["level"], jail["weak_allowed"]) == ("full", False)
    assert {name: jail["kept_by"][name] for name in ("network", "processes", "files")} == {
        "network": ["namespace", "seccomp"],
        "processes": ["namespace", "seccomp"],
        "files": ["landlock", "namespace"],
    }
