"""How request bodies are taken from a client that may be slow, broken or lying."""

import asyncio
import time
from collections.abc import AsyncGenerator

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from api.problems import TooSlow

# A client that is refused while it still sends would see a reset instead of the reason; so some more is read.
_DRAIN_SECONDS = 3.0
_DRAIN_BYTES = 64 * 1024 * 1024


def first_header(scope: Scope, name: bytes) -> str | None:
    """Return the first value of a header (name in lower case), or ``None``."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


async def arriving(receive: Receive, *, idle_seconds: float, total_seconds: float) -> AsyncGenerator[bytes]:
    """Yield the body's bytes as they arrive.

    Raises ``TooSlow`` when nothing comes for ``idle_seconds`` or the whole takes longer than ``total_seconds``, and
    ``ClientDisconnect`` when the client leaves.
    """
    deadline = time.monotonic() + total_seconds
    while True:
        patience = min(idle_seconds, deadline - time.monotonic())
        try:
            async with asyncio.timeout(max(0.0, patience)):
                message = await receive()
        except TimeoutError as error:
            raise TooSlow from error
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body", False):
            return


async def drain(receive: Receive) -> None:
    """Read and drop what the client still sends, for a few seconds at most, so that it can read its refusal."""
    dropped = 0
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while dropped < _DRAIN_BYTES:
                message = await receive()
                dropped += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return
