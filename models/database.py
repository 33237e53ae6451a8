"""The record's database: one engine, its guarantees, its transactions, its migrations.

Owns how SQLite and MariaDB are opened so that a delete deletes, a foreign key holds, and no statement or value leaks
into an error. Refuses to talk to a MariaDB server over a network in the clear. The SQLAlchemy session is always called
``db``: *session* is a learner's working session everywhere else.
"""

import contextlib
import functools
import ipaddress
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, cast

from sqlalchemy import CursorResult, DateTime, Dialect, Engine, Executable, MetaData, create_engine, event, text
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator, TypeEngine

from models.errors import PartUnavailable

# A database that hangs must not hang its callers: five seconds, then the part counts as unavailable.
TIMEOUT_SECONDS = 5
# The driver's own five connections and ten more would starve the front's threads.
_SQLITE_POOL = {"pool_size": 20, "max_overflow": 80, "pool_timeout": TIMEOUT_SECONDS}
# Any other option of the driver could override the URL's host or weaken its TLS.
_URL_OPTIONS = frozenset({"unix_socket"})
_MIGRATIONS = Path(__file__).parent / "migrations"


class DatabaseRefused(RuntimeError):
    """The database does not give the guarantees the record needs; the reason is in the message."""


class Base(DeclarativeBase):
    """The metadata of all tables. Primary keys carry no name: MariaDB ignores one, with a warning on every CREATE."""

    metadata: ClassVar[MetaData] = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        }
    )


class Moment(TypeDecorator[datetime]):
    """An aware UTC time with microseconds on both databases."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """MariaDB drops fractions of a second unless told to keep them."""
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Store UTC without a zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read UTC with its zone."""
        return None if value is None else value.replace(tzinfo=UTC)


def hits(db: Session, statement: Executable) -> int:
    """Carry out a statement that writes, without a look at objects in memory; return how many rows it met."""
    result = cast("CursorResult[Any]", db.execute(statement.execution_options(synchronize_session=False)))
    return result.rowcount


def now() -> datetime:
    """Return the present in UTC. It is written down, and never decides when a session expires: leases do."""
    return datetime.now(UTC)


