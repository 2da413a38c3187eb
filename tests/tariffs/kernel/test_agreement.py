"""Two kernels, written apart, agree on tariffs and sessions made up from seeds."""

from __future__ import annotations

from random import Random

import pytest

from tariffs.kernel.pricing import compile_tariff, price_session
from tests.tariffs.kernel.naive_kernel import naive_total
from tests.tariffs.made_up import made_up_session, made_up_tariff

CHUNK = 5000
SESSIONS_PER_TARIFF = 2


def disagreements(first: int, count: int) -> list[int]:
    """Return the seeds, from *first* on, of a session that the two kernels price differently."""
    found = []
    for seed in range(first, first + count, SESSIONS_PER_TARIFF):
        random = Random(seed)
        tariff = made_up_tariff(random)
        compiled = compile_tariff(tariff)
        for turn in range(SESSIONS_PER_TARIFF):
            usage = made_up_session(random, uneven=random.random() < 0.5)
            priced = price_session(usage, compiled)
            if (priced.before_exact, priced.taxes_exact) != naive_total(usage, tariff):
                found.append(seed + turn)
    return found


def test_both_kernels_agree_on_made_up_sessions() -> None:
    assert disagreements(1_000_000, 600) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("chunk", range(100_000 // CHUNK))
def test_both_kernels_agree_on_a_hundred_thousand_made_up_sessions(chunk: int) -> None:
    assert disagreements(chunk * CHUNK, CHUNK) == []
