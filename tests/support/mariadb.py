"""A private MariaDB server: its own data directory, port and password, gone after the tests.

Where MariaDB is not installed the tests fail and say what to install; they are never skipped.
"""

import contextlib
import getpass
import importlib
import os
import secrets
import shutil
import socket
import subprocess
import warnings
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from tests.support.certificates import Certificate
from tests.support.service import free_port

# The driver's source has an invalid escape sequence, which only its first compilation complains of.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    importlib.import_module("mariadb")

_START_SECONDS = 60
_SEARCH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/sbin"))


class MariaDBMissing(RuntimeError):
    """The server is not installed."""


@dataclass(slots=True)
class Server:
    """A running server. ``folder`` holds its data; ``process`` may be stopped by a test that owns the server."""

    folder: Path
    port: int
    command: list[str]
    password: str = field(repr=False)
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def data(self) -> Path:
        """The data directory, redo log included."""
        return self.folder / "data"

    @property
    def socket(self) -> Path:
        """The Unix socket."""
        return self.folder / "s.sock"

    def url(self, database: str) -> str:
        """Return the URL over TCP, in the short form that users write."""
        return f"mariadb://record:{self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Create an empty database with a name of its own and return its URL."""
        name = f"record_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return self.url(name)

    def execute(self, *statements: str, password: str | None = None) -> None:
        """Run statements as the administrator, over the Unix socket."""
        engine = self._engine(self.password if password is None else password)
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
            connection.commit()

    def start(self) -> None:
        """Start the server and return when it answers."""
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        self._await_socket()

    def stop(self) -> None:
        """Stop the server cleanly: all it knows is in its files then."""
        self.process.terminate()
        self.process.wait(timeout=_START_SECONDS)

    def kill(self) -> None:
        """Pull the plug."""
        self.process.kill()
        self.process.wait(timeout=_START_SECONDS)

    def on_copy(self, folder: Path) -> "Server":
        """Return a server that is not started, for a copy of this one's folder."""
        port = free_port()
        command = [part.replace(str(self.folder), str(folder)) for part in self.command]
        command = [part.replace(f"--port={self.port}", f"--port={port}") for part in command]
        return Server(folder, port, command, self.password)

    def _engine(self, password: str) -> Engine:
        url = f"mariadb+mariadbconnector://root:{password}@localhost/?unix_socket={self.socket}"
        return create_engine(url, poolclass=NullPool)

    def _await_socket(self) -> None:
        # The wait ends with the server's own answer or its death; the process is polled, never slept on blindly.
        for _ in range(_START_SECONDS * 10):
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(self.socket))
                if probe.recv(1):
                    return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=0.1)
                break
        raise RuntimeError(f"mariadbd did not start:\n{(self.folder / 'server.log').read_text()[-2000:]}")


# As docker-compose.yml starts the database; a test compares the two. The key file stands outside the data directory.
ENCRYPTED = (
    "--plugin-load-add=file_key_management",
    "--file-key-management-encryption-algorithm=AES_CTR",
    "--innodb-encrypt-tables=FORCE",
    "--innodb-encrypt-log=ON",
    "--innodb-encrypt-temporary-tables=ON",
    "--innodb-encryption-threads=1",
    "--encrypt-tmp-files=ON",
    "--encrypt-tmp-disk-tables=ON",
    "--encrypt-binlog=ON",
    "--aria-encrypt-tables=ON",
)


@contextlib.contextmanager
def running(
    folder: Path, *, certificate: Certificate | None = None, encrypted: bool = False, more: Sequence[str] = ()
) -> Generator[Server]:
    """Install and start a server below ``folder``; stop it at the end.

    It has TLS when a certificate is given, encrypts all it writes when ``encrypted``, and takes ``more`` options.
    """
    user = getpass.getuser()
    install, mariadbd = _find("mariadb-install-db"), _find("mariadbd")
    options = ["--no-defaults", f"--datadir={folder / 'data'}", f"--user={user}"]
    if encrypted:
        options += [f"--plugin-dir={_plugins()}", *ENCRYPTED]
        options += [f"--file-key-management-filename={_encryption_key(folder)}"]
    subprocess.run(
        [install, *options, "--skip-test-db", "--auth-root-authentication-method=normal"],
        check=True,
        capture_output=True,
        timeout=120,
    )
    port = free_port()
    tls = [f"--ssl-cert={certificate.certificate}", f"--ssl-key={certificate.key}"] if certificate else ["--skip-ssl"]
    # The kernel ends the server with the test run, also when that is killed.
    command = [
        *("setpriv", "--pdeathsig", "TERM", mariadbd, *options, *tls),
        *(f"--socket={folder / 's.sock'}", f"--port={port}", "--bind-address=127.0.0.1", "--skip-name-resolve"),
        *("--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M"),
        *more,
    ]
    server = Server(folder, port, command, secrets.token_hex(16))
    try:
        server.start()
        server.execute(f"SET PASSWORD FOR root@localhost = PASSWORD('{server.password}')", password="")
        server.execute(f"CREATE USER record@'127.0.0.1' IDENTIFIED BY '{server.password}'")
        server.execute("GRANT ALL ON *.* TO record@'127.0.0.1'")
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def _plugins() -> Path:
    """Return the folder with the plugin that encrypts: the server's own, or the one that make setup-test filled."""
    for folder in (Path("/usr/lib/mysql/plugin"), Path(__file__).parents[2] / "build" / "mariadb-plugins"):
        if (folder / "file_key_management.so").is_file():
            return folder
    raise MariaDBMissing("the plugin file_key_management is not installed: run make setup-test")


def _encryption_key(folder: Path) -> Path:
    file = folder / "encryption-keys"
    file.write_text(f"1;{secrets.token_hex(32)}\n", encoding="ascii")
    return file


def _find(program: str) -> str:
    found = shutil.which(program, path=_SEARCH)
    if found is None:
        raise MariaDBMissing(f"{program} is not installed; on Debian: apt-get install mariadb-server")
    return found
