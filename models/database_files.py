"""Where a database keeps its bytes on this machine: tables, logs of what was changed, logs of what went wrong."""

from pathlib import Path

from sqlalchemy import text

from models.database import Database

_FOLDERS = ("datadir", "innodb_data_home_dir", "innodb_log_group_home_dir", "innodb_undo_directory", "tmpdir")
_FILES = ("log_error", "general_log_file", "slow_query_log_file", "log_bin_basename")
_LOCAL_HOSTS = frozenset({None, "", "localhost", "127.0.0.1", "::1"})


def folders(database: Database) -> tuple[Path, ...]:
    """Return the folders a database on this machine writes to; none for one on another machine.

    Raises ``PartUnavailable`` when the server does not answer.
    """
    if database.is_sqlite:
        return (Path(database.url.database or "").resolve().parent,)
    if database.url.host not in _LOCAL_HOSTS:
        return ()
    answers = _variables(database)
    data = Path(answers["datadir"])
    places = [data / answers[name] for name in _FOLDERS if answers.get(name)]
    places += [(data / answers[name]).parent for name in _FILES if answers.get(name)]
    kept = sorted({place.resolve() for place in places})
    return tuple(place for place in kept if not any(other in place.parents for other in kept))


def process_number(database: Database) -> int | None:
    """Return the number of the server's process where it runs on this machine and says so."""
    if database.is_sqlite or database.url.host not in _LOCAL_HOSTS:
        return None
    answers = _variables(database)
    file = Path(answers["datadir"]) / answers.get("pid_file", "")
    return int(file.read_text(encoding="ascii")) if file.is_file() else None


def _variables(database: Database) -> dict[str, str]:
    with database.transaction() as db:
        rows = db.execute(text("SHOW GLOBAL VARIABLES")).all()
    return {str(name): str(value) for name, value in rows if name in {*_FOLDERS, *_FILES, "pid_file"}}
