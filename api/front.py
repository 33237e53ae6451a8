"""The front process: ``python -m api.front --socket FD``, with settings from the environment.

Standard input brings the secret that tracers are made of, nothing where there are none.

Owns the HTTP server around the application. The listening socket belongs to the launcher, so that a front can be
replaced while connections wait in its queue.
"""

import argparse
import asyncio
import json
import resource
import socket
import sys
from types import FrameType

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from api import logging, problems, weaknesses
from api.app import create_app
from api.children import EXIT_REFUSED
from api.middleware import dressed
from api.settings import Settings
from processes.hardening import harden, state

HEADER_BYTES = 16 * 1024
HEADER_SECONDS = 15.0
_KEEP_ALIVE_SECONDS = 5
GRACE_SECONDS = 10
# A client that was answered before it had sent its whole body gets this long to finish.
DRAIN_SECONDS = 5.0
# Each connection costs one descriptor; the rest is for the record, the parts, and uploads being sealed.
SPARE_DESCRIPTORS = 256
_MAX_CONNECTIONS = 4096


class Protocol(H11Protocol):
    """uvicorn's protocol, with deadlines and a bound, and a problem document for what is not HTTP.

    Headers must arrive in time, and so must the rest of a body whose request was answered already. Connections beyond
    the bound are closed as they come.
    """

    _deadline: asyncio.TimerHandle | None = None
    _drain: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Give a new connection ``HEADER_SECONDS`` to say what it wants; close one too many."""
        super().connection_made(transport)
        if len(self.connections) > max_connections():
            transport.abort()
            return
        self._deadline = self.loop.call_later(HEADER_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        """Keep the deadline while headers are incomplete, drop it once a request has begun."""
        super().data_received(data)
        in_headers = self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])
        if in_headers and self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.close)
        elif not in_headers:
            self._drop_deadline()
        if self._drain is not None and self.conn.their_state is not h11.SEND_BODY:
            self._drain.cancel()
            self._drain = None

    def on_response_complete(self) -> None:
        """Give a client that is still sending its body ``DRAIN_SECONDS``: it may want to read its refusal first."""
        super().on_response_complete()
        # uvicorn's keep-alive timer is cancelled by the next byte of the old body, and nothing arms it again.
        if self.conn.their_state is h11.SEND_BODY and self._drain is None:
            self._drain = self.loop.call_later(DRAIN_SECONDS, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines with the connection."""
        self._drop_deadline()
        if self._drain is not None:
            self._drain.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn passes it.
        """Refuse bytes that are not HTTP, or too many of them, with a problem."""
        broken = sys.exc_info()[1]
        too_large = isinstance(broken, h11.RemoteProtocolError) and broken.error_status_hint == 431
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._send_problem(problems.HeadersTooLarge() if too_large else problems.MalformedRequest())
        self.transport.close()

    def _send_problem(self, error: problems.MayflyError) -> None:
        body = json.dumps(problems.body_of(error)).encode()
        headers = [
            (b"content-type", problems.MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        status = problems.status_of(error)
        reply = (
            h11.Response(status_code=status, headers=dressed(headers, "")),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        for event in reply:
            self.transport.write(self.conn.send(event) or b"")

    def _drop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def max_connections() -> int:
    """Return how many connections a front holds at once: what its descriptors allow, and never more than 4096."""
    return max(1, min(_MAX_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_DESCRIPTORS))


class Server(uvicorn.Server):
    """uvicorn's server; streams learn of a stop when it is asked for, not when everybody else has gone."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._mayfly = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        self._mayfly.state.progress.note_stop()
        super().handle_exit(sig, frame)


def serve(settings: Settings, listener: socket.socket, tracer_secret: bytes) -> None:
    """Serve on a listening socket until SIGTERM; requests in progress get ten seconds to finish."""
    app = create_app(settings, tracer_secret=tracer_secret)
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=HEADER_BYTES,
    )
    Server(config, app).run(sockets=[listener])


def main() -> None:
    """Run the front of a service that the launcher started."""
    harden()
    parser = argparse.ArgumentParser(prog="python -m api.front")
    parser.add_argument("--socket", type=int, required=True, help="descriptor of the listening socket")
    arguments = parser.parse_args()
    settings = Settings()
    logging.configure(settings.log)
    logging.catch_crashes()
    try:
        weaknesses.insist(settings, weaknesses.of_process("front", state(), scrubbing=True))
    except weaknesses.HostTooWeak as refusal:
        sys.stderr.write(f"mayfly cannot start: {refusal}\n")
        raise SystemExit(EXIT_REFUSED) from None
    serve(settings, socket.socket(fileno=arguments.socket), sys.stdin.buffer.read())


if __name__ == "__main__":
    main()
