"""Predefined scenarios."""

from pydantic import ConfigDict

from api.schemas import Incoming, Outgoing
from api.schemas.accounts import Language
from models.vocabulary import Level, Topic


class ScenarioFilter(Incoming):
    """Which scenarios are wanted; what is left out does not narrow. ``level`` is CEFR."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"language": "fr", "level": "B1"}, {}]})

    language: Language | None = None
    level: Level | None = None
    topic: Topic | None = None


class Scenario(Outgoing):
    """One scenario: the title is in the language that is learnt, the rest in English."""

    scenario_id: str
    language: str
    level: Level
    topic: Topic
    title: str
    situation: str
    goals: list[str]


class Scenarios(Outgoing):
    """Scenarios by language, then from easy to hard."""

    scenarios: list[Scenario]
