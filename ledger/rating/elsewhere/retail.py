"""The tariff by which a partner's CDR is charged on, and why there is none."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from ledger.declared.declarations import Declarations
from ledger.master_data.partners import Partner
from ledger.master_data.tariff_versions import TariffVersion, published
from ledger.partners.elsewhere_cdrs import ElsewhereCdr
from ledger.rating.basis import compiled_version, depends_on_time
from tariffs.cdr.usage import has_mixed_times
from tariffs.currencies import CURRENCY_EXPONENTS
from tariffs.kernel.compiled import CompiledTariff
from tariffs.model.tariff import Dimension, PriceComponent, Tariff, TariffElement
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import EXACT

PASSED_ON: Final = "passed-on"
"""The id of what stands for a tariff where a partner's price is passed on."""
_HUNDRED: Final = Decimal(100)


class Retail(NamedTuple):
    """Our price: its version, compiled. `mark_up_percent`: on the partner's; None: a tariff's."""

    version: TariffVersion
    compiled: CompiledTariff
    mark_up_percent: Decimal | None = None


def retail_of(
    told: ElsewhereCdr, partner: Partner, declarations: Declarations
) -> Retail | tuple[Phrase, ...]:
    """Return by what a CDR of *partner* is charged on, or all that forbids it."""
    if partner.retail_tariff is not None:
        return _by_tariff(told, partner.retail_tariff, declarations)
    return _by_mark_up(told, partner)


def _by_tariff(
    told: ElsewhereCdr, tariff_id: str, declarations: Declarations
) -> Retail | tuple[Phrase, ...]:
    version = declarations.tariff(tariff_id, told.cdr.starts_at)
    if version is None:
        return (phrase("retail_tariff_missing", tariff=tariff_id),)
    objections = []
    if not told.is_energy_clear:
        objections.append(phrase("cdr_energy_unclear", stated=told.cdr.stated.total_energy))
    if has_mixed_times(told.cdr) and depends_on_time(version.tariff):
        objections.append(phrase("cdr_times_mixed"))
    return tuple(objections) or Retail(version, compiled_version(version))


def _by_mark_up(told: ElsewhereCdr, partner: Partner) -> Retail | tuple[Phrase, ...]:
    net, currency = told.net, told.cdr.currency
    objections = []
    if net is None or currency not in CURRENCY_EXPONENTS:
        objections.append(phrase("cdr_price_unknown"))
    if told.country not in partner.passed_on_vat:
        objections.append(phrase("passed_on_vat_missing", country=told.country))
    if net is None or currency is None or objections:
        return tuple(objections)
    assert told.country is not None
    factor = EXACT.add(_HUNDRED, partner.mark_up_percent)
    price = EXACT.scaleb(EXACT.multiply(net, factor), -2)
    component = PriceComponent(
        dimension=Dimension.FLAT, price=price, vat=partner.passed_on_vat[told.country]
    )
    tariff = Tariff(
        id=PASSED_ON,
        currency=currency,
        elements=(TariffElement(price_components=(component,)),),
        below_zero=price < 0,
    )
    # Another price each time: nothing to keep compiled.
    return Retail(published(tariff), CompiledTariff(tariff), partner.mark_up_percent)
