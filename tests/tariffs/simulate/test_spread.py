"""Changes are counted by how large they are, each once."""

from __future__ import annotations

import numpy as np
import pytest

from tariffs.simulate.spread import STEPS, STEPS_MINOR, steps_of


def test_the_steps_lie_side_by_side_from_the_cheapest_to_the_dearest() -> None:
    bounds = [
        (each.sign * (each.to if each.to is not None else 10**12), each.sign * each.above)
        for each in STEPS
    ]

    assert sorted(bounds) == sorted(bounds, key=sum)
    assert [each.sign for each in STEPS] == [-1] * 9 + [0] + [1] * 9
    for one, other in zip(STEPS, reversed(STEPS), strict=True):
        assert (one.above, one.to, one.sign) == (other.above, other.to, -other.sign)


@pytest.mark.parametrize("sign", [-1, 1])
def test_each_change_lies_within_its_step(sign: int) -> None:
    sizes = sorted({size + near for size in STEPS_MINOR for near in (-1, 0, 1)} | {1, 10**12})

    found = steps_of(sign * np.array(sizes, dtype=np.int64)).tolist()

    for size, number in zip(sizes, found, strict=True):
        step = STEPS[number]
        assert step.sign == sign
        assert step.above < size
        assert step.to is None or size <= step.to
    assert STEPS[int(steps_of(np.zeros(1, dtype=np.int64))[0])].sign == 0
