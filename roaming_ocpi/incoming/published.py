"""What a partner published, as we had it: tariffs that may price a CDR, and where a place is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from psycopg import Connection

from tariffs.kernel.compiled import CompiledTariff


class TariffAsked(NamedTuple):
    """Which tariff of a party is asked for: as it was published when a session began."""

    tariff_id: str
    at: datetime


class PublishedByPartners(Protocol):
    """What was stored of partners' tariffs and locations, by receipt."""

    def tariffs(
        self, connection: Connection[Any], party: str, asked: Collection[TariffAsked]
    ) -> Mapping[TariffAsked, CompiledTariff]:
        """Return those of the tariffs that were published and can be read."""

    def zones(
        self, connection: Connection[Any], party: str, locations: Collection[str]
    ) -> Mapping[str, str]:
        """Return the time zones of those locations that say one."""


class NothingPublished:
    """A partner of whom we store nothing: its CDRs bring their own tariffs."""

    def tariffs(
        self, connection: Connection[Any], party: str, asked: Collection[TariffAsked]
    ) -> Mapping[TariffAsked, CompiledTariff]:
        """Return nothing."""
        del connection, party, asked
        return {}

    def zones(
        self, connection: Connection[Any], party: str, locations: Collection[str]
    ) -> Mapping[str, str]:
        """Return nothing."""
        del connection, party, locations
        return {}
