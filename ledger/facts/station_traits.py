"""What is known of a station from outside its frames: declared, never learnt."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

POWER_DEFAULT_W = Decimal(500_000)
"""The most that any connector of today delivers; used where nothing is declared."""


class StationTraits(msgspec.Struct, frozen=True, kw_only=True):
    """Declared properties of one station that the fold needs.

    `max_power_w` is one connector's. `clock_offset_s` (added to device times) and `naive_is_utc`
    override what is learnt; `register_factor` corrects a model that labels kWh as Wh (1000).
    `token_ignored` are signs that the model puts into tokens.
    """

    time_zone: str = "UTC"
    max_power_w: Decimal = POWER_DEFAULT_W
    connectors: tuple[int, ...] = ()
    commissioned_on: datetime = datetime(2015, 1, 1, tzinfo=UTC)
    clock_offset_s: int | None = None
    naive_is_utc: bool = False
    register_factor: Decimal | None = None
    token_ignored: str = ""
