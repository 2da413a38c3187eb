"""What modules work with; each takes what it needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.declared.declarations import Declarations
from ledger.log.event_log import LineWriter
from ledger.partners.bounds import PartnerBounds
from ledger.partners.station_calls import StationCalls
from ledger.partners.told_counts import ToldCounts
from roaming_ocpi.client.asking import PartnerClient


class Resources(NamedTuple):
    """`database`: search path as everywhere, autocommit. `declared`: the newest declarations.

    `address`: where partners reach us, without a slash at its end ("https://x.example/ocpi").
    `station_calls`: the way to our stations, None where a process has none.
    `told` counts what partners tell, within bounds.
    """

    database: AsyncConnectionPool[AsyncConnection[Any]]
    now: Callable[[], datetime]
    declared: Callable[[], Awaitable[Declarations]]
    log: LineWriter
    client: PartnerClient
    address: str
    station_calls: StationCalls | None = None
    told: ToldCounts = ToldCounts(PartnerBounds())
