"""A service that cannot be searched from here is told apart from one in which nothing was found."""

import os
import socket
from pathlib import Path

import pytest

from api.proving import deployment
from api.proving.deployment import Deployment, NotAllowed, NotOnThisMachine
from api.settings import Settings


def test_a_service_of_another_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotOnThisMachine):
        Deployment("http://127.0.0.1:1", Settings(runtime_dir=tmp_path)).host()


def test_the_process_behind_a_socket_is_told_by_the_kernel(tmp_path: Path) -> None:
    settings = Settings(runtime_dir=tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(settings.sockets.host))
        listener.listen()

        assert Deployment("http://127.0.0.1:1", settings).host().pid == os.getpid()


def test_memory_that_may_not_be_read_ends_the_search_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    settings = Settings(runtime_dir=tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(settings.sockets.host))
        listener.listen()
        own = Deployment("http://127.0.0.1:1", settings)
        own.insist_on_rights()
        monkeypatch.setattr(deployment.os, "open", refuse)

        with pytest.raises(NotAllowed):
            own.insist_on_rights()
