"""Workbooks: marks with all kinds of numbers, sheets that are hidden, a timetable, a long list."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any

from openpyxl.comments import Comment

from benchmarks.corpus.made import HARBOUR, RIVER, Made
from tests.support import office

_HEADS = ("Pupil", "Born", "Share", "Fee", "Passed")


def made() -> Iterator[Made]:
    """Yield the workbooks."""
    yield _marks()
    yield _timetable()
    yield _long()


def _marks() -> Made:
    """Return two sheets that are shown and one that is not, with a hidden row and a hidden column."""

    def fill(book: Any) -> None:
        sheet = book.active
        sheet.title = "Marks"
        sheet.append([*_HEADS, "Secretgrade"])
        sheet.append(["Ada", date(2012, 4, 17), 0.875, 1234.5, True, "x1y"])
        sheet.append(["Juri", date(2011, 12, 3), 0.5, 20, False, "x2y"])
        sheet.append(["Leftschool", None, None, None, None, None])
        for row in (2, 3):
            sheet.cell(row, 2).number_format = "yyyy-mm-dd"
            sheet.cell(row, 3).number_format = "0.0%"
        sheet.cell(2, 1).comment = Comment("often ill", "teacher")
        sheet.column_dimensions["F"].hidden = True
        sheet.row_dimensions[4].hidden = True
        second = book.create_sheet("Notes")
        second["A1"] = RIVER[0]
        second.merge_cells("A1:D1")
        second["B3"] = HARBOUR[0]
        hidden = book.create_sheet("Keys")
        hidden["A1"] = "Solutions"
        hidden.sheet_state = "hidden"

    ada = ("Ada", "2012-04-17", "87.5%", "1234.5", "TRUE")
    juri = ("Juri", "2011-12-03", "50.0%", "20", "FALSE")
    return Made("marks.xlsx", office.workbook(fill), (*_HEADS, *ada, *juri, RIVER[0], HARBOUR[0]), ("Marks", "Notes"))


def _timetable() -> Made:
    """Return times of day, moments and a duration."""

    def fill(book: Any) -> None:
        sheet = book.active
        sheet.title = "Ferry"
        sheet.append(["Leaves", "Logged", "Crossing"])
        sheet.append([time(6, 45), datetime(2025, 3, 14, 6, 52, tzinfo=UTC).replace(tzinfo=None), 0.03125])
        sheet.append([time(18, 5), datetime(2025, 3, 14, 18, 11, tzinfo=UTC).replace(tzinfo=None), 1.5])
        for row in (2, 3):
            sheet.cell(row, 1).number_format = "hh:mm"
            sheet.cell(row, 2).number_format = "yyyy-mm-dd hh:mm"
            sheet.cell(row, 3).number_format = "[h]:mm"

    truth = ("Leaves", "Logged", "Crossing", "06:45", "2025-03-14 06:52", "0:45", "18:05", "2025-03-14 18:11", "36:00")
    return Made("timetable.xlsx", office.workbook(fill), truth, ("Ferry",))


def _long() -> Made:
    rows = [["bird", "grams", "seen"], *([f"bird{n}", n * 3, f"place{n % 7}"] for n in range(3000))]

    def fill(book: Any) -> None:
        book.active.title = "Birds"
        for row in rows:
            book.active.append(row)

    return Made("long.xlsx", office.workbook(fill), tuple(str(cell) for row in rows for cell in row), ("Birds",))
