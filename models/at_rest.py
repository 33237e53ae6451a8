"""What the database's server does with its files: which it encrypts, and whether it writes statements down.

Asks the server itself, every time. Refuses to guess: what the account may not see is ``None``.
"""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from models.database import Database, translated

# What MariaDB writes, by the variable that has it encrypted, and the values with which it is.
_ENCRYPTED_BY = {
    "tables": ("innodb_encrypt_tables", {"ON", "FORCE"}),
    "redo log": ("innodb_encrypt_log", {"ON"}),
    "temporary tables": ("innodb_encrypt_temporary_tables", {"ON"}),
    "temporary files": ("encrypt_tmp_files", {"ON"}),
    "temporary disk tables": ("encrypt_tmp_disk_tables", {"ON"}),
    "system tables": ("aria_encrypt_tables", {"ON"}),
}
_LOGS = {"general log": "general_log", "slow query log": "slow_query_log"}
_VARIABLES = [name for name, _ in _ENCRYPTED_BY.values()] + [*_LOGS.values(), "log_bin", "encrypt_binlog"]
# What was never encrypted is missing in the one table, and the temporary tablespace always is: a variable tells of it.
_CLEAR_TABLESPACES = """
    SELECT COUNT(*) FROM information_schema.INNODB_SYS_TABLESPACES WHERE NAME <> 'innodb_temporary' AND SPACE NOT IN
    (SELECT SPACE FROM information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE ENCRYPTION_SCHEME <> 0)
"""
# Aria writes rows into a log that no option of MariaDB encrypts (seen with 10.11.19), so no table of ours may be one.
_OF_OTHER_ENGINES = """
    SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND ENGINE <> 'InnoDB'
"""


@dataclass(frozen=True, slots=True)
class AtRest:
    """What a server writes to its disk. ``in_the_clear`` is what it does not encrypt, ``statement_logs`` what it logs.

    ``clear_tablespaces`` counts the table files that are not encrypted yet, or ``None`` where the account has no right
    to look (``PROCESS``), and on SQLite.
    """

    engine: Literal["sqlite", "mariadb"]
    in_the_clear: tuple[str, ...]
    statement_logs: tuple[str, ...] = ()
    clear_tablespaces: int | None = None


def look(database: Database) -> AtRest:
    """Ask what lies on the database's disk in the clear. Raises ``PartUnavailable`` when the database is gone.

    SQLite encrypts nothing: its file is as safe as the disk it lies on, and holds what ``models.privacy`` says.
    """
    if database.is_sqlite:
        return AtRest("sqlite", ("database file",))
    with translated(), database.engine.connect() as connection:
        values = _variables(connection)
        clear = [what for what, (name, good) in _ENCRYPTED_BY.items() if values.get(name) not in good]
        if values.get("log_bin") == "ON" and values.get("encrypt_binlog") != "ON":
            clear.append("binary log")
        if connection.execute(text(_OF_OTHER_ENGINES)).scalar_one():
            clear.append("tables of another engine")
        logs = tuple(what for what, name in _LOGS.items() if values.get(name) != "OFF")
        return AtRest("mariadb", tuple(clear), logs, _clear_tablespaces(connection))


def _variables(connection: Connection) -> dict[str, str]:
    names = ", ".join(f"'{name}'" for name in _VARIABLES)
    rows = connection.exec_driver_sql(f"SHOW GLOBAL VARIABLES WHERE variable_name IN ({names})")
    return {str(name).lower(): str(value).upper() for name, value in rows}


def _clear_tablespaces(connection: Connection) -> int | None:
    try:
        return int(connection.execute(text(_CLEAR_TABLESPACES)).scalar_one())
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        return None
