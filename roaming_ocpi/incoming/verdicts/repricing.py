"""A partner's CDR priced again, and what of its money is not as its tariff gives it.

By the tariffs that the partner published, as we had them; where it published none of that id, by
those that came with the CDR. Between partners the total before taxes is what is owed; one minor
unit a period may be rounding, for OCPI says nothing of how to round.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from roaming_ocpi.incoming.told import ToldCdr
from roaming_ocpi.incoming.verdicts.known import CdrSurroundings
from tariffs.cdr.cdr import Cdr
from tariffs.cdr.differences import TOTAL_COST, Difference, differences_of
from tariffs.cdr.pricing import CurrencyDiffersError, price_cdr
from tariffs.cdr.tariffs import TariffMissingError
from tariffs.currencies import CURRENCY_EXPONENTS
from tariffs.errors import TariffError
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.priced import PricedSession
from tariffs.model.policy import PricingPolicy
from tariffs.model.tariff import Tariff
from tariffs.phrases.phrase import Phrase, bounded, phrase
from tariffs.quantities import EXACT, plain

_SPANS: Final = "period_spans_price_change"
_OTHER_ID: Final = "other_tariff_id"
_NOT_VALID: Final = "tariff_not_valid"
_UTC: Final = "UTC"
_CACHED_MAX: Final = 1000
_AFTER_TAXES: Final = ".after_taxes"


class Repriced(NamedTuple):
    """What our pricing says: the total before taxes, by which tariff, and what is to be noted."""

    net: Decimal | None
    tariff_id: str | None
    codes: Sequence[Phrase]
    currency: str | None = None


class Repricer:
    """Prices CDRs; tariffs that come with them again and again are compiled once."""

    def __init__(self) -> None:
        self._compiled: dict[bytes, CompiledTariff] = {}

    def reprice(self, told: ToldCdr, cdr: Cdr, around: CdrSurroundings) -> Repriced:
        """Price *cdr*, and compare it with what it states. Total."""
        codes: list[Phrase] = []
        tariffs = self._tariffs(cdr, around.published, codes)
        zone = cdr.time_zone or around.zone
        if zone is None and any(each.clock_restricted for each in tariffs):
            codes.append(phrase("cdr_zone_unknown"))

        def priced_by(policy: PricingPolicy) -> PricedSession:
            return price_cdr(cdr, tariffs, time_zone=zone or _UTC, policy=policy)

        try:
            priced = price_cdr(cdr, tariffs, time_zone=zone or _UTC)
            differences = differences_of(cdr, priced, priced_by)
        except CurrencyDiffersError as error:
            codes.append(phrase("cdr_currency_differs", stated=error.cdr, wanted=error.tariff))
            return Repriced(None, None, codes)
        except TariffMissingError as error:
            if told.net or told.tax:  # of what costs nothing no tariff is needed
                codes.append(phrase("cdr_tariff_unknown", tariff=_bounded(error.tariff_id)))
            return Repriced(None, None, codes)
        except TariffError as error:
            codes.append(phrase("cdr_not_repriced", why=bounded(str(error))))
            return Repriced(None, None, codes)
        codes += _otherwise(cdr, priced)
        codes += _spans(priced)
        codes += _differing(cdr, priced, differences)
        exponent = priced.compiled.exponent
        net = Decimal(priced.before_minor).scaleb(-exponent, EXACT)
        tariff = priced.compiled.tariff
        return Repriced(net, bounded(tariff.id), codes, tariff.currency)

    def _tariffs(
        self, cdr: Cdr, published: Sequence[CompiledTariff], codes: list[Phrase]
    ) -> list[CompiledTariff]:
        """Return the tariffs published, then those of other ids that came with the CDR."""
        by_id = {each.tariff.id.casefold(): each for each in published}
        tariffs = list(published)
        for tariff in cdr.tariffs:
            known = by_id.get(tariff.id.casefold())
            if known is None:
                tariffs.append(self._compile(tariff))
            elif _priced_parts(known.tariff) != _priced_parts(tariff):
                codes.append(phrase("cdr_tariff_differs", tariff=bounded(tariff.id)))
        return tariffs

    def _compile(self, tariff: Tariff) -> CompiledTariff:
        key = msgspec.msgpack.encode(tariff)
        found = self._compiled.get(key)
        if found is None:
            if len(self._compiled) >= _CACHED_MAX:
                self._compiled.clear()
            found = self._compiled[key] = CompiledTariff(tariff)
        return found


def tolerance_of(cdr: Cdr, currency: str) -> Decimal:
    """Return by how much a total may be off: one minor unit a period."""
    return Decimal(len(cdr.periods)).scaleb(-CURRENCY_EXPONENTS[currency], EXACT)


def _bounded(text: str | None) -> str | None:
    return None if text is None else bounded(text)


def _priced_parts(tariff: Tariff) -> tuple[object, ...]:
    """Return what of a tariff a price depends on."""
    limits = (tariff.min_price, tariff.max_price)
    return tariff.currency, tariff.elements, limits, tariff.tax_included


def _otherwise(cdr: Cdr, priced: PricedSession) -> Iterator[Phrase]:
    """Yield where it was priced by another tariff than it names, or one that does not hold."""
    noted = {note.code: note for note in priced.remarks}
    if _OTHER_ID in noted:
        ours = priced.compiled.tariff.id.casefold()
        named = [each.tariff_id for each in cdr.periods if each.tariff_id is not None]
        other = next((each for each in named if each.casefold() != ours), None)
        yield phrase("cdr_tariff_unknown", tariff=_bounded(other))
    if _NOT_VALID in noted:
        yield phrase("cdr_tariff_not_valid", tariff=bounded(priced.compiled.tariff.id))


def _spans(priced: PricedSession) -> Iterator[Phrase]:
    spots = [note.spot for note in priced.remarks if note.code == _SPANS]
    if spots:
        yield phrase("cdr_spans_price_change", periods=len(spots), first=spots[0])


def _differing(
    cdr: Cdr, priced: PricedSession, differences: Sequence[Difference]
) -> Iterator[Phrase]:
    if not differences:
        return
    tolerance = tolerance_of(cdr, priced.compiled.tariff.currency)
    by_field = {each.field: each for each in differences}
    net, gross = by_field.get(f"{TOTAL_COST}.before_taxes"), by_field.get(TOTAL_COST + _AFTER_TAXES)
    if net is not None:
        yield _total(net, tolerance)
    elif gross is not None and cdr.stated.total_cost and cdr.stated.total_cost.before_taxes is None:
        yield _total(gross, tolerance)  # a price with taxes alone: no tax to tell apart
        gross = None
    if gross is not None:
        yield from _tax(gross, net, tolerance)
    yield from _parts(by_field, tolerance)


def _total(found: Difference, tolerance: Decimal) -> Phrase:
    stated, ours = found.stated, found.ours
    if abs(found.difference) <= tolerance:
        return phrase("cdr_total_rounded", stated=stated, ours=ours, policies=found.policies)
    if found.policies:
        return phrase("cdr_policy_differs", stated=stated, ours=ours, policies=found.policies)
    return phrase("cdr_total_differs", stated=stated, ours=ours, tolerance=tolerance)


def _tax(gross: Difference, net: Difference | None, tolerance: Decimal) -> Iterator[Phrase]:
    """Yield what is wrong of the tax alone: a wrong net has another gross all the same."""
    off = gross.difference
    if net is not None:
        off = EXACT.subtract(off, net.difference)
    # The tax of a net that is off is off by its rate; only what is right can tell a wrong tax.
    if abs(off) > tolerance and (net is None or abs(net.difference) <= tolerance):
        ours = gross.ours if net is None else EXACT.add(gross.ours, net.difference)
        yield phrase("cdr_tax_differs", stated=gross.stated, ours=plain(ours))


def _parts(by_field: Mapping[str, Difference], tolerance: Decimal) -> Iterator[Phrase]:
    for name, found in by_field.items():
        field, _, side = name.partition(".")
        if field == TOTAL_COST:
            continue
        if not side:
            yield phrase("cdr_volume_differs", field=name, stated=found.stated, ours=found.ours)
        elif abs(found.difference) > tolerance:
            before = by_field.get(f"{field}.before_taxes")
            # One of a part is enough: taxes follow what they are on.
            if before is None or before is found or abs(before.difference) <= tolerance:
                yield phrase("cdr_part_differs", field=name, stated=found.stated, ours=found.ours)
