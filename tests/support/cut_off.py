"""A whole visit to a service in a network namespace that holds nothing but its loopback.

Run as a program inside of one; prints what happened as JSON. The kernel counts, for this namespace alone, every packet
and connection for which there was no route: a library that tried to report home is seen, though it failed.
"""

import contextlib
import json
import socket
import subprocess
from pathlib import Path
from typing import Any

from api.client import Client
from tests.conftest import PASSWORD, new_learner
from tests.support import inspection, library
from tests.support.residue import in_bytes, new_marker
from tests.support.service import Service, running

REPORTERS = {
    "SENTRY_DSN": "https://key@192.0.2.7/1",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://192.0.2.7:4317",
    "OTEL_TRACES_EXPORTER": "otlp",
    "CHROMA_OTEL_COLLECTION_ENDPOINT": "http://192.0.2.7:4317",
}


def attempts() -> int:
    """Return how often something in this namespace wanted to reach an address or a name outside of it."""
    counted = 0
    lines = Path("/proc/net/snmp").read_text(encoding="ascii").splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        found = dict(zip(names.split(), values.split(), strict=True))
        counted += sum(int(found.get(name, 0)) for name in ("OutNoRoutes", "OutDatagrams", "NoPorts"))
    six = dict(line.split() for line in Path("/proc/net/snmp6").read_text(encoding="ascii").splitlines())
    return counted + int(six["Ip6OutNoRoutes"]) + int(six["Udp6OutDatagrams"])


def try_to_get_out() -> None:
    """Do what nothing of the service may do."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, kind) as out:
            out.connect(("192.0.2.7", 443))
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as out:
        out.connect(("2001:db8::7", 443))


def visit(service: Service, marker: str) -> dict[str, Any]:
    """Do all that a learner and his tutor do, also badly; return what could be seen of it meanwhile."""
    with Client(service.url) as client, new_learner(client) as learner:
        sentence = f"The {marker} is a bird that nests in the bell tower."
        files = [library.pdf((sentence, *library.ENGLISH[:2]), name=f"{marker}.pdf"), library.photo(sentence)]
        broken = library.pdf((sentence,)).data[:-700] + b"%PDF " + marker.encode()
        sent = [*((file.name, file.data, file.media_type) for file in files), ("a.pdf", broken, "application/pdf")]
        documents = learner.upload(*sent)
        states = [learner.wait(document.document_id).status for document in documents]
        token = learner.signed_in.token
        grant = learner.grant()
        found = client.ask(grant.token, f"Where does the {marker} nest?")
        secrets = (marker, PASSWORD, token, grant.token, service.hook_secret)
        processes = inspection.processes(service)
        shown = [inspection.shown(process) for process in processes]
        texts = [text for arguments, environment in shown for text in (*arguments, *environment.values())]
        variables = {name for _, environment in shown[1:] for name in environment}
        learner.sign_out()
    return {
        "states": states[:2],
        "found": any(marker in passage.text for passage in found.passages),
        "processes": len(processes),
        "secrets_shown": sum(secret in text for secret in secrets for text in texts),
        "reporters_shown": sorted(variables & REPORTERS.keys()),
    }


def main() -> None:
    """Tell what a visit took, and what the counters say when something really wants to get out."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    marker = new_marker()
    before = attempts()
    with running(REPORTERS | {"MAYFLY_LOG_LEVEL": "debug"}) as service:
        told = visit(service, marker)
        service.stop()
        told |= {"events": len(service.events), "in_log": in_bytes(service.log.encode(), marker)}
    after = attempts()
    try_to_get_out()
    print(json.dumps(told | {"attempts": after - before, "control": attempts() - after}))  # noqa: T201  # Its answer.


if __name__ == "__main__":
    main()
