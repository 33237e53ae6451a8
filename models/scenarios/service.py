"""The predefined scenarios: brought in from the seed file, then read from memory.

Owns the rows of ``learning_scenarios`` and the one copy of them that a front keeps. The seed file is part of the
program, so what is in memory cannot grow old while a front lives.
"""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.database import Database
from models.errors import NoSuchThing
from models.scenarios.tables import LearningScenario
from models.vocabulary import Level, Topic

SEED = Path(__file__).with_name("seed.json")


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One scenario: ``language`` is ISO 639-1, ``level`` is CEFR. The title is in the language, the rest in English."""

    scenario_id: str
    language: str
    level: Level
    topic: Topic
    title: str
    situation: str
    goals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which scenarios are wanted; ``None`` takes all."""

    language: str | None = None
    level: Level | None = None
    topic: Topic | None = None

    def takes(self, scenario: Scenario) -> bool:
        """Say whether a scenario is wanted."""
        return (
            self.language in {None, scenario.language}
            and self.level in {None, scenario.level}
            and self.topic in {None, scenario.topic}
        )


class Catalogue:
    """The scenarios in memory, read from the record once. Safe to use from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading = threading.Lock()
        self._scenarios: dict[str, Scenario] | None = None

    def search(self, wanted: Filter) -> list[Scenario]:
        """Return the wanted scenarios by language, then from easy to hard."""
        return [scenario for scenario in self._all().values() if wanted.takes(scenario)]

    def get(self, scenario_id: str) -> Scenario:
        """Return one scenario. Raises ``NoSuchThing``."""
        scenario = self._all().get(scenario_id)
        if scenario is None:
            raise NoSuchThing
        return scenario

    def _all(self) -> dict[str, Scenario]:
        with self._reading:
            if self._scenarios is None:
                with self._database.transaction() as db:
                    self._scenarios = {scenario.scenario_id: scenario for scenario in of_record(db)}
            return self._scenarios


def seeds() -> list[Scenario]:
    """Return the scenarios of the seed file."""
    return msgspec.json.decode(SEED.read_bytes(), type=list[Scenario])


def seed(db: Session) -> int:
    """Bring the record's scenarios up to the seed file and return their number. Repeatable.

    One that is no longer in the file stays: conversations refer to it.
    """
    scenarios = seeds()
    for scenario in scenarios:
        values = msgspec.structs.asdict(scenario) | {"goals": "\n".join(scenario.goals)}
        db.merge(LearningScenario(**values))
    return len(scenarios)


def of_record(db: Session) -> list[Scenario]:
    """Return the record's scenarios by language, then from easy to hard."""
    wanted = select(LearningScenario).order_by(
        LearningScenario.language, LearningScenario.level, LearningScenario.scenario_id
    )
    return [_scenario(row) for row in db.scalars(wanted)]


def _scenario(row: LearningScenario) -> Scenario:
    return Scenario(
        scenario_id=row.scenario_id,
        language=row.language,
        level=cast("Level", row.level),
        topic=cast("Topic", row.topic),
        title=row.title,
        situation=row.situation,
        goals=tuple(row.goals.splitlines()),
    )
