from itertools import product

from sqlalchemy import update

from models.database import Database
from models.scenarios import service
from models.scenarios.service import Catalogue, Filter
from models.scenarios.tables import LearningScenario
from models.vocabulary import LANGUAGES, LEVELS, TOPICS


def seed(database: Database) -> None:
    with database.transaction() as db:
        service.seed(db)


def test_the_seed_file_has_every_level_in_four_languages():
    scenarios = service.seeds()

    languages = {scenario.language for scenario in scenarios}
    assert len(scenarios) >= 24
    assert len(languages) == 4
    assert languages < LANGUAGES
    assert {(each.language, each.level) for each in scenarios} == set(product(languages, LEVELS))
    assert {scenario.topic for scenario in scenarios} == set(TOPICS)
    assert len({scenario.scenario_id for scenario in scenarios}) == len(scenarios)
    assert all(scenario.goals and len(scenario.scenario_id) <= 36 for scenario in scenarios)


def test_what_is_seeded_twice_comes_back_as_it_is_in_the_file(database: Database):
    seed(database)
    seed(database)

    found = Catalogue(database).search(Filter())

    assert sorted(found, key=lambda each: each.scenario_id) == sorted(
        service.seeds(), key=lambda each: each.scenario_id
    )


def test_a_filter_takes_what_it_names_and_nothing_else(database: Database):
    seed(database)
    catalogue = Catalogue(database)

    french = catalogue.search(Filter(language="fr"))
    (one,) = catalogue.search(Filter(language="ja", level="C2"))

    assert [scenario.level for scenario in french] == list(LEVELS)
    assert one.topic == "health"
    assert catalogue.search(Filter(language="ja", level="C2", topic="food")) == []


def test_scenarios_are_read_from_the_record_once(database: Database):
    seed(database)
    catalogue = Catalogue(database)
    before = catalogue.search(Filter())

    with database.transaction() as db:
        db.execute(update(LearningScenario).values(title="changed"))

    assert catalogue.search(Filter()) == before
    assert {scenario.title for scenario in Catalogue(database).search(Filter())} == {"changed"}
