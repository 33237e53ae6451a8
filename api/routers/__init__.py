"""The routes, one module per noun. A route takes typed input, makes a call or two, and returns."""

from typing import Any

from api.problems import QueryNotAllowed, Starting, UnknownHost, problems
from models.errors import MayflyError, PartUnavailable

# What any route may answer.
EVERYWHERE: tuple[type[MayflyError], ...] = (UnknownHost, QueryNotAllowed, Starting, PartUnavailable, MayflyError)


def refuses(*kinds: type[MayflyError]) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses=`` of a route that may refuse with these errors, besides what any route may answer."""
    return problems(*kinds, *EVERYWHERE)
