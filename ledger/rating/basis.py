"""What a session is priced by: site, legal entity and tariff as in force at its start.

Its terms are looked up once, when it is decided, and handed on: nothing keeps them longer.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from ledger.declared.declarations import Declarations, TariffInForce
from ledger.facts.flags import Flag
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.policies import Policy
from ledger.master_data.sites import Site
from ledger.master_data.tariff_versions import TariffVersion
from ledger.rating.payers import Driver, driver_of
from ledger.sessions.session import ChargingSession
from tariffs.adjustments.adjustment import reads_time
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.pricing import compile_tariff
from tariffs.model.restrictions import clock_boundaries
from tariffs.model.tariff import Dimension, Restrictions, Tariff
from tariffs.phrases.phrase import Phrase, phrase

_COMPILED_MAX = 256
TIME_BLOCKERS: Final = frozenset(
    {
        Flag.TIME_UNREADABLE,
        Flag.CLOCK_UNSYNCED,
        Flag.CLOCK_AHEAD,
        Flag.CLOCK_BEHIND,
        Flag.CLOCK_JUMPED,
        Flag.HOUR_AMBIGUOUS,
        Flag.LAST_SIGN_UNKNOWN,
    }
)
"""Blockers that say only that times are derived; they forbid a price that depends on time."""
DOUBT: Final = timedelta(days=1)
"""So far from its start a session may have begun whose times are derived."""
_TIMED = frozenset({Dimension.TIME, Dimension.PARKING_TIME})


class Basis(NamedTuple):
    """Everything that a price needs and that is declared."""

    station_zone: str
    site_id: str
    site: Site
    legal_entity: LegalEntity
    tariff: TariffInForce

    def compiled(self) -> CompiledTariff:
        """Return the tariff, compiled once per version."""
        return compiled_version(self.tariff.version)

    def depends_on_time(self) -> bool:
        """Whether a session that is shifted or stretched in time could have another price."""
        return depends_on_time(self.tariff.version.tariff)


class Terms(NamedTuple):
    """What the declarations up to `version` say of one session, at its start.

    `basis` prices it; where there is none, `objections` say why. `driver` is who charges, `policy`
    what held then. `is_certain`: nor is another price or payer found by a time that is wrong.
    """

    version: int
    at: datetime
    basis: Basis | None
    objections: tuple[Phrase, ...]
    driver: Driver
    policy: Policy
    is_certain: bool = True

    @property
    def forgives_time(self) -> bool:
        """Whether the price is the same however wrong the times of the session are."""
        return self.basis is not None and self.is_certain and not self.basis.depends_on_time()


def compiled_version(version: TariffVersion) -> CompiledTariff:
    """Return the tariff of *version*, compiled once per version."""
    return _compile(CompiledKey(version))


class CompiledKey:
    """A tariff version, equal to every other with the same hash."""

    __slots__ = ("version",)

    def __init__(self, version: TariffVersion) -> None:
        self.version = version

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CompiledKey) and self.version.sha256 == other.version.sha256

    def __hash__(self) -> int:
        return hash(self.version.sha256)


@lru_cache(maxsize=_COMPILED_MAX)
def _compile(key: CompiledKey) -> CompiledTariff:
    return compile_tariff(key.version.tariff)


def depends_on_time(tariff: Tariff) -> bool:
    """Whether *tariff* looks at the clock, at durations, or charges for time."""
    return (
        tariff.price_series is not None
        or any(map(reads_time, tariff.adjustments))
        or any(
            _is_timed(element.restrictions)
            or any(component.dimension in _TIMED for component in element.price_components)
            for element in tariff.elements
        )
    )


def _is_timed(restrictions: Restrictions) -> bool:
    durations = (restrictions.min_duration, restrictions.max_duration)
    return bool(clock_boundaries(restrictions)) or durations != (None, None)


def terms_of(session: ChargingSession, declarations: Declarations) -> Terms:
    """Return the terms of *session*."""
    # For a start that never came, when we first heard of it.
    at = session.started_at or session.first_received_at
    driver = driver_of(declarations, session.token_uid, at, session.authorization)
    basis, objections = _basis_of(session, declarations, driver, at)
    policy = declarations.policy(at)
    known = Terms(declarations.version, at, basis, objections, driver, policy)
    # A clock that was never set makes no kWh dearer, but may name the tariff of another month.
    if basis is None or TIME_BLOCKERS.isdisjoint(session.blockers):  # nearly always
        return known
    beside = (at - DOUBT, at + DOUBT)
    is_certain = not any(_is_other(session, declarations, known, each) for each in beside)
    return known._replace(is_certain=is_certain)


def _is_other(
    session: ChargingSession, declarations: Declarations, known: Terms, at: datetime
) -> bool:
    """Whether another tariff, site or payer than *known* holds *at* another time.

    What nobody had declared yet is none: before their first day there are no sessions.
    """
    driver = driver_of(declarations, session.token_uid, at, session.authorization)
    basis, _ = _basis_of(session, declarations, driver, at)
    payers = {known.driver.customer_id, driver.customer_id} - {None}
    if basis is None or known.basis is None:
        return False
    return len(payers) > 1 or _prices(basis) != _prices(known.basis)


def _prices(basis: Basis) -> tuple[str, str, str]:
    return basis.site_id, basis.site.legal_entity, basis.tariff.version.sha256


def _basis_of(
    session: ChargingSession, declarations: Declarations, driver: Driver, at: datetime
) -> tuple[Basis | None, tuple[Phrase, ...]]:
    """Return what prices *session*, or the one reason why nothing does."""
    station_id = session.station_id
    station = declarations.station(station_id, at)
    if station is None:
        return None, (phrase("station_undeclared", station=station_id),)
    site = declarations.site(station.site, at)
    entity = declarations.legal_entity(site.legal_entity, at) if site else None
    if site is None or entity is None:
        return None, (phrase("site_undeclared", site=station.site),)
    tariff = declarations.tariff_of(
        station_id, station, driver.uid, driver.token, at, partner=driver.partner
    )
    if tariff is None:
        return None, (phrase("tariff_missing"),)
    stated = tariff.version.tariff.currency
    if stated != site.currency:
        return None, (phrase("currency_mismatch", tariff_in=stated, site_in=site.currency),)
    station_zone = station.time_zone or site.time_zone
    return Basis(station_zone, station.site, site, entity, tariff), ()
