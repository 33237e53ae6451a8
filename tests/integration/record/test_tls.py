"""What a network to the database must be: encrypted, by the right server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from models.database import Database, DatabaseRefused
from models.errors import PartUnavailable
from tests.support import mariadb
from tests.support.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "right")


@pytest.fixture(scope="module")
def tls_server(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[mariadb.Server]:
    """A server whose certificate is for 127.0.0.1. It takes plaintext as well: it is ours to insist."""
    folder = tmp_path_factory.mktemp("tls")
    with mariadb.running(folder, certificate=authority.issue("127.0.0.1")) as server:
        yield server


def ask(database: Database) -> str:
    """Return the protocol version, empty when in the clear."""
    try:
        with database.transaction() as db:
            return db.execute(text("SHOW STATUS LIKE 'Ssl_version'")).one()[1]
    finally:
        database.dispose()


@pytest.mark.parametrize("host", ["db.example.org", "192.0.2.7", "[2001:db8::1]"])
def test_a_database_on_the_network_needs_a_certificate_authority(host: str):
    with pytest.raises(DatabaseRefused, match="TLS"):
        Database(f"mariadb://user:secret@{host}/record")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "localhost", "[::1]"])
def test_a_database_on_this_machine_does_not(host: str):
    assert not Database(f"mariadb://user@{host}/record").uses_tls


@pytest.mark.parametrize(
    "rest",
    [
        "127.0.0.1/record?host=db.example.org",
        "127.0.0.1/record?port=3307",
        "127.0.0.1/record?ssl=false",
        "127.0.0.1/record?ssl_verify_cert=false",
        "db.example.org/record?ssl_ca=/elsewhere",
        "/record?unix_socket=/run/db.sock&host=db.example.org",
        "127.0.0.1/record?default_file=/elsewhere",
        "db.example.org/record?unix_socket=/run/db.sock",
    ],
)
@pytest.mark.parametrize("driver", ["mariadb", "mariadb+mariadbconnector"])
def test_a_url_whose_options_lead_elsewhere_is_refused(driver: str, rest: str, tmp_path: Path):
    with pytest.raises(DatabaseRefused, match="a database URL"):
        Database(f"{driver}://user:secret@{rest}", ca_file=tmp_path / "authority")


@pytest.mark.parametrize("host", ["", "localhost"])
def test_a_unix_socket_needs_no_tls(host: str):
    assert not Database(f"mariadb://user@{host}/record?unix_socket=/run/db.sock").uses_tls


def test_the_right_authority_is_accepted_and_the_connection_encrypted(tls_server: mariadb.Server, authority: Authority):
    assert ask(Database(tls_server.new_database(), ca_file=authority.file, require_tls=True)).startswith("TLSv1.")


def test_another_authority_is_refused(tls_server: mariadb.Server, tmp_path: Path):
    with pytest.raises(PartUnavailable):
        ask(Database(tls_server.new_database(), ca_file=Authority(tmp_path, "wrong").file, require_tls=True))


def test_a_certificate_for_another_host_is_refused(authority: Authority, tmp_path: Path):
    certificate = authority.issue("db.example.org")
    with mariadb.running(tmp_path, certificate=certificate) as server, pytest.raises(PartUnavailable):
        ask(Database(server.new_database(), ca_file=authority.file, require_tls=True))


def test_a_server_without_tls_is_refused_though_it_would_answer_in_the_clear(
    mariadb_server: mariadb.Server, authority: Authority
):
    url = mariadb_server.new_database()
    assert ask(Database(url)) == "", "it answers in the clear, so the refusal below is ours"

    with pytest.raises((PartUnavailable, DatabaseRefused)):
        ask(Database(url, ca_file=authority.file, require_tls=True))


def test_a_connection_that_turns_out_to_be_in_the_clear_is_refused(
    mariadb_server: mariadb.Server, authority: Authority, monkeypatch: pytest.MonkeyPatch
):
    url = mariadb_server.new_database()
    import sqlalchemy

    from models import database as module

    def careless(url: object, **options: object) -> object:
        options["connect_args"] = {}
        return sqlalchemy.create_engine(url, **options)  # pyright: ignore[reportArgumentType, reportCallIssue]

    monkeypatch.setattr(module, "create_engine", careless)

    with pytest.raises(DatabaseRefused, match="not encrypted"):
        ask(Database(url, ca_file=authority.file, require_tls=True))
