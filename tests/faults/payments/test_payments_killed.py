"""Who collects is killed at random, as a process, among all else that goes wrong on the way."""

from __future__ import annotations

import multiprocessing
import random
import time
from ctypes import c_double
from datetime import timedelta
from typing import Final

import pytest

from deploy.demo.provider.faults import Faults, ProviderFault
from tests.faults.payments.payments_process import collect_for_ever
from tests.ledger.payments.collecting.payers import BILLED_AT
from tests.ledger.payments.collecting.street import (
    CHANCES,
    assert_all_is_paid,
    happen,
    hear,
    pass_time,
    settle,
    street,
)

_CONTEXT: Final = multiprocessing.get_context("forkserver")
_HAPPENS_EVERY: Final = 3
"""So many kills are among what happens at once; the books stay small enough to be checked."""
_HEARS_EVERY: Final = 10
"""So often what webhooks lost is asked for: days, of the thirty for which a provider knows."""
_LIVES_MAX_S: Final = 0.5
_ROUNDS: Final = 3


def kill_while_collecting(dsn: str, kills: int, *, seed: int) -> Faults:
    """Have who collects killed so often; assert that all is paid once, and return what struck."""
    chance, faults = random.Random(seed), Faults(seed, CHANCES)
    _CONTEXT.set_forkserver_preload(["tests.faults.payments.payments_process"])
    # Without a lock: who is killed while it has that would keep it for ever.
    later = _CONTEXT.RawValue(c_double, 0.0)
    with street(dsn, faults) as town:
        for kill in range(kills):
            if kill % _HAPPENS_EVERY == 0:
                happen(chance, town)
            later.value = (town.payers.now - BILLED_AT).total_seconds()
            arguments = (dsn, town.fake.url, later, None)
            process = _CONTEXT.Process(target=collect_for_ever, args=arguments, daemon=True)
            process.start()
            time.sleep(_LIVES_MAX_S * chance.random())
            assert process.is_alive(), "who collects ended by itself"
            process.kill()
            process.join()
            town.fake.deliver()
            if kill % _HEARS_EVERY == 0:
                hear(town)
            pass_time(town, timedelta(minutes=chance.choice([1, 6, 60, 600])))

        def collect() -> None:
            later.value = (town.payers.now - BILLED_AT).total_seconds()
            arguments = (dsn, town.fake.url, later, _ROUNDS)
            process = _CONTEXT.Process(target=collect_for_ever, args=arguments, daemon=True)
            process.start()
            process.join()
            assert process.exitcode == 0

        settle(town, collect)
        assert_all_is_paid(town)
    return faults


@pytest.mark.slow
def test_a_thousand_kills_leave_each_customer_charged_what_is_owed(database: str) -> None:
    faults = kill_while_collecting(database, 1000, seed=15)

    for fault in (ProviderFault.FAILED_AFTER, ProviderFault.CUT_AFTER, ProviderFault.REFUND_FAILS):
        assert faults.struck[fault]
