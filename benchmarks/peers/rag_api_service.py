"""rag_api, from a folder of its source, on a PostgreSQL of its own: ``python rag_api_service.py SOURCE DATA_FOLDER``.

It runs in the environment that ``make-venv rag-api`` makes. Settings of rag_api come from the environment; this adds
the database, whose number it writes into ``DATA_FOLDER/postgres.pid``.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pgserver  # type: ignore[reportMissingImports] - not in our environment.

_SUPERUSER = "postgres"


def main() -> None:
    source, data = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    data.mkdir(exist_ok=True)
    data.parent.chmod(0o711)  # As root, the database runs as a user of its own.
    server: Any = pgserver.get_server(data / "pg", cleanup_mode="stop")
    server.psql("CREATE EXTENSION IF NOT EXISTS vector;")
    (data / "postgres.pid").write_text(str(server.get_pid()), encoding="ascii")
    database = {
        "POSTGRES_USE_UNIX_SOCKET": "True",
        "DB_HOST": parse_qs(urlsplit(server.get_uri()).query)["host"][0],
        "POSTGRES_DB": _SUPERUSER,
        "POSTGRES_USER": _SUPERUSER,
        "POSTGRES_PASSWORD": "",
        "RAG_UPLOAD_DIR": str(data / "uploads"),
    }
    service = subprocess.Popen([sys.executable, str(source / "main.py")], env=os.environ | database, cwd=source)
    signal.signal(signal.SIGTERM, lambda *_: service.terminate())
    service.wait()
    server.cleanup()


if __name__ == "__main__":
    main()
