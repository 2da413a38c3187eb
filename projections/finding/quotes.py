"""What a charge would cost, and why: the price of a usage by the one kernel, before there is one.

At a station it is priced as a session would be that begins then: by the tariff that is assigned
there for its driver, the policy of that moment, and who owes the VAT. What others use meanwhile of
grants that are shared, and what a person validates, only a real session knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.declared.declarations import Declarations
from ledger.errors import LedgerError
from ledger.master_data.tariff_versions import TariffVersion
from ledger.rating.basis import compiled_version
from ledger.rating.payers import driver_of
from ledger.rating.session_price import reverse_charge_vat_id
from tariffs.kernel.priced import PricedSession
from tariffs.kernel.pricing import price_session
from tariffs.model.policy import policy_named
from tariffs.model.usage import SessionUsage, UsagePoint, UsageSpan


class QuotedUsage(NamedTuple):
    """What would be charged: as `SessionUsage` has it, where the zone is not known yet."""

    starts_at: datetime
    ends_at: datetime
    points: Sequence[UsagePoint]
    spans: Sequence[UsageSpan] = ()
    validations: Sequence[str] = ()


class UnpricedQuoteError(LedgerError):
    """Nothing prices a charge there and then."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}: no price can be told")


class PriceQuote(NamedTuple):
    """A price and the version that it is by."""

    priced: PricedSession
    version: TariffVersion


def quote_by_tariff(
    declarations: Declarations, tariff_id: str, usage: QuotedUsage, time_zone: str
) -> PriceQuote:
    """Return what *usage* costs by the version of a tariff that holds at its start.

    Raises:
        UnpricedQuoteError: If none does.
        TariffError: If the kernel refuses the usage.
    """
    version = declarations.tariff(tariff_id, usage.starts_at)
    if version is None:
        why = f"no version of tariff {tariff_id} holds at its start"
        raise UnpricedQuoteError(why)
    asked = _usage(usage, time_zone)
    return _quote(declarations, version, asked)


def quote_at_station(
    declarations: Declarations, station_id: str, subject: str | None, usage: QuotedUsage
) -> PriceQuote:
    """Return what *usage* costs at a station, for the token with that subject id.

    Raises:
        UnpricedQuoteError: If nothing prices it there.
        TariffError: If the kernel refuses the usage.
    """
    at = usage.starts_at
    station = declarations.station(station_id, at)
    site = declarations.site(station.site, at) if station else None
    seller = declarations.legal_entity(site.legal_entity, at) if site else None
    if station is None or site is None or seller is None:
        why = f"station {station_id}, its site or its legal entity is not declared"
        raise UnpricedQuoteError(why)
    driver = driver_of(declarations, subject, at)
    found = declarations.tariff_of(
        station_id, station, driver.uid, driver.token, at, partner=driver.partner
    )
    if found is None:
        why = f"no tariff is in force at {station_id} then"
        raise UnpricedQuoteError(why)
    token = driver.token
    asked = _usage(
        usage,
        site.time_zone,
        groups=(token.group,) if token and token.group else (),
        vat_id=reverse_charge_vat_id(driver.customer, seller),
    )
    return _quote(declarations, found.version, asked)


def _usage(
    usage: QuotedUsage, time_zone: str, groups: tuple[str, ...] = (), vat_id: str | None = None
) -> SessionUsage:
    return SessionUsage(
        starts_at=usage.starts_at,
        ends_at=usage.ends_at,
        time_zone=time_zone,
        points=tuple(usage.points),
        spans=tuple(usage.spans),
        groups=groups,
        validations=tuple(usage.validations),
        reverse_charge_vat_id=vat_id,
    )


def _quote(declarations: Declarations, version: TariffVersion, usage: SessionUsage) -> PriceQuote:
    policy = policy_named(declarations.policy(usage.starts_at).pricing)
    return PriceQuote(price_session(usage, compiled_version(version), policy=policy), version)
