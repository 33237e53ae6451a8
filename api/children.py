"""The launcher's children: how each is started, and how one that dies is started again."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api import logging
from processes import ipc

_FIRST_DELAY_SECONDS = 0.1
_MAX_DELAY_SECONDS = 10.0
_FORGIVEN_AFTER_SECONDS = 30.0

# How a process ends that will not work on this host; starting it again would not help, unless it has worked before.
EXIT_REFUSED = os.EX_CONFIG


class ChildRefused(Exception):
    """A process found this host unfit; it has told why on standard error."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to start one process. ``socket`` is where it listens once it is ready; ``descriptors`` are handed on."""

    name: str
    module: str
    environment: Mapping[str, str]
    config: bytes = b""
    arguments: Sequence[str] = ()
    descriptors: Sequence[int] = ()
    socket: Path | None = None


class Child:
    """One process of the service, restarted with growing pauses while it keeps dying."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._has_listened = False
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths = 0
        self._started_at = 0.0
        self._restart_at = 0.0

    @property
    def name(self) -> str:
        """What the process is called in logs."""
        return self.recipe.name

    @property
    def pid(self) -> int | None:
        """The process's number while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start the process and hand it its configuration."""
        recipe = self.recipe
        if recipe.socket is not None:
            recipe.socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", recipe.module, *recipe.arguments],
            env=dict(recipe.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=tuple(recipe.descriptors),
            start_new_session=True,  # Ctrl-C in a terminal reaches the launcher alone.
        )
        self._started_at = time.monotonic()
        logging.get().info("child_started", child=self.name, pid=self._process.pid)
        hand_over(self._process, recipe.config)

    def tend(self) -> None:
        """Start the process again if it died and its pause is over. Raises ``ChildRefused`` for one that refuses.

        One that has listened before worked on this host: what it says now comes of a bad moment, and it is tried
        again.
        """
        if self._process is not None:
            exit_code = self._process.poll()
            if exit_code is None:
                return
            self._note_death(exit_code)
        if time.monotonic() >= self._restart_at:
            self.start()

    def is_listening(self) -> bool:
        """Say whether the process accepts connections. True for one that listens nowhere."""
        if self.recipe.socket is None:
            return True
        try:
            ipc.connect(self.recipe.socket, Any, timeout_seconds=1).close()
        except ipc.PeerGone:
            return False
        self._has_listened = True
        return True

    def stop(self, *, grace_seconds: float) -> None:
        """Ask the process to end, wait, and kill it when it does not."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            logging.get().warning("child_killed", child=self.name, pid=process.pid)
            process.kill()
            process.wait()

    def _note_death(self, exit_code: int) -> None:
        lived_seconds = time.monotonic() - self._started_at
        self._deaths = 1 if lived_seconds > _FORGIVEN_AFTER_SECONDS else self._deaths + 1
        delay_seconds = min(_FIRST_DELAY_SECONDS * 2 ** (self._deaths - 1), _MAX_DELAY_SECONDS)
        self._restart_at = time.monotonic() + delay_seconds
        self._process = None
        logging.get().error(
            "child_died", child=self.name, exit_code=exit_code, attempt=self._deaths, delay_seconds=delay_seconds
        )
        if exit_code == EXIT_REFUSED and not self._has_listened:
            raise ChildRefused(f"the {self.name} process refuses this host")


def hand_over(process: subprocess.Popen[bytes], config: bytes) -> None:
    """Write a configuration to the standard input of a process that was just started, and close it."""
    assert process.stdin is not None  # noqa: S101  # It was asked for as a pipe.
    try:
        process.stdin.write(config)
        process.stdin.close()
    except BrokenPipeError:
        return  # It died at once; ``tend`` sees that.
