"""Keeps read models up beside a running system, sparingly: who asks takes in the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from time import monotonic
from typing import Any, Final

import psycopg
from psycopg import Connection

from ledger.database import connect
from projections.balances.booked_sums import put_together
from projections.energy.keeper import EnergyKeeper

LOOK_SECONDS: Final = 60.0
"""Between two looks at the stations of which something came."""
REST_SHARE: Final = 9
"""So many times as long as a station took is waited after it: others need the processor more."""
REST_SECONDS_MAX: Final = 20.0

Tell = Callable[[str, Exception], None]
"""Told of which station the count failed ("": of none), and why."""


def keep_up(dsn: str, stop: threading.Event, tell: Tell) -> None:
    """Keep energy and booked hours up until *stop* is set; *tell* what went wrong, and go on."""
    while not stop.wait(LOOK_SECONDS):
        try:
            with closing(connect(dsn)) as connection:
                put_together(connection)
                _count(connection, stop, tell)
        except psycopg.Error as error:
            tell("", error)


def _count(connection: Connection[Any], stop: threading.Event, tell: Tell) -> None:
    keeper = EnergyKeeper(connection)
    for station_id in keeper.waiting():
        begun = monotonic()
        try:
            keeper.count(station_id)
        except psycopg.OperationalError:
            raise
        except Exception as error:  # noqa: BLE001 - of one station; the others are counted
            tell(station_id, error)
        if stop.wait(min(REST_SHARE * (monotonic() - begun), REST_SECONDS_MAX)):
            return
