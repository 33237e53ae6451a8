"""The proof: sessions with markers, ended in every way, and a search of every place before and after.

Owns the order of things, which is the argument: first everything is found where it must be, then it is found nowhere.
"""

import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata

import psutil
from rich.console import Console

from api import weaknesses
from api.client import Client
from api.proving.crowd import Crowd
from api.proving.deployment import Deployment
from api.proving.markers import HELD, HELD_OF_LINKS, Markers
from api.proving.places import Place, places
from api.proving.search import Look, Search
from api.proving.sheet import Finding, PlaceReport, Sheet, times_of
from api.proving.visit import WAYS, Visit, Way
from models import database_files
from models.database import Database
from vectorstore import models as embedding_models
from vectorstore.embedder import Embedder

# Who left his session alone is waited for so long; the proof of a service with a longer idle time leaves that out.
MAX_IDLE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Before:
    """What was found while the sessions lived."""

    held: Counter[str]
    places: dict[str, Look]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is tried with this deployment, and what is not: ``not_tried`` says why."""

    ways: tuple[Way, ...]
    links_allowed: bool
    not_tried: tuple[str, ...]
    held: tuple[str, ...]


def prove(deployment: Deployment, console: Console, *, sessions: int) -> Sheet:
    """Run ``sessions`` short sessions and one full one for each way to end, search before and after, and sum up.

    Raises ``ScenarioFailed`` when the service does not do its part, ``NotOnThisMachine``, ``NotAllowed``, ``Problem``
    and ``Unreachable``. Accounts that were made are erased.
    """
    deployment.insist_on_rights()
    begun, since = time.monotonic(), time.time() - 1
    began_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")
    scenario, embedder = _scenario(deployment), _embedder(deployment)
    with _database(deployment) as database, contextlib.ExitStack() as accounts:
        crowd = Crowd(deployment, embedder)
        accounts.callback(crowd.erase)
        crowd.come_and_go(sessions, lambda ended: console.print(f"[bold]before[/]    {ended} of {sessions} sessions"))
        full, stolen = list[Visit](), list[bytes | None]()
        for way in scenario.ways:
            full.append(Visit(deployment, Markers(f"{way} session"), way))
            accounts.callback(full[-1].erase)
            stolen.append(_fill(full[-1], embedder, links_allowed=scenario.links_allowed))
        needles = [needle for each in (crowd, *full) for needle in each.markers.needles()]
        search = Search(deployment, needles, since=since)
        console.print(f"[bold]search[/]    while {len(full)} sessions live: {len(needles)} byte strings")
        before = _search_before(search, deployment, list(places(deployment, database)), full)
        for visit in full:
            visit.end()
            console.print(f"[bold]end[/]       {visit.step}: {visit.seconds[visit.step][-1] * 1000:.0f} ms")
        console.print("[bold]search[/]    after their end")
        reports = [*_search_after(search, deployment, database, before), _swap()]
    missing = (*_missing(crowd.held, crowd.sought), *_missing(before.held, _kinds(full, scenario.held)))
    return Sheet(
        holds=not missing and all(report.verdict == "clear" for report in reports),
        software=f"mayfly {metadata.version('mayfly')}",
        begun_at=began_at,
        seconds=round(time.monotonic() - begun, 1),
        sessions=sessions + len(full),
        faults=_faults(scenario),
        held_before={kind: sum(before.held[name] for name in _kinds(full, (kind,))) for kind in scenario.held},
        missing=missing,
        ciphertexts=sum(segment is not None for segment in stolen),
        places=tuple(reports),
        times=times_of(_steps([crowd.seconds, *(visit.seconds for visit in full)])),
        not_tried=scenario.not_tried,
        memory=crowd.growth(),
    )


def _scenario(deployment: Deployment) -> Scenario:
    """Ask the service what it allows and how long it would let a session wait."""
    with Client(deployment.url) as client:
        links_allowed = bool(client.assurance()["links_allowed"])
        idle_seconds = float(client.limits()["idle_timeout_seconds"])
    expires = idle_seconds <= MAX_IDLE_SECONDS
    not_tried = {
        f"a session that runs out of time, because that takes {idle_seconds:.0f} s here": not expires,
        "a link, because this deployment allows none": not links_allowed,
        "a page behind a link, only a name that nobody knows": links_allowed and deployment.site is None,
    }
    return Scenario(
        ways=(*WAYS, "expiry") if expires else WAYS,
        links_allowed=links_allowed,
        not_tried=tuple(what for what, applies in not_tried.items() if applies),
        held=HELD if deployment.site is None else (*HELD, *HELD_OF_LINKS),
    )


def _fill(visit: Visit, embedder: Embedder | None, *, links_allowed: bool) -> bytes | None:
    visit.fill(links_allowed=links_allowed)
    if embedder is not None:
        visit.markers.learn_vector(embedder)
    return visit.learn_key()


def _search_before(search: Search, deployment: Deployment, all_places: list[Place], full: Sequence[Visit]) -> Before:
    held = Counter[str]()
    for visit in full:
        process = deployment.session_process(visit.session.session_id)
        if process is not None:
            for (kind, _), count in search.memory(process).hits.items():
                held[kind] += count
    looks = {place.name: search.place(place) for place in all_places}
    looks["deleted files still open"] = search.open_files()
    return Before(held, looks)


def _search_after(search: Search, deployment: Deployment, database: Database, before: Before) -> list[PlaceReport]:
    looks = {place.name: search.place(place) for place in places(deployment, database)}
    looks["deleted files still open"] = search.open_files()
    reports = [_report(name, before.places[name], look, search.control.forms) for name, look in looks.items()]
    for name, process in _survivors(deployment, database).items():
        reports.append(_report(f"memory: {name}", Look(), search.memory(process), search.control.forms))
    return reports


def _survivors(deployment: Deployment, database: Database) -> dict[str, psutil.Process]:
    """Return every process that outlives a session, the database's server on this machine too."""
    number = database_files.process_number(database)
    server = {} if number is None else {"database": psutil.Process(number)}
    return deployment.processes() | server


