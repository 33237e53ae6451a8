"""The record of fifty learners over two years, read as a stranger would who got hold of it: no sentence is in it."""

import re

import pytest
from sqlalchemy import Column, Table, select
from sqlalchemy.orm import Session

from models.accounts.service import Accounts
from models.database import Database
from models.migrations.tables import metadata
from models.privacy import DATA_MAP, Kind
from models.scenarios import service as scenarios
from models.sealing import seal
from tests.support.record import new_owner
from tests.support.residue import in_bytes, new_marker
from tests.support.two_years import fill

LEARNERS = 50
KEY = bytes(range(32))
# What a text of each kind looks like; a text of any other kind is one that nobody thought of.
SHAPES: dict[Kind, re.Pattern[str]] = {
    "id": re.compile(r"(?:mayfly-log/)?[0-9a-f]{32}|[a-z0-9]+(-[a-z0-9]+){0,5}"),
    "enum": re.compile(r"[A-Za-z0-9_+./,-]{1,64}|[a-z]{2,3}( [a-z]{2,3})*"),  # The latter: codes of languages.
    "time": re.compile(r"[0-9T:.+ -]{10,40}"),
    "hash": re.compile(r"[A-Za-z0-9$=+/,_-]{8,200}"),
    "statement": re.compile(r'(?:[\w{}\[\]":,.+-]|mayfly )+'),
}


MOST_CHARACTERS = 64
# The only columns with longer texts: an argon2id hash, a signed statement, and words of our own.
LONGER = {
    ("users", "password_hash"),
    ("receipts", "statement"),
    ("learning_scenarios", "title"),
    ("learning_scenarios", "situation"),
    ("learning_scenarios", "goals"),
}


@pytest.mark.slow
def test_two_years_of_fifty_learners_hold_no_sentence_outside_what_is_sealed(database: Database, accounts: Accounts):
    marker = new_marker()
    sealed = seal(KEY, f"Say {marker} before a vowel".encode(), purpose="suggestion")
    for number in range(LEARNERS):
        owner = new_owner(database, accounts, f"learner{number}")
        fill(database, owner.user_id, owner.session_id, seed=number, sealed=sealed)

    with database.transaction() as db:
        scenarios.seed(db)
        found = {
            (table.name, column.name): values(db, table, column)
            for table in metadata.sorted_tables
            for column in table.columns
        }

    assert any(sealed == value for value in found["feedback", "sealed_suggestions"])
    assert any(" " in str(title) for title in found["learning_scenarios", "title"]), "our own words are sentences"
    odd = {place: texts for place, all_values in found.items() if (texts := misfits(*place, all_values))}
    assert odd == {}
    long = {place for place, all_values in found.items() if any(map(is_long, all_values))}
    assert ("users", "password_hash") in long, "no long text is seen, so that there are no others proves nothing"
    assert long <= LONGER
    assert (
        sum(in_bytes(value, marker) for values in found.values() for value in values if isinstance(value, bytes)) == 0
    )


def values(db: Session, table: Table, column: Column[object]) -> list[object]:
    """Return the different values of a column."""
    return list(db.scalars(select(column).distinct()))


def is_long(value: object) -> bool:
    return isinstance(value, str) and len(value) > MOST_CHARACTERS


def misfits(table: str, column: str, all_values: list[object]) -> list[str]:
    """Return the texts of a column that are not of the shape of its kind."""
    kind = DATA_MAP[table][column].kind
    if kind == "ours":
        return []
    shape = SHAPES.get(kind)
    return [value for value in all_values if isinstance(value, str) and not (shape and shape.fullmatch(value))]
