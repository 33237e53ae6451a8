"""Documents made here, with all that learners' files contain, and what a person sees of each, in reading order.

Whatever a person does not see (comments, hidden sheets, what was deleted) is in the files and not in the truth.
"""

from collections.abc import Iterator

from benchmarks.corpus import books, mails, opened, pages, plain, sheets, slides, tables, web, word, writing
from benchmarks.corpus.made import Made


def all_made() -> Iterator[Made]:
    """Yield every document, type by type."""
    for module in (word, slides, sheets, pages, web, books, tables, writing, opened, mails, plain):
        yield from module.made()
