"""A layered mapping says what a dictionary would, and what it said before it says for ever."""

from __future__ import annotations

from math import isqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.layered import Layered

KEYS = st.integers(0, 40)
CHANGES = st.tuples(st.dictionaries(KEYS, st.integers(0, 3), max_size=6), st.sets(KEYS, max_size=6))


@given(st.lists(CHANGES, max_size=12))
def test_it_says_what_a_dictionary_would(steps: list[tuple[dict[int, int], set[int]]]) -> None:
    plain: dict[int, int] = {}
    layered = Layered[int, int]()
    before: list[tuple[Layered[int, int], dict[int, int]]] = []
    for changed, gone in steps:
        before.append((layered, dict(plain)))
        layered = layered.but(changed, gone)
        plain = {key: value for key, value in (plain | changed).items() if key not in gone}
        before.append((layered, plain))
    for found, said in before:
        assert found == said
        assert len(found) == len(said) == len(list(found))
        assert {key for key in range(41) if key in found} == said.keys()
        assert [found.get(key, -1) for key in range(41)] == [said.get(k, -1) for k in range(41)]


def test_what_it_has_not_is_an_error_to_ask_for() -> None:
    layered = Layered({1: 1, 2: 2}).but({}, [1])
    with pytest.raises(KeyError):
        layered[1]
    with pytest.raises(KeyError):
        layered[3]
    assert layered[2] == 2


def test_nothing_changed_is_the_very_same() -> None:
    layered = Layered({1: 1})
    assert layered.but({}) is layered


def test_of_many_keys_a_change_copies_the_root() -> None:
    """Counted over a thousand changes: what is copied each time, and whole ones."""
    base = dict.fromkeys(range(10_000), 0)
    layered, copied, whole = Layered(base), 0, 0
    for key in range(1_000):
        layered = layered.but({key: 1})
        differs = len(layered._differs)  # noqa: SLF001 - what is copied shows nowhere else
        copied += differs
        whole += not differs
    assert copied <= 1_000 * isqrt(10_000)
    assert whole <= 10
