"""What a scan looks for: a marker in every byte form it may take, windows of a vector, a key.

Owns the forms. A form is told by its name in reports; its bytes are shown nowhere.
"""

import base64
import secrets
from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

_LETTERS = "adghkmnuxz"
_WINDOW_BYTES = 32
_DECIMALS = 24


class Needle(msgspec.Struct, frozen=True):
    """One byte string that is looked for: what it is of (``body``, say), its form (``utf-16-le``), and the bytes."""

    kind: str
    form: str
    data: bytes

    def __repr__(self) -> str:
        return f"<Needle {self.kind} {self.form}>"


def new_marker() -> str:
    """Return a word of 24 letters that no document, program or dictionary holds and that a scanner reads right."""
    return "".join(secrets.choice(_LETTERS) for _ in range(24))


def of_text(kind: str, marker: str) -> tuple[Needle, ...]:
    """Return a marker's needles, one a form. Each letter is written out, as if it had to be escaped.

    The halves find what is left of a block of memory whose beginning or end was overwritten, and the whole with it.
    Compressed or encrypted text cannot be found by any needle.
    """
    return tuple(Needle(kind, form, data) for form, data in _forms(marker))


def of_vector(kind: str, vector: NDArray[np.floating]) -> tuple[Needle, ...]:
    """Return the needles of one vector, ``(dim,)``: windows of 32 bytes side by side, and numbers as decimals.

    A copy is found when 32 bytes of it are left at the start of any window, in any of the three widths.
    """
    widths = {"float32": "<f4", "float64": "<f8", "float16": "<f2"}
    windows = [
        Needle(kind, form, data[start : start + _WINDOW_BYTES])
        for form, dtype in widths.items()
        for data in (vector.astype(dtype).tobytes(),)
        for start in range(0, len(data) - _WINDOW_BYTES + 1, _WINDOW_BYTES)
    ]
    numbers = [repr(float(number)) for number in vector[:_DECIMALS]]
    return (*windows, *(Needle(kind, "decimal", number.encode()) for number in numbers if len(number) > 12))


def of_key(kind: str, key: bytes) -> tuple[Needle, ...]:
    """Return the needles of a key: its bytes, its halves, hex and base64. Round keys of AES begin with its bytes."""
    halves = [Needle(kind, "bytes", key[:16]), Needle(kind, "bytes", key[16:])]
    encoded = [Needle(kind, "hex", key.hex().encode()), Needle(kind, "base64", base64.b64encode(key)[:-4])]
    return (*halves, *encoded)


def _forms(marker: str) -> Iterator[tuple[str, bytes]]:
    plain, half = marker.encode(), len(marker) // 2
    yield "utf-8", plain[:half]
    yield "utf-8", plain[half:]
    for name, cased in (("upper case", marker.upper()), ("title case", marker.title())):
        yield name, cased.encode()
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        yield encoding, marker.encode(encoding)
    yield "hex", plain.hex().encode()
    yield "hex, upper case", plain.hex().upper().encode()
    for shift in range(3):
        yield f"base64, shifted by {shift}", base64.b64encode(b"x" * shift + plain)[4 if shift else 0 : -4]
    yield "percent", "".join(f"%{letter:02X}" for letter in plain).encode()
    yield "json", "".join(f"\\u{letter:04x}" for letter in plain).encode()
    yield "character references", "".join(f"&#{letter};" for letter in plain).encode()
