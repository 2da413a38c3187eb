"""What a kWh costs whom nobody knows: the price that energy not billed is valued at."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from ledger.declared.declarations import Declarations
from ledger.rating.basis import terms_of
from ledger.sessions.session import ChargingSession
from tariffs.errors import TariffError
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.pricing import price_session
from tariffs.model.policy import policy_named
from tariffs.model.tariff import Dimension
from tariffs.model.usage import SessionUsage, UsagePoint
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import decimal_of_ratio

_KWH: Final = Decimal(1000)
_LASTS: Final = timedelta(minutes=6)
"""A kWh at 10 kW."""


class ListPrice(NamedTuple):
    """The price of a kWh before taxes; None: `why` there is none."""

    per_kwh: Decimal | None
    currency: str | None = None
    why: Phrase | None = None


class ListPrices:
    """Asks the kernel for the price of one kWh that an ad hoc driver begins with."""

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations
        self._known: dict[tuple[str, datetime], ListPrice] = {}
        self._priced: dict[tuple[str, str, str, datetime], ListPrice] = {}

    def of(self, station_id: str, at: datetime) -> ListPrice:
        """Return the price that held at a station, for sessions that began in that quarter."""
        into = timedelta(minutes=at.minute % 15, seconds=at.second, microseconds=at.microsecond)
        key = station_id, at - into
        if key not in self._known:
            self._known[key] = self._price(*key)
        return self._known[key]

    def _price(self, station_id: str, at: datetime) -> ListPrice:
        session = ChargingSession(
            session_id="",
            station_id=station_id,
            transaction_ref="",
            started_at=at,
            first_received_at=at,
            last_received_at=at,
        )
        terms = terms_of(session, self._declarations)
        if terms.basis is None:
            return ListPrice(None, why=terms.objections[0])
        zone, policy = terms.basis.site.time_zone, terms.policy.pricing
        key = terms.basis.tariff.version.sha256, zone, policy, at
        if key not in self._priced:
            self._priced[key] = _priced(terms.basis.compiled(), zone, policy, at)
        return self._priced[key]


def _priced(compiled: CompiledTariff, zone: str, policy: str, at: datetime) -> ListPrice:
    usage = SessionUsage(
        starts_at=at,
        ends_at=at + _LASTS,
        time_zone=zone,
        points=(UsagePoint(at, Decimal(0)), UsagePoint(at + _LASTS, _KWH)),
    )
    try:
        priced = price_session(usage, compiled, policy=policy_named(policy))
    except TariffError:
        return ListPrice(None, why=phrase("tariff_missing"))
    energy = sum(
        line.before_numerator
        for line in priced.lines
        if line.component.dimension is Dimension.ENERGY
    )
    return ListPrice(decimal_of_ratio(energy, priced.denominator), priced.currency)
