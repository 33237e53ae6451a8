"""Where a database says that it keeps its bytes is where they are."""

from pathlib import Path

from models import database_files
from models.database import Database


def test_sqlite_writes_beside_its_own_file(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'record.sqlite'}")

    assert database_files.folders(database) == (tmp_path,)
    assert database_files.process_number(database) is None
    database.dispose()


def test_the_files_of_a_server_elsewhere_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    database = Database("mariadb://record:secret@db.example.org/record", ca_file=tmp_path / "ca.pem")

    assert database_files.folders(database) == ()
    assert database_files.process_number(database) is None
