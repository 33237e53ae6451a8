"""One deed for many who ask at the same time."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Flights(Generic[_T]):
    """Runs a deed once for all callers that ask for the same key while it runs; all get its result or its error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flying: dict[str, Future[_T]] = {}

    def join(self, key: str, deed: Callable[[], _T]) -> _T:
        """Return what ``deed`` returns, or what it returns to whoever started it first. Raises what it raises."""
        with self._lock:
            flight = self._flying.get(key)
            is_first = flight is None
            flight = self._flying.setdefault(key, Future())
        if is_first:
            self._fly(key, flight, deed)
        return flight.result()

    def _fly(self, key: str, flight: Future[_T], deed: Callable[[], _T]) -> None:
        try:
            flight.set_result(deed())
        except BaseException as error:  # noqa: BLE001  # It is handed to everybody who waits.
            flight.set_exception(error)
        finally:
            with self._lock:
                del self._flying[key]
