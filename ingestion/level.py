"""Which walls hold around a parser, what keeps each of them up, and what that is worth."""

from typing import Literal

import msgspec

Grade = Literal["full", "reduced", "none"]

_GRADES: tuple[Grade, ...] = ("none", "reduced", "full")
# Without these nothing else is worth much: an unfiltered kernel has ways around the others.
_ALWAYS = frozenset({"limits", "user", "syscalls"})
_PLACES = frozenset({"network", "processes", "files"})


class Walls(msgspec.Struct, frozen=True):
    """Pairs of a wall and what keeps it up; several may keep up one.

    - ``limits`` by ``rlimits``; ``user`` by ``capabilities`` (there are none, and no way to any)
    - ``syscalls`` by ``seccomp``; ``landlock`` by ``landlock``: the mechanisms themselves, for whoever looks for them
    - ``network`` by ``namespace`` (no interface) and ``seccomp`` (no socket)
    - ``processes`` by ``namespace`` (nobody else is there) and ``seccomp`` (nobody else can be touched)
    - ``files`` by ``namespace`` (nothing else is there) and ``landlock`` (nothing else can be opened)
    """

    held: frozenset[tuple[str, str]]

    @property
    def names(self) -> list[str]:
        """Return the walls that hold, sorted."""
        return sorted({wall for wall, _ in self.held})

    @property
    def kept_by(self) -> dict[str, list[str]]:
        """Return what keeps each wall up, sorted."""
        return {name: sorted(means for wall, means in self.held if wall == name) for name in self.names}

    @property
    def level(self) -> Grade:
        """Return ``full`` where namespaces and the filter hold, ``reduced`` where the filter and Landlock stand in."""
        names = set(self.names)
        if not names >= _ALWAYS | _PLACES:
            return "none"
        return "full" if self.held >= {(place, "namespace") for place in _PLACES} else "reduced"

    def reach(self, least: Grade) -> bool:
        """Say whether the level is this one or a better one."""
        return _GRADES.index(self.level) >= _GRADES.index(least)

    def has(self, wall: str, means: str) -> bool:
        """Say whether this keeps that wall up."""
        return (wall, means) in self.held
