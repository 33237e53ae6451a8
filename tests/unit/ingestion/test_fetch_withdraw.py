"""What a fetcher that was taken over could still do, tried by a process that withdrew as the fetcher does."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ingestion import landlock
from processes import ipc

_TAKEN_OVER = """
import json, os, pathlib, socket, sys
from ingestion.fetch.worker import withdraw
key, folder, port, host = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]

def attempt(deed):
    try:
        deed()
    except OSError as error:
        return type(error).__name__
    return "done"

deeds = {
    "read a key": lambda: pathlib.Path(key).read_bytes(),
    "read the environment of the parent": lambda: pathlib.Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "list a folder": lambda: os.listdir(folder),
    "write a file": lambda: pathlib.Path(folder, "written").write_bytes(b"x"),
    "write over the key": lambda: open(key, "ab").close(),
    "make a namespace": lambda: os.unshare(0x10000000) if hasattr(os, "unshare") else refused_unshare(),
    "connect to the host": lambda: socket.socket(socket.AF_UNIX).connect(host),
    "make a pair": lambda: [end.close() for end in socket.socketpair()],
    "run a program": lambda: refused_program(),
    "signal the parent": lambda: os.kill(os.getppid(), 0),
    "resolve": lambda: socket.getaddrinfo("localhost", port),
    "connect": lambda: socket.create_connection(("127.0.0.1", port), timeout=5).close(),
}

def refused_unshare():
    import ctypes
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000) != 0:
        raise PermissionError

def refused_program():
    child = os.fork()
    if child == 0:
        try:
            os.execv("/bin/true", ["true"])
        finally:
            os._exit(1)
    if os.waitpid(child, 0)[1] != 0:
        raise PermissionError

before = {name: attempt(deed) for name, deed in deeds.items() if name not in {"write a file", "make a namespace"}}
withdraw()
print(json.dumps([before, {name: attempt(deed) for name, deed in deeds.items()}]))
"""


@pytest.mark.skipif(landlock.version() == 0, reason="this kernel has no Landlock, so files stay readable")
def test_who_takes_the_fetcher_over_has_the_network_and_no_file_of_ours(tmp_path: Path):
    key = tmp_path / "key"
    key.write_bytes(b"secret")
    host = tmp_path / "host.sock"
    with socket.create_server(("127.0.0.1", 0)) as listener, ipc.listen(host):
        arguments = [str(key), str(tmp_path), str(listener.getsockname()[1]), str(host)]
        done = subprocess.run(
            [sys.executable, "-c", _TAKEN_OVER, *arguments],
            capture_output=True,
            check=True,
            timeout=60,
            cwd=Path(__file__).parents[3],
            env=dict(os.environ),
        )

    before, after = json.loads(done.stdout)
    assert set(before.values()) == {"done"}, "all of it could be done before"
    assert {name for name, outcome in after.items() if outcome == "done"} == {"resolve", "connect"}
    assert set(after.values()) == {"done", "PermissionError"}
    assert key.read_bytes() == b"secret"
    assert b"fetcher_unconfined" not in done.stderr
