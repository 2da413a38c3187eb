"""Tariffs as CDRs carry them: ours with a partner's mark-up, or made for one session alone.

A mark-up is in the prices, so that the CDR's own tariff comes to its total; what is published to
that partner has it, too. Where no version of OCPI has words for a price (a cap, a grace, a price
series, a season), the session still has prices that held, period by period: a tariff for each,
which the periods name. What even these do not give (a discount, an allowance) is one flat amount,
with the VAT that gives the taxes. Neither stands under the id of what is published: a partner
prices by that, and it comes to something else.

10 kWh at 0.40 of which a coupon gave back 1.00, before 19 % VAT, as one amount:

    FLAT 3.00, VAT 19 %; the lines stand in the remark

Source: OCPI 2.2.1, mod_cdrs, ChargingPeriod.tariff_id ("this field SHALL be the id of the Tariff
that is relevant in this period").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from ledger.rating.decisions import RatedLine
from roaming_ocpi.cdrs.made import CdrNote
from roaming_ocpi.wire.ids import made_tariff_id, tariff_id_of
from roaming_ocpi.wire.walls import encoded
from tariffs.cdr.cut import CutPeriod
from tariffs.kernel.compiled import CompiledTariff, Why
from tariffs.kernel.priced import Note
from tariffs.model.canonical import tariff_hash
from tariffs.model.tariff import (
    Dimension,
    PriceComponent,
    PriceLimit,
    ReservationRestriction,
    Restrictions,
    Tariff,
    TariffElement,
    TaxIncluded,
)
from tariffs.model.usage import Activity
from tariffs.ocpi.documents import decode_json
from tariffs.ocpi.tariff_reader import ocpi_tariff_of
from tariffs.ocpi.tariff_writer import write_tariff
from tariffs.ocpi.versions import OcpiVersion
from tariffs.quantities import EXACT, decimal_of_ratio, money_of_minor, plain

_HUNDRED: Final = Decimal(100)
_RATE_DECIMALS: Final = 6
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
_PLAIN: Final = frozenset({Why.PRICED, Why.UNPRICED, Why.GRACE})
_LIMITS: Final = frozenset({Why.MIN_PRICE, Why.MAX_PRICE})
_TIMED: Final = {Activity.CHARGING: Dimension.TIME, Activity.PARKING: Dimension.PARKING_TIME}


TOLERATED: Final = frozenset({"below_zero"})
"""Notes of a reader that make no total another one."""
_KEPT_MAX: Final = 1024

TariffKey = tuple[str, str, Decimal]
"""What `own_tariff` makes hangs on: the version's hash, whose it is, the mark-up."""


class TariffRead(NamedTuple):
    """A tariff as one version says it, and as that reads; `lost`: what it leaves out."""

    written: msgspec.Raw
    tariff: Tariff
    compiled: CompiledTariff
    lost: tuple[CdrNote, ...]
    unclean: tuple[Note, ...]


class SaidTariffs:
    """Tariffs as versions say them, each written, read and compiled once."""

    def __init__(self) -> None:
        self._reads: dict[tuple[TariffKey, OcpiVersion], TariffRead] = {}
        self._compiled: dict[str, CompiledTariff] = {}

    def make_room(self) -> None:
        """Forget all where there is much; between two CDRs, for one tells its prices by object."""
        if len(self._compiled) >= _KEPT_MAX:
            self._reads.clear()
            self._compiled.clear()

    def read(self, tariff: Tariff, key: TariffKey | None, version: OcpiVersion) -> TariffRead:
        """Return *tariff* as *version* says it; *key* None: it is not worth keeping."""
        if key is None:
            return self._as_read(tariff, version)
        found = self._reads.get((key, version))
        if found is None:
            found = self._reads[key, version] = self._as_read(tariff, version)
        return found

    def _as_read(self, tariff: Tariff, version: OcpiVersion) -> TariffRead:
        written, lost = write_tariff(tariff, version)
        if version is OcpiVersion.V2_1_1:
            # Of 2.1.1 a tariff names no version of itself by its shape.
            written.setdefault("currency", tariff.currency)
        data = encoded(written)
        read = ocpi_tariff_of(decode_json(data), version=None)
        digest = tariff_hash(read.tariff)
        compiled = self._compiled.get(digest)
        if compiled is None:
            compiled = self._compiled[digest] = CompiledTariff(read.tariff)
        unclean = tuple(note for note in read.notes if note.code not in TOLERATED)
        told = tuple(
            CdrNote(code=e.code, message=f"{e.spot}: {e.message}", version=version.value)
            for e in lost
        )
        return TariffRead(msgspec.Raw(data), read.tariff, compiled, told, unclean)


