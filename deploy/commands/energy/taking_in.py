"""What came since the energy was counted last is taken in before it is shown."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from projections.energy.keeper import EnergyKeeper


def take_in(connection: Connection[Any], station_id: str | None = None, *, is_shown: bool) -> None:
    """Count what came of all stations, or of one, under a bar where that takes long."""
    from deploy.progress_bar import progress_bar

    with progress_bar("counting energy", is_shown=is_shown) as show:
        EnergyKeeper(connection).take_in(
            station_id,
            progress=lambda done, total: show(done, total, f"{total - done:,} stations"),
        )
