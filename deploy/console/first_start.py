"""The first start: while there is no account, whoever started it gets a link that makes one."""

from __future__ import annotations

from datetime import datetime


def first_address(dsn: str, interface: str, now: datetime, *, by: str) -> str:
    """Return where the first account is made, once, within an hour; "" once there is one.

    Args:
        dsn: The database.
        interface: Where the HTTP interface is, "" where there is none.
        now: The time.
        by: Who started it.
    """
    from ledger.database import connect  # noqa: PLC0415 - who prints help needs no database
    from ledger.users.own_account import first_link  # noqa: PLC0415

    if not interface:
        return ""
    with connect(dsn) as connection:
        token = first_link(connection, now, by=by)
    return f"{interface}/console/first/{token}" if token else ""


def first_words(address: str) -> str:
    """Return what is said of such an address."""
    return (
        f"Nobody has an account yet. Make the first, an administrator's, within an hour at\n"
        f"  {address}"
    )