class PricedTariffs(NamedTuple):
    """Some tariffs, and which of them holds in each period (None: there is only one)."""

    tariffs: tuple[Tariff, ...]
    parts: tuple[int, ...] | None = None


def factor_of(mark_up: Decimal) -> Decimal:
    """Return what a price is multiplied with for a mark-up in per cent."""
    return EXACT.divide(EXACT.add(_HUNDRED, mark_up), _HUNDRED)


def own_tariff(tariff: Tariff, *, party: str, mark_up: Decimal, since: datetime) -> Tariff:
    """Return *tariff* as *party* ("DE-HBC") says it to a partner with this *mark_up* in per cent.

    *since*: from when on it holds, where it says no `last_updated` itself.
    """
    country_code, _, party_id = party.partition("-")
    factor = factor_of(mark_up)
    return replace(
        tariff,
        id=tariff_id_of(tariff.id),
        name=None,
        country_code=country_code,
        party_id=party_id,
        last_updated=tariff.last_updated or max(since, _LONG_AGO),
        elements=tuple(_marked_up(element, factor) for element in tariff.elements),
        min_price=_limit(tariff.min_price, factor),
        max_price=_limit(tariff.max_price, factor),
    )


def tariffs_of_periods(
    tariff: Tariff,
    lines: Sequence[RatedLine],
    cuts: Sequence[CutPeriod],
    ends_at: datetime,
    *,
    mark_up: Decimal,
) -> PricedTariffs | None:
    """Return a tariff for each price that held in the *cuts* of a session, by its *lines*.

    None where the lines are not prices alone. *tariff* is what `own_tariff` made with *mark_up*.
    """
    factor = factor_of(mark_up)
    if not _are_prices(lines):
        return None
    kinds: dict[tuple[PriceComponent, ...], int] = {}
    parts = []
    bounds = [*(cut.starts_at for cut in cuts), ends_at]
    for cut, (starts_at, until) in zip(cuts, pairwise(bounds), strict=True):
        held = _held(tariff, lines, cut.activity, (starts_at, until), factor)
        if held is None:
            return None
        parts.append(kinds.setdefault(held, len(kinds)))
    return PricedTariffs(tuple(_of_kinds(tariff, kinds)), tuple(parts))


def flat_tariff(
    tariff: Tariff,
    lines: Sequence[RatedLine],
    owed_minor: tuple[int, int],
    *,
    only_reserved: bool,
) -> Iterator[PricedTariffs]:
    """Yield tariffs whose one amount comes to what is owed (net, tax), the likeliest first.

    *only_reserved*: nothing but a reservation happened, which has elements of its own.
    """
    net_minor, tax_minor = owed_minor
    kind = ReservationRestriction.RESERVATION if only_reserved else None
    net = plain(money_of_minor(net_minor, tariff.currency).amount)
    for vat in _rates(lines, net_minor, tax_minor):
        flat = PriceComponent(dimension=Dimension.FLAT, price=net, vat=vat, step_size=1)
        alone = replace(
            _bare(tariff),
            elements=(
                TariffElement(
                    price_components=(flat,), restrictions=Restrictions(reservation=kind)
                ),
            ),
            tax_included=TaxIncluded.NO,
            min_price=None,
            max_price=None,
            below_zero=net_minor < 0,
        )
        yield PricedTariffs((_named_apart(alone),))


