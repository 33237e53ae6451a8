"""What clients saw of one session, each deed with its start and end, and whether all of it can be true at once.

The order is that of real time: a deed that began after another was answered came after it, whatever happened inside
(linearizability, Herlihy and Wing 1990). Deeds that overlap may have happened in either order. All of it runs on one
machine and one monotonic clock.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2

Kind = Literal["upload", "ask", "ask_by_grant", "look", "delete", "sign_out", "hook", "kill", "recover", "erase"]
READS: frozenset[Kind] = frozenset({"ask", "ask_by_grant", "look"})
ENDS: frozenset[Kind] = frozenset({"sign_out", "hook", "recover", "erase"})
# What a session may answer while it lives, dies, or is dead. 409: nothing is indexed yet.
EXPECTED = frozenset({200, 201, 202, 401, 404, 409, 503})


@dataclass(frozen=True, slots=True)
class Deed:
    """One request, or one blow at a process. ``about`` names the document that was meant."""

    kind: Kind
    began: float
    ended: float
    status: int
    body: Any = field(repr=False, default=None)
    about: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the answer was a yes."""
        return 200 <= self.status < 300


class History:
    """The deeds around one session, from as many threads as like."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deeds: list[Deed] = []

    def __iter__(self) -> Iterator[Deed]:
        return iter(sorted(self._deeds, key=lambda deed: deed.began))

    def add(self, deed: Deed) -> None:
        """Keep a deed that is over."""
        with self._lock:
            self._deeds.append(deed)

    def request(self, kind: Kind, send: Callable[[], httpx2.Response], *, about: str | None = None) -> httpx2.Response:
        """Send a request and keep what came of it."""
        began = time.monotonic()
        reply = send()
        ended = time.monotonic()
        self.add(Deed(kind, began, ended, reply.status_code, reply.json() if reply.content else None, about))
        return reply

    def violations(self) -> list[str]:
        """Return what cannot be true of these deeds, in words; nothing when all of it can."""
        deeds = list(self)
        return [
            *_unforeseen(deeds),
            *_alive_after_the_end(deeds),
            *_read_after_a_blow(deeds),
            *_found_after_deletion(deeds),
            *_several_receipts(deeds),
            *_lost_or_made_up(deeds),
        ]


def passages_of(deed: Deed, document_id: str) -> list[tuple[int, int, int]]:
    """Return where the passages of one document lie that an answer holds."""
    if deed.kind not in {"ask", "ask_by_grant"} or not deed.succeeded:
        return []
    found = [each for each in deed.body["passages"] if each["document_id"] == document_id]
    return [(each["page"], each["start"], each["end"]) for each in found]


def _unforeseen(deeds: list[Deed]) -> Iterator[str]:
    for deed in deeds:
        if deed.kind != "kill" and deed.status not in EXPECTED:
            yield f"{deed.kind} was answered with {deed.status}"


def _alive_after_the_end(deeds: list[Deed]) -> Iterator[str]:
    ends = [deed.ended for deed in deeds if deed.kind in ENDS and deed.succeeded]
    if not ends:
        return
    for deed in deeds:
        if deed.began > min(ends) and deed.kind not in {"hook", "kill"} and deed.status != 401:
            late = (deed.began - min(ends)) * 1000
            yield f"{deed.kind} began {late:.1f} ms after the end was answered and got {deed.status}"


def _read_after_a_blow(deeds: list[Deed]) -> Iterator[str]:
    blows = [deed.ended for deed in deeds if deed.kind == "kill" and deed.succeeded]
    for deed in deeds:
        if blows and deed.began > min(blows) and deed.kind in READS and deed.succeeded:
            yield f"{deed.kind} began after the session process was dead and got {deed.status}"


def _found_after_deletion(deeds: list[Deed]) -> Iterator[str]:
    for deletion in deeds:
        if deletion.kind != "delete" or not deletion.succeeded or deletion.about is None:
            continue
        for deed in deeds:
            if deed.began > deletion.ended and passages_of(deed, deletion.about):
                yield f"{deed.kind} began after a deletion was answered and found the document"


def _several_receipts(deeds: list[Deed]) -> Iterator[str]:
    signed = {deed.body["signature"] for deed in deeds if deed.kind in {"sign_out", "hook"} and deed.succeeded}
    if len(signed) > 1:
        yield f"{len(signed)} receipts were given for one session"


def _lost_or_made_up(deeds: list[Deed]) -> Iterator[str]:
    receipts = [deed.body["statement"] for deed in deeds if deed.kind in {"sign_out", "hook"} and deed.succeeded]
    if not receipts:
        return
    purged = receipts[0]["documents_purged"]
    uploads = [deed for deed in deeds if deed.kind == "upload"]
    taken = sum(len(deed.body["documents"]) for deed in uploads if deed.succeeded)
    deletions = [deed for deed in deeds if deed.kind == "delete"]
    # Whoever was refused while the session died may have been heard before; what was removed meanwhile may be counted.
    at_least = taken - len(deletions)
    at_most = taken + sum(not deed.succeeded for deed in uploads)
    if not at_least <= purged <= at_most:
        yield f"the receipt counts {purged} documents, between {at_least} and {at_most} were there"
