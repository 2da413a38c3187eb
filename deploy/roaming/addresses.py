"""Where partners reach us: what the setting says, or else what was really served last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

from deploy.errors import DeployError

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Connection

    from deploy.settings import Settings

_NOTE: LiteralString = """
INSERT INTO partner_address (address) VALUES (%s)
ON CONFLICT (is_only) DO UPDATE SET address = excluded.address, served_at = clock_timestamp()
"""
_NOTED: LiteralString = "SELECT address FROM partner_address"


class NoPartnerAddressError(DeployError):
    """Partners cannot be told where they reach us: nothing says it."""

    def __init__(self) -> None:
        super().__init__(
            "nobody knows where partners reach us: start `wattledger up`, which serves them, or "
            "say it (WATTLEDGER_ROAMING_URL=https://roaming.example/ocpi)"
        )


async def note_address(connection: AsyncConnection[Any], address: str) -> None:
    """Keep that partners are served at *address* from now on."""
    await connection.execute(_NOTE, (address,))


def address_for_partners(connection: Connection[Any], settings: Settings) -> str:
    """Return what partners are told, without a slash at its end.

    Raises:
        NoPartnerAddressError: If no setting says it, and nobody served them yet at a port that is
            not fixed.
    """
    if settings.roaming_url:
        return settings.roaming_base
    noted = connection.execute(_NOTED).fetchone()
    if noted is not None:
        return str(noted[0])
    port = settings.roaming_port if settings.roaming_port >= 0 else settings.http_port
    if port <= 0:
        raise NoPartnerAddressError
    return settings.roaming_base
