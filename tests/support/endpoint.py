"""A server in OpenAI's form for tests, on a loopback port: it embeds with a real model or answers what a test wants."""

import contextlib
import http.server
import json
import ssl
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from vectorstore.embedder import Embedder

# Status, headers and body; given the request's JSON.
Reply = tuple[int, dict[str, str], bytes]
Answer = Callable[[dict[str, Any]], Reply]


@dataclass
class EndpointServer:
    """``requests`` are whole requests in the order of coming: path, headers, body."""

    port: int
    requests: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


def embedding_with(embedder: Embedder) -> Answer:
    """Answer as a server would that runs this model: it knows nothing of prefixes, which the client sends."""

    def answer(request: dict[str, Any]) -> Reply:
        vectors = [embed_bare(embedder, text) for text in request["input"]]
        return vectors_reply(vectors, model=request["model"])

    return answer


def embed_bare(embedder: Embedder, text: str) -> list[float]:
    """Embed a text that carries its prefix already."""
    prefix = embedder.card.query_prefix
    if text.startswith(prefix):
        return embedder.embed_query(text.removeprefix(prefix)).tolist()
    return embedder.embed_passages([text.removeprefix(embedder.card.passage_prefix)])[0].tolist()


def vectors_reply(vectors: list[list[float]], *, model: str | None = "m") -> Reply:
    """Return a correct answer, its vectors backwards, which only their index tells."""
    data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)][::-1]
    return 200, {}, json.dumps({"object": "list", "data": data, "model": model}).encode()


@contextlib.contextmanager
def serving(answer: Answer, *, tls: ssl.SSLContext | None = None) -> Generator[EndpointServer]:
    """Run a server that answers every POST so."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            running.requests.append((self.path, dict(self.headers), body))
            status, headers, content = answer(body)
            with contextlib.suppress(OSError):
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(content))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # The base class calls it so.
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # A client that does not trust the certificate hangs up.

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    running = EndpointServer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