def _marked_up(element: TariffElement, factor: Decimal) -> TariffElement:
    components = tuple(
        replace(each, price=plain(EXACT.multiply(each.price, factor)))
        for each in element.price_components
    )
    return replace(element, name=None, price_components=components)


def _limit(limit: PriceLimit | None, factor: Decimal) -> PriceLimit | None:
    if limit is None:
        return None
    after = limit.after_taxes
    return PriceLimit(
        before_taxes=plain(EXACT.multiply(limit.before_taxes, factor)),
        after_taxes=None if after is None else plain(EXACT.multiply(after, factor)),
    )


def _why(line: RatedLine) -> str:
    return line.component.split("/")[2]


def _are_prices(lines: Sequence[RatedLine]) -> bool:
    """Whether every line is a price, or what a limit of the whole session changes."""
    kinds = {_why(line) for line in lines}
    given_back = any(
        line.unit_price and line.billed_volume and not line.net and not line.tax
        for line in lines
        if _why(line) == Why.PRICED
    )
    return kinds <= _PLAIN | _LIMITS and not given_back


def _held(
    tariff: Tariff,
    lines: Sequence[RatedLine],
    activity: Activity,
    bounds: tuple[datetime, datetime],
    factor: Decimal,
) -> tuple[PriceComponent, ...] | None:
    """Return which prices held in one period; None where they do not say it."""
    timed = _TIMED.get(activity)
    if timed is None:
        return None
    starts_at, until = bounds
    found: list[PriceComponent] = []
    for line in lines:
        if _why(line) != Why.PRICED or line.element is None:
            continue
        if line.dimension is Dimension.FLAT:
            is_here = starts_at <= line.starts_at < until or starts_at == until
        else:
            is_here = line.starts_at <= starts_at < line.ends_at or starts_at == until
            is_here = is_here and line.dimension in (Dimension.ENERGY, timed)
        if is_here:
            own = _component(tariff, line, factor)
            if own is None or any(each.dimension is own.dimension for each in found):
                return None
            found.append(own)
    free = PriceComponent(dimension=Dimension.ENERGY, price=Decimal(0), step_size=1)
    return tuple(found) or (free,)


def _component(tariff: Tariff, line: RatedLine, factor: Decimal) -> PriceComponent | None:
    """Return the component of *tariff* that a line is priced by, at the price that it had then."""
    for each in tariff.elements[line.element or 0].price_components:
        if each.dimension is line.dimension:
            price = plain(EXACT.multiply(line.unit_price, factor))
            return replace(each, price=price, vat=line.tax_percent, series=False)
    return None


def _of_kinds(tariff: Tariff, kinds: dict[tuple[PriceComponent, ...], int]) -> Iterator[Tariff]:
    for components in kinds:
        made = replace(_bare(tariff), elements=(TariffElement(price_components=components),))
        yield _named_apart(made)


def _named_apart(made: Tariff) -> Tariff:
    """Return a tariff that is published nowhere under an id that none that is has."""
    return replace(made, id=made_tariff_id(made.id, tariff_hash(made)))


def _bare(tariff: Tariff) -> Tariff:
    """Return *tariff* without all that OCPI has no words for."""
    return replace(
        tariff,
        adjustments=(),
        alt_text=(),
        alt_url=None,
        price_series=None,
        sales_taxes=(),
        quantity_taxes=(),
        holidays=None,
        step_policy=None,
        rounding=None,
        rounding_mode=None,
        flat_policy=None,
        start_date_time=None,
        end_date_time=None,
    )


def _rates(lines: Sequence[RatedLine], net_minor: int, tax_minor: int) -> Iterator[Decimal | None]:
    """Yield the rate of VAT that the lines have, if it is one, and that which gives the tax."""
    rates = {line.tax_percent for line in lines if line.net or line.tax}
    if len(rates) == 1:
        yield from rates
    elif not tax_minor:
        yield None
    if net_minor and tax_minor * net_minor > 0:
        percent = Fraction(100 * tax_minor, net_minor)
        scaled = round(percent * 10**_RATE_DECIMALS)
        yield decimal_of_ratio(scaled, 10**_RATE_DECIMALS)
