"""Comma-separated values, as programs of several countries write them."""

import csv
import io
from collections.abc import Iterator, Sequence

from benchmarks.corpus.made import BEES, Made

_BIRDS = (("bird", "grams", "seen"), *((f"bird{n}", str(n * 3), f"place{n % 7}") for n in range(300)))
_FISH = (("魚", "値段", "港"), ("鯖", "480", "焼津"), ("鰹", "1200", "土佐"), ("鮭", "950", "釧路"))
_PRICES = (("Ware", "Preis", "Vorrat"), ("Käse", "12,50", "3"), ("Möhren", "1,99", "40"), ("Grünkohl", "2,49", "7"))
_QUOTED = (("place", "remark"), ("Holm", f"{BEES[0]}\nSee also: Brede, upper sluice"), ("Brede", 'the "old" mill'))
_RUSSIAN = (("город", "жителей"), ("Казань", "1300000"), ("Пермь", "1050000"), ("Омск", "1110000"))


def made() -> Iterator[Made]:
    """Yield the tables."""
    yield _table("birds.csv", _BIRDS)
    yield _table("fish.csv", _FISH, encoding="cp932")
    yield _table("prices.csv", _PRICES, separator=";", encoding="cp1252")
    yield _table("unicode.csv", _FISH, separator="\t", encoding="utf-16")
    yield _table("quoted.csv", _QUOTED)
    yield _table("cities.csv", _RUSSIAN, separator=";", encoding="cp1251")


def _table(name: str, rows: Sequence[Sequence[str]], *, separator: str = ",", encoding: str = "utf-8") -> Made:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows(rows)
    return Made(name, text.getvalue().encode(encoding), tuple(cell for row in rows for cell in row))
