"""The shapes of JSON, built before threads read any.

msgspec builds what it knows of a class when the first value of that is read. Two threads that read
the first one at once end the process, by a fault of the library (0.22): the second is given what
the first still builds. So whatever reads in threads has everything built before they begin.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TypeVar

import msgspec

T = TypeVar("T")


def build_shapes() -> None:
    """Build what is known of each class that JSON may be read into, of all modules that are loaded.

    It takes 50 us a class, and the next time as much.
    """
    kinds: list[type] = [*_below(msgspec.Struct), *_below(tuple)]
    for each in kinds:
        if issubclass(each, msgspec.Struct) or hasattr(each, "_fields"):
            # Of what cannot be read, or names what is not there, nothing is ever read.
            with suppress(TypeError, NameError):
                msgspec.json.Decoder(each)


def read_stored(content: bytes | str, kind: type[T]) -> T | None:
    """Return JSON that was stored; None where it is no such thing: damaged, or of another release.

    For what is shown: one row that nobody can read takes the others from nobody.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _below(kind: type) -> Iterator[type]:
    found: list[type] = kind.__subclasses__()
    for each in found:
        yield each
        yield from _below(each)
