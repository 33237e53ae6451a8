"""The proof sheet: what was searched, how well, what was found. Holds counts and names of places, and no content."""

import statistics
from collections.abc import Sequence
from typing import Literal

import msgspec

Verdict = Literal["clear", "found", "unproven"]


class Finding(msgspec.Struct, frozen=True):
    """Hits of one kind in one form."""

    kind: str
    form: str
    count: int


class PlaceReport(msgspec.Struct, frozen=True, kw_only=True):
    """One place. ``forms_seen`` counts the forms of the control that both searches found there, of ``forms``."""

    place: str
    verdict: Verdict
    before: int = 0
    after: int = 0
    forms_seen: int = 0
    forms: int = 0
    read_bytes: int = 0
    seconds: float = 0.0
    reason: str | None = None
    findings: tuple[Finding, ...] = ()


class StepTimes(msgspec.Struct, frozen=True):
    """How long one step took, in seconds."""

    step: str
    times: int
    p50: float
    p95: float
    max: float


class MemoryUse(msgspec.Struct, frozen=True):
    """What one process held, shared pages included: before ``sessions`` earlier ones, half way, and after them."""

    process: str
    sessions: int
    before_bytes: int
    half_way_bytes: int
    after_bytes: int

    @property
    def bytes_a_thousand(self) -> float:
        """How much it grew a thousand sessions in the second half; in the first, pools and heaps still fill."""
        return (self.after_bytes - self.half_way_bytes) * 2000 / self.sessions


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one run. ``holds`` only where every place is clear and nothing is missing.

    ``not_tried`` names what this deployment does not do, or not in the time of a run. That is not a reason not to hold:
    what it does not do leaves nothing. What was done and could not be searched for is unproven, and is one.
    """

    holds: bool
    software: str
    begun_at: str
    seconds: float
    sessions: int
    faults: tuple[str, ...]
    held_before: dict[str, int]
    missing: tuple[str, ...]
    ciphertexts: int
    places: tuple[PlaceReport, ...]
    times: tuple[StepTimes, ...]
    not_tried: tuple[str, ...] = ()
    memory: tuple[MemoryUse, ...] = ()


def times_of(steps: dict[str, list[float]]) -> tuple[StepTimes, ...]:
    """Sum up measured seconds by step."""
    return tuple(
        StepTimes(step, len(seconds), *(round(value, 4) for value in _figures(seconds)))
        for step, seconds in steps.items()
    )


def page(sheet: Sheet) -> str:
    """Return the sheet as Markdown."""
    verdict = "Nothing of an ended session was found." if sheet.holds else "**This run does not prove it.**"
    held = ", ".join(f"{kind} {count}" for kind, count in sheet.held_before.items())
    parts = [
        "# Proof sheet",
        f"{verdict} {sheet.software}, {sheet.begun_at}, {sheet.sessions} sessions, {sheet.seconds:.0f} s.",
        f"Done to them: {'; '.join(sheet.faults)}.",
        f"Found in the memory of live sessions before, by kind: {held}.",
        f"Ciphertexts stolen from the quarantine of live sessions, whose keys are looked for: {sheet.ciphertexts}.",
        *(f"Missing: {what}." for what in sheet.missing),
        *(f"Not tried: {what}." for what in sheet.not_tried),
        _places(sheet.places),
        _times(sheet.times),
        *([_memory(sheet.memory)] if sheet.memory else []),
        "Compressed or encrypted copies, the kernel's socket buffers and pages that are free cannot be searched.",
    ]
    return "\n\n".join(parts) + "\n"


def _places(places: Sequence[PlaceReport]) -> str:
    head = "| Place | Verdict | Before | After | Control | Read MB | s |\n|---|---|---|---|---|---|---|"
    lines = [
        f"| {each.place} | {each.verdict}{f': {each.reason}' if each.reason else ''} | {each.before} | {each.after} "
        f"| {each.forms_seen} of {each.forms} | {each.read_bytes / 1e6:.1f} | {each.seconds:.1f} |"
        for each in places
    ]
    found = [
        f"- {each.place}: {finding.kind}, {finding.form}, {finding.count}"
        for each in places
        for finding in each.findings
    ]
    return "\n".join([head, *lines, *(["", *found] if found else [])])


def _times(times: Sequence[StepTimes]) -> str:
    head = "| Step | Times | p50 s | p95 s | Max s |\n|---|---|---|---|---|"
    return "\n".join(
        [
            head,
            *(f"| {each.step} | {each.times} | {each.p50:.3f} | {each.p95:.3f} | {each.max:.3f} |" for each in times),
        ]
    )


def _memory(uses: Sequence[MemoryUse]) -> str:
    head = (
        "| Memory of | Sessions | Before MB | Half way | After | More a 1,000 since then |\n|---|---|---|---|---|---|"
    )
    lines = [
        f"| {use.process} | {use.sessions} | {use.before_bytes / 1e6:.1f} | {use.half_way_bytes / 1e6:.1f} "
        f"| {use.after_bytes / 1e6:.1f} | {use.bytes_a_thousand / 1e6:.2f} |"
        for use in uses
    ]
    return "\n".join([head, *lines])


def _figures(seconds: Sequence[float]) -> tuple[float, float, float]:
    ordered = sorted(seconds)
    return statistics.median(ordered), ordered[round(0.95 * (len(ordered) - 1))], ordered[-1]
