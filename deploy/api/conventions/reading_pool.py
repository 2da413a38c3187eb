"""The connections of whoever reads over HTTP, so many and no longer than others can spare them."""

from __future__ import annotations

from typing import Any, Final

from psycopg_pool import ConnectionPool

from ledger.database import connect_options

CONNECTIONS_MAX: Final = 8
"""Of the pool that reads: one a request that is being answered, the others wait."""
DATABASE_SECONDS: Final = 5.0
STATEMENT_SECONDS_MAX: Final = 60
"""What takes longer would keep one of these connections from everybody else."""


def pool_of(dsn: str) -> ConnectionPool[Any]:
    """Return the connections of whoever reads, still to be opened."""
    limit = f"-c statement_timeout={STATEMENT_SECONDS_MAX}s"
    return ConnectionPool(
        dsn,
        kwargs={"options": f"{connect_options(dsn)} {limit}", "autocommit": True},
        max_size=CONNECTIONS_MAX,
        timeout=DATABASE_SECONDS,
        open=False,
    )