class Database:
    """The engine behind the record.

    ``url`` is an SQLAlchemy URL of SQLite or MariaDB; ``ca_file`` holds the certificates a MariaDB server must present
    one of. ``require_tls`` is decided by the host name unless given: every host but the loopback needs TLS. Raises
    ``DatabaseRefused`` for another database, or a network without ``ca_file``.
    """

    def __init__(self, url: str, *, ca_file: Path | None = None, require_tls: bool | None = None) -> None:
        self.url = _normalised(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        needs_tls = not self.is_sqlite and not _is_local(self.url) if require_tls is None else require_tls
        if needs_tls and ca_file is None:
            raise DatabaseRefused("a database on another machine needs TLS: set the file of its certificate authority")
        self.uses_tls = ca_file is not None and not self.is_sqlite
        self.engine = _sqlite(self.url) if self.is_sqlite else _mariadb(self.url, ca_file)

    def __repr__(self) -> str:
        return f"<Database {self.url.get_backend_name()}>"

    @contextlib.contextmanager
    def transaction(self) -> Generator[Session]:
        """Yield a ``db``; commit when the block ends, roll back when it raises.

        Objects stay readable afterwards. Raises ``PartUnavailable`` when the database is gone, hangs, is full, or
        picked this transaction as a deadlock's victim.
        """
        with translated(), Session(self.engine, expire_on_commit=False) as db, db.begin():
            yield db

    @contextlib.contextmanager
    def snapshot(self) -> Generator[Session]:
        """Yield a ``db`` that sees one moment, whatever others write meanwhile. It is for reading: nothing is kept."""
        with translated(), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            with Session(connection) as db:
                if self.is_sqlite:
                    db.execute(text("BEGIN"))  # The driver begins a transaction before a write only.
                yield db

    def migrate(self, revision: str = "head") -> None:
        """Bring the schema to ``revision`` (``head``: the newest; ``base``: nothing)."""
        from alembic import command

        with translated(), self.engine.connect() as connection:
            config = _alembic_config(connection)
            if revision == "base":
                command.downgrade(config, revision)
            else:
                command.upgrade(config, revision)
            connection.commit()

    def check(self) -> None:
        """Prove that the database answers, gives its guarantees and has the newest schema.

        Raises ``PartUnavailable`` when it does not answer, ``DatabaseRefused`` when it is not fit.
        """
        with translated(), self.engine.connect() as connection:
            if self.is_sqlite and connection.exec_driver_sql("PRAGMA foreign_keys").scalar() != 1:
                raise DatabaseRefused("SQLite does not enforce foreign keys, so deletes would leave rows behind")
            connection.execute(text("SELECT 1"))
            if not _is_at_head(connection):
                raise DatabaseRefused("the schema is not the newest: run the migrations")

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextlib.contextmanager
def translated() -> Generator[None]:
    """Turn a driver's failure into ``PartUnavailable``: no statement, no value, no host name leaves this module."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout):
        raise PartUnavailable(retry_after_seconds=1) from None
    except DBAPIError as error:
        if error.connection_invalidated:
            raise PartUnavailable(retry_after_seconds=1) from None
        raise


def _normalised(url: str) -> URL:
    parsed = make_url(url)
    if parsed.get_backend_name() not in {"sqlite", "mariadb"}:
        raise DatabaseRefused("only sqlite:// and mariadb:// are supported")
    if parsed.get_backend_name() == "mariadb":
        _refuse_detours(parsed)
    if parsed.drivername == "mariadb":
        return parsed.set(drivername="mariadb+mariadbconnector")
    return parsed


def _refuse_detours(url: URL) -> None:
    """Refuse what would have the driver connect elsewhere, or otherwise, than the URL's host says."""
    if not set(url.query) <= _URL_OPTIONS:
        raise DatabaseRefused("a database URL takes no option but unix_socket: Mayfly itself sees to TLS")
    if "unix_socket" in url.query and url.host not in {None, "localhost"}:
        raise DatabaseRefused("a database URL names a host or a Unix socket, not both")


def _is_local(url: URL) -> bool:
    if url.host in {None, "localhost"}:
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(url.host or "").is_loopback
    return False


def _sqlite(url: URL) -> Engine:
    # A database in memory belongs to one connection, and its pool takes none of these.
    pool = _SQLITE_POOL if url.database and url.database != ":memory:" else {}
    if url.database:
        Path(url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": TIMEOUT_SECONDS}, **pool)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "secure_delete=ON", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        if connection.execute("PRAGMA foreign_keys").fetchone() != (1,):
            raise DatabaseRefused("SQLite was built without foreign keys, so deletes would leave rows behind")

    return engine


def _mariadb(url: URL, ca_file: Path | None) -> Engine:
    # The driver takes TLS seriously only when it is told all three (measured: each alone can end in plaintext).
    tls = {} if ca_file is None else {"ssl": True, "ssl_ca": str(ca_file), "ssl_verify_cert": True}
    timeouts = dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), TIMEOUT_SECONDS)
    engine = create_engine(
        url,
        hide_parameters=True,
        # Each statement sees what is committed by then: compare-and-set and counts rely on it.
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_size=20,
        max_overflow=20,
        pool_timeout=TIMEOUT_SECONDS,
        connect_args={**timeouts, **tls, "local_infile": False},
    )
    if ca_file is not None:
        event.listen(engine, "connect", _assert_tls)
    return engine


def _assert_tls(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute("SHOW STATUS LIKE 'Ssl_version'")
        row = cursor.fetchone()
    finally:
        cursor.close()
    if row is None or not row[1]:
        raise DatabaseRefused("the connection to the database is not encrypted")


def _alembic_config(connection: Any) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _is_at_head(connection: Any) -> bool:
    from alembic.migration import MigrationContext

    return frozenset(MigrationContext.configure(connection).get_current_heads()) == _newest()


@functools.cache
def _newest() -> frozenset[str]:
    from alembic.script import ScriptDirectory

    return frozenset(ScriptDirectory(str(_MIGRATIONS)).get_heads())
