"""Bulk rating against the scalar kernel: the same cents on every session."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.bulk import bulk_tariff, rate_columns
from tariffs.bulk_columns import columns_of
from tariffs.pricing import compile_tariff, price_session
from tests.tariffs.chance import chance_tariff, chance_usage


def _check(random: Random, sessions: int) -> tuple[int, int]:
    compiled = compile_tariff(chance_tariff(random))
    usages = [chance_usage(random) for _ in range(sessions)]
    columns = columns_of(usages)

    totals = rate_columns(columns, bulk_tariff(compiled), exact_rows=range(sessions))

    assert not totals.refused
    for i, usage in enumerate(usages):
        priced = price_session(usage, compiled)
        assert columns.usage(i).points[-1].energy_wh == (
            usage.points[-1].energy_wh if usage.points else 0
        )
        found = int(totals.before_minor[i]), int(totals.tax_minor[i])
        assert found == (priced.before_minor, priced.tax_minor)
        if i in totals.exact:
            assert totals.exact[i] == (priced.before_exact, priced.after_exact)
    return sessions, int(np.count_nonzero(totals.by_kernel))


@settings(max_examples=150, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_bulk_rating_equals_the_kernel_on_whatever_tariff_and_sessions(random: Random) -> None:
    _check(random, 12)


@pytest.mark.slow
def test_bulk_rating_equals_the_kernel_on_a_hundred_thousand_seeded_sessions() -> None:
    counts = [_check(Random(seed), 100) for seed in range(1_000)]

    rated = sum(sessions for sessions, _ in counts)
    by_kernel = sum(kernel for _, kernel in counts)
    assert rated == 100_000
    assert by_kernel < rated * 0.4, "most of it in bulk, or the test shows nothing"