def _report(name: str, before: Look, after: Look, forms: int) -> PlaceReport:
    reason = before.unproven or after.unproven
    hits = before.hits + after.hits
    return PlaceReport(
        place=name,
        verdict="found" if hits else "unproven" if reason else "clear",
        before=before.hits.total(),
        after=after.hits.total(),
        forms_seen=after.forms_seen,
        forms=forms,
        read_bytes=after.read_bytes,
        seconds=round(before.seconds + after.seconds, 2),
        reason=reason,
        findings=tuple(Finding(kind, form, count) for (kind, form), count in sorted(hits.items())),
    )


def _swap() -> PlaceReport:
    if weaknesses.swap_active():
        return PlaceReport(place="swap", verdict="unproven", reason="swap is active; its pages cannot be told apart")
    return PlaceReport(place="swap", verdict="clear", reason="none is active")


def _kinds(full: Sequence[Visit], kinds: Sequence[str]) -> list[str]:
    return [visit.markers.kind(kind) for visit in full for kind in kinds]


def _missing(held: Counter[str], sought: Sequence[str]) -> tuple[str, ...]:
    """Return what was never found, so that its absence afterwards would prove nothing."""
    return tuple(f"{kind} was not found while its session lived" for kind in sought if not held[kind])


def _faults(scenario: Scenario) -> tuple[str, ...]:
    alone = ("one left alone in the middle of its upload until it ran out of time",)
    return (
        "one signed out, one ended by the hook, one whose process was killed",
        "each with an upload that was still dripping in",
        *(alone if "expiry" in scenario.ways else ()),
    )


def _steps(visits: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    steps: defaultdict[str, list[float]] = defaultdict(list)
    for visit in visits:
        for step, seconds in visit.items():
            steps[step] += seconds
    return dict(steps)


def _embedder(deployment: Deployment) -> Embedder | None:
    """Load the service's model here, so that its vectors are known without asking the service; not an endpoint's."""
    settings = deployment.settings
    if settings.endpoint.url is not None:
        return None
    chosen = settings.embedding
    return embedding_models.load(
        embedding_models.prepare(chosen.model, settings.model_dir, backend=chosen.backend), threads=1
    )


@contextlib.contextmanager
def _database(deployment: Deployment) -> Generator[Database]:
    settings = deployment.settings
    database = Database(settings.resolved_database_url, ca_file=settings.database_ca_file)
    try:
        yield database
    finally:
        database.dispose()
