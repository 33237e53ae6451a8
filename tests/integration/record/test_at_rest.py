"""What MariaDB writes to its disk: no word in the clear with the options of docker-compose.yml, and else all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, delete, func, insert, select, text

from models import at_rest
from models.at_rest import AtRest
from models.database import Database
from models.errors import PartUnavailable
from tests.support import mariadb
from tests.support.residue import in_files, new_marker
from tests.support.service import eventually

# More than fits into the memory that a temporary table and a sort are given below, so that both go to the disk.
ROWS = 4000


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mariadb.Server]:
    """A server that encrypts, though it also keeps a binary log."""
    folder = tmp_path_factory.mktemp("encrypted")
    with mariadb.running(folder, encrypted=True, more=["--log-bin=binary"]) as server:
        yield server


def write_in_the_clear(database: Database, marker: str, *, engine: str = "InnoDB") -> None:
    """Write the marker as a careless program would: in rows, also deleted ones, and in what is sorted on the disk."""
    columns = Column("id", Integer, primary_key=True, autoincrement=False), Column("word", Text)
    table = Table(f"in_{engine}", MetaData(), *columns, mariadb_engine=engine)
    word = f"{marker} is a word that no table should hold"
    with database.engine.connect() as connection:
        table.create(connection)
        connection.execute(insert(table), [{"id": number, "word": word} for number in range(ROWS)])
        connection.execute(delete(table).where(table.c.id % 2 == 1))
        connection.execute(text("SET SESSION sort_buffer_size = 32768, tmp_memory_table_size = 16384"))
        sorted_words = select(table.c.word, func.count()).group_by(table.c.word, table.c.id).order_by(table.c.word)
        assert len(connection.execute(sorted_words).all()) == ROWS / 2
        spilled = connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Created_tmp_disk_tables'").one()[1]
        assert int(spilled) > 0, "the sort stayed in memory, so that nothing of it is on the disk proves nothing"
        connection.commit()


def test_a_word_in_the_clear_is_found_in_no_file_of_a_server_that_encrypts(encrypted: mariadb.Server):
    marker = new_marker()
    database = Database(encrypted.new_database())

    write_in_the_clear(database, marker)
    encrypted.execute("FLUSH TABLES", "FLUSH LOGS")
    running = in_files([encrypted.data], marker)
    encrypted.stop()
    try:
        names = {file.name for file in encrypted.data.rglob("*")}
        stopped = in_files([encrypted.data], marker)
    finally:
        encrypted.start()

    with database.engine.connect() as connection:
        rows = connection.execute(text("SELECT COUNT(*) FROM in_InnoDB WHERE word LIKE :word"), {"word": f"{marker}%"})
        assert rows.scalar_one() == ROWS / 2, "the words are there, so that they are in no file is the encryption's"
    database.dispose()
    assert {"ib_logfile0", "ibdata1", "in_InnoDB.ibd", "binary.000001"} <= names
    assert (running, stopped) == ([], [])


def test_the_same_word_is_found_in_the_files_of_a_server_that_does_not(mariadb_server: mariadb.Server):
    marker = new_marker()
    database = Database(mariadb_server.new_database())

    write_in_the_clear(database, marker)
    mariadb_server.execute("FLUSH TABLES", "FLUSH LOGS")

    assert "ib_logfile0" in {Path(file).name for file in in_files([mariadb_server.data], marker)}
    database.dispose()


def test_a_table_of_aria_is_told_because_its_log_is_not_encrypted(encrypted: mariadb.Server):
    marker = new_marker()
    database = Database(encrypted.new_database())

    write_in_the_clear(database, marker, engine="Aria")

    assert any("aria_log" in file for file in in_files([encrypted.data], marker))
    assert at_rest.look(database).in_the_clear == ("tables of another engine",)
    database.dispose()


def test_a_server_says_what_it_encrypts(encrypted: mariadb.Server, mariadb_server: mariadb.Server):
    sealed, clear = Database(encrypted.new_database()), Database(mariadb_server.new_database())

    # A thread of the server encrypts what was made in the clear, in its time.
    assert eventually(lambda: at_rest.look(sealed).clear_tablespaces == 0, seconds=60)
    assert at_rest.look(sealed) == AtRest("mariadb", (), (), clear_tablespaces=0)
    told = at_rest.look(clear)
    assert told.in_the_clear == tuple(at_rest._ENCRYPTED_BY)
    assert told.statement_logs == ()
    assert told.clear_tablespaces is not None
    assert told.clear_tablespaces > 3
    for database in (sealed, clear):
        database.dispose()


def test_an_account_without_the_right_to_look_is_told_nothing_of_table_files(encrypted: mariadb.Server):
    url = encrypted.new_database()
    name = url.rsplit("/", 1)[1]
    encrypted.execute(
        f"CREATE USER plain@'127.0.0.1' IDENTIFIED BY '{encrypted.password}'",
        f"GRANT ALL ON {name}.* TO plain@'127.0.0.1'",
    )
    database = Database(url.replace("//record:", "//plain:"))

    told = at_rest.look(database)

    assert told == AtRest("mariadb", (), (), clear_tablespaces=None)
    database.dispose()


def test_logs_of_statements_and_an_open_binary_log_are_told(encrypted: mariadb.Server):
    database = Database(encrypted.new_database())
    encrypted.execute("SET GLOBAL slow_query_log = ON", "SET GLOBAL general_log = ON")
    try:
        told = at_rest.look(database)
    finally:
        encrypted.execute("SET GLOBAL slow_query_log = OFF", "SET GLOBAL general_log = OFF")

    assert told.statement_logs == ("general log", "slow query log")
    assert at_rest.look(database).statement_logs == ()
    database.dispose()


def test_sqlite_is_said_to_encrypt_nothing(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'record.sqlite'}")

    assert at_rest.look(database) == AtRest("sqlite", ("database file",))
    database.dispose()


def test_a_server_that_does_not_answer_is_no_server_that_encrypts(tmp_path: Path):
    database = Database(f"mariadb://nobody@localhost/none?unix_socket={tmp_path / 'none.sock'}")

    with pytest.raises(PartUnavailable):
        at_rest.look(database)
    database.dispose()
