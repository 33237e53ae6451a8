"""What was to be reached, and whether the figures do: a verdict a goal, also where nothing was measured.

A ratio over one means that ours is faster, smaller or more. Where there are several peers the best of them counts, and
where a goal covers several rows the worst of these.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks import asking, engines, finding, growth, service
from benchmarks.results import OURS, Report, Row, advantage

_TIMES = (asking.QUIET, asking.BUSY)
_DEFAULT_BATCH = 32
_FLAT, _STALL_MS = 2.0, 100.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """One goal: what it is about, what was asked for, what came out (``None``: not measured) and of what that is."""

    what: str
    goal: str
    figure: float | None
    reached: bool
    note: str = ""


class Figures:
    """All rows, by part and work."""

    def __init__(self, reports: Iterable[Report]) -> None:
        self._parts = {report.benchmark: report.rows for report in reports}

    def rows(self, part: str, start: str = "") -> list[Row]:
        """Return the rows of a part whose work begins like this."""
        return [row for row in self._parts.get(part, ()) if row.work.startswith(start)]

    def of(self, part: str, work: str) -> list[Row]:
        """Return the rows of one piece of work, whoever did it."""
        return [row for row in self.rows(part) if row.work == work]

    def median(self, part: str, work: str, system: str = OURS) -> float | None:
        """Return the middle of one row."""
        return next((row.median for row in self.of(part, work) if row.system == system), None)

    def works(self, part: str, start: str) -> list[str]:
        """Return all pieces of work that begin like this."""
        return list(dict.fromkeys(row.work for row in self.rows(part, start)))

    def advantage(self, part: str, work: str) -> tuple[float, str] | None:
        """Return how many times better ours is than the best peer, and who that is."""
        rows = self.of(part, work)
        ours = next((row for row in rows if row.system == OURS), None)
        if ours is None or len(rows) < 2:
            return None
        return min((advantage(row, ours), row.system) for row in rows if row is not ours)


def verdicts(reports: Sequence[Report]) -> list[Verdict]:
    """Return all verdicts, in the order of the page."""
    figures = Figures(reports)
    return [*_embedding(figures), *_services(figures), *_questions(figures), *_quality(figures), *_growth(figures)]


def _at_least(what: str, least: float, found: float | None, note: str = "", unit: str = "") -> Verdict:
    return Verdict(what, f"at least {least:g}{unit}", found, found is not None and found >= least, note)


def _at_most(what: str, most: float, found: float | None, note: str = "", unit: str = "") -> Verdict:
    return Verdict(what, f"at most {most:g}{unit}", found, found is not None and found <= most, note)


def _times(figures: Figures, what: str, least: float, works: Iterable[str]) -> Verdict:
    """Judge by the work at which ours is ahead the least."""
    found = [(*ahead, work) for work in works if (ahead := figures.advantage("service", work)) is not None]
    if not found:
        return _at_least(what, least, None, unit=" ×")
    ratio, peer, work = min(found)
    return _at_least(what, least, ratio, f"{peer}: {work}", " ×")


def _embedding(figures: Figures) -> Iterator[Verdict]:
    rows = figures.of("engines", engines.EMBED)
    ours = next((row for row in rows if row.system == OURS), None)
    torch = [row for row in rows if row.system.startswith("sentence-transformers")]
    defaults = [row for row in torch if f"batch {_DEFAULT_BATCH} " in row.system]
    limits = [row for row in rows if row.system == engines.LIMIT_NAME]
    best = max(torch, key=lambda row: row.median, default=None)

    def ahead(of: Row | None) -> float | None:
        return advantage(of, ours) if of is not None and ours is not None else None

    yield _at_least("passages a second, sentence-transformers at its default", 5, ahead(next(iter(defaults), None)))
    yield _at_least("passages a second, sentence-transformers at its best", 3, ahead(best), best.system if best else "")
    yield _at_least("passages a second, share of the int8 limit", 0.7, ahead(next(iter(limits), None)))


def _services(figures: Figures) -> Iterator[Verdict]:
    works = figures.works("service", "ingest ")
    for work in works or ["ingest"]:
        yield _times(figures, work, 4, [work])
    yield _times(figures, "memory while ingesting", 1, figures.works("service", service.MEMORY))
    for work in (service.START, "memory once ready", service.INSTALLED):
        yield _times(figures, work, 1, [work])
    purges = figures.works("service", "purge ")
    for work in [each for each in purges if "chunks" in each] or ["purge"]:
        yield _times(figures, work, 1, [work])
    yield _times(figures, "purge after: ingest 1 text document", 1, ["purge after: ingest 1 text document"])


def _questions(figures: Figures) -> Iterator[Verdict]:
    rows = figures.rows("service", "question, ")
    shelves = list(dict.fromkeys(row.work.split(", ")[2] for row in rows))
    bare = figures.median("service", asking.BARE, asking.BARE_SYSTEM)
    for shelf in shelves:
        alone = figures.median("service", f"question, 1 client, {shelf}, {asking.QUIET}, p50")
        more = alone - bare if alone is not None and bare is not None else None
        note = f"{alone:.1f} beside {bare:.1f} ms" if alone is not None and bare is not None else ""
        yield _at_most(f"question p50, {shelf}, more than its embedding", 5, more, note, " ms")
    for shelf, when in itertools.product(shelves, _TIMES):
        works = [work for work in figures.works("service", "question, ") if f", {shelf}, {when}, p50" in work]
        if works:
            yield _times(figures, f"question p50, {shelf}, {when}", 3, works)
    for shelf in shelves:
        slower = list(_slower(figures, shelf))
        if slower:
            ratio, clients = max(slower)
            yield _at_most(f"question p99, {shelf}, while ingesting over quiet", 2, ratio, clients, " ×")


def _slower(figures: Figures, shelf: str) -> Iterator[tuple[float, str]]:
    """Yield how many times as long the slowest answers take while somebody ingests, for each number of clients."""
    for work in figures.works("service", "question, "):
        _, clients, chunks, when, name = work.split(", ")
        busy = figures.median("service", work)
        quiet = figures.median("service", f"question, {clients}, {chunks}, {asking.QUIET}, p99")
        if (chunks, when, name) == (shelf, asking.BUSY, "p99") and busy and quiet:
            yield busy / quiet, clients


def _quality(figures: Figures) -> Iterator[Verdict]:
    def ours(which: str) -> float | None:
        return next((row.median for row in figures.rows("finding", which) if row.system == OURS), None)

    yield _at_least("nDCG@10, one language, mean", 0.98, ours(f"{finding.NDCG}, {finding.ONE}, "))
    single = [row for row in figures.rows("finding", f"{finding.NDCG}, one language, ") if row.system == OURS]
    worst = min((row for row in single if row.work.count(",") == 3), key=lambda row: row.median, default=None)
    note = worst.work.split(", ")[2] if worst else ""
    yield _at_least("nDCG@10, the worst language", 0.96, worst.median if worst else None, note)
    yield _at_least("nDCG@10, two languages, mean", 0.88, ours(f"{finding.NDCG}, {finding.TWO}, "))
    yield _at_least("nDCG@10, sets written in each language", 0.9, None, "no such set lies beside the checkout")
    yield _fusion(figures)
    for which in (finding.ENGLISH, finding.ACROSS):
        ahead = [figures.advantage("finding", work) for work in figures.works("finding", f"{finding.NDCG}, {which}")]
        ratio, peer = next((found for found in ahead if found), (None, ""))
        yield _at_least(f"nDCG@10, {which}", 1, ratio, peer, " ×")
    for which in (finding.ONE, finding.TWO):
        yield _at_least(f"refused where no document has the answer, {which}", 0.9, ours(f"{finding.ABSENT}, {which}"))
    yield _at_most("refused where one has it, one language", 0.03, ours(f"{finding.PRESENT}, {finding.ONE}"))
    yield _at_most("refused where one has it, two languages", 0.03, ours(f"{finding.PRESENT}, {finding.TWO}"))


def _fusion(figures: Figures) -> Verdict:
    """Judge both together against the better of meaning and words, at the worst of all comparisons."""
    found = list[tuple[float, str]]()
    for work in figures.works("finding", finding.NDCG):
        ways = {row.system: row.median for row in figures.of("finding", work) if row.system.endswith("without HTTP")}
        if ways:
            alone = max(ways["meaning, without HTTP"], ways["words, without HTTP"])
            found.append((ways["fused, without HTTP"] - alone, work))
    worst, work = min(found, default=(None, ""))
    return _at_least("nDCG@10, both over the better of meaning and words", 0, worst, work)


def _growth(figures: Figures) -> Iterator[Verdict]:
    shelves = figures.works("service", "question, 1 client, ")
    quiet = [figures.median("service", work) for work in shelves if work.endswith(f"{asking.QUIET}, p50")]
    few, many = (quiet[0], quiet[-1]) if quiet else (None, None)
    ratio = many / few if few and many else None
    yield _at_most("question p50, most chunks over fewest (our reading of flat)", _FLAT, ratio, unit=" ×")
    stalls = [row for row in figures.rows("growth", growth.ADD_STALL) if row.system == OURS]
    worst = max((row.median for row in stalls), default=None)
    worst_run = max((max(row.values) for row in stalls), default=0.0)
    yield _at_most(
        "longest stall while adding (our reading of none)", _STALL_MS, worst, f"longest ever {worst_run:.0f} ms", " ms"
    )
