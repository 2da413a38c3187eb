"""A mapping that is never changed, of which one with other values for a few keys costs little.

A fold of a station with thousands of sessions differs from the last one in two of them. To copy a
dictionary of them all at each record takes longer than everything else that the record asks for.

So one is a base and what differs from it. The base is shared by many; what differs is copied each
time, and becomes a base of its own once it has grown to the root of its size: of a million keys a
change then costs about a thousand, and nothing of it is ever changed in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isqrt
from types import MappingProxyType
from typing import Any, Final, TypeVar, overload

_FEW: Final = 16
_GONE: Final[Any] = object()
K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")


class Layered(Mapping[K, V]):
    """A base, what differs from it, and how many keys both come to. No value is None."""

    __slots__ = ("_base", "_differs", "_length")

    def __init__(
        self, base: Mapping[K, V] = MappingProxyType({}), differs: Mapping[K, V] | None = None
    ) -> None:
        self._base = base
        self._differs: Mapping[K, V] = {} if differs is None else differs
        self._length = len(base)
        for key, value in self._differs.items():
            self._length += (value is not _GONE) - (key in base)

    def but(self, changed: Mapping[K, V], gone: Iterable[K] = ()) -> Layered[K, V]:
        """Return it with what *changed* in place of what it has, and without the keys *gone*."""
        differs = {**self._differs, **changed, **dict.fromkeys(gone, _GONE)}
        if not differs:
            return self
        if len(differs) <= max(_FEW, isqrt(len(self._base))):
            return Layered(self._base, differs)
        whole = {**self._base, **differs}
        return Layered({key: value for key, value in whole.items() if value is not _GONE})

    def __getitem__(self, key: K) -> V:
        value = self._differs.get(key)
        if value is None:
            return self._base[key]
        if value is _GONE:
            raise KeyError(key)
        return value

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, /, default: V | D) -> V | D: ...
    def get(self, key: K, /, default: V | D | None = None) -> V | D | None:
        """Return the value of *key*, *default* where it has none: asked for with every record."""
        value = self._differs.get(key)
        if value is None:
            return self._base.get(key, default)
        return default if value is _GONE else value

    def __contains__(self, key: object) -> bool:
        if key in self._differs:
            return self._differs[key] is not _GONE  # type: ignore[index]
        return key in self._base

    def __iter__(self) -> Iterator[K]:
        differs = self._differs
        yield from (key for key in self._base if key not in differs)
        yield from (key for key, value in differs.items() if value is not _GONE)

    def __len__(self) -> int:
        return self._length
