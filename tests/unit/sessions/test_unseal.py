import socket
import threading
from pathlib import Path

from processes import ipc
from sessions import messages as m
from sessions.client import SessionClient

FRAME_BYTES = 1024 * 1024


def test_any_number_of_names_is_unsealed_in_frames_a_session_process_takes(tmp_path: Path) -> None:
    listener = ipc.listen(tmp_path / "session.sock")
    batches = list[int]()

    def answer(connection: ipc.Connection) -> None:
        bounded = ipc.Connection(connection.sock, m.SessionRequest, max_frame_bytes=FRAME_BYTES)
        while request := bounded.receive():
            batches.append(len(request.texts))
            bounded.send(m.Unsealed(texts=tuple(text.sealed[:4].decode() for text in request.texts)))

    thread = threading.Thread(target=ipc.serve, args=(listener, m.SessionRequest, answer), daemon=True)
    thread.start()
    sealed = [m.SealedText(purpose="name", sealed=f"{number:04}".encode() + bytes(1000)) for number in range(3000)]

    names = SessionClient(tmp_path / "session.sock").unseal(sealed)

    assert names == tuple(f"{number:04}" for number in range(3000))
    assert len(batches) > 1
    assert SessionClient(tmp_path / "session.sock").unseal([]) == ()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
