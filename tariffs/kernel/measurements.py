"""Power and current restrictions against what was measured, or was not."""

from __future__ import annotations

from decimal import Decimal

from tariffs.kernel.compiled import CompiledTariff
from tariffs.model.policy import NoDataPolicy, PricingPolicy
from tariffs.model.restrictions import Bands
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import EXACT

# The least and the most that was measured in a stretch, in W or A.
Range = tuple[Decimal | None, Decimal | None]


def no_data_note(policy: PricingPolicy) -> Phrase:
    """Say what *policy* did with restrictions on what nobody measured."""
    return phrase("restriction_without_data", policy=policy.no_data.value)


def measured_mask(
    compiled: CompiledTariff, policy: PricingPolicy, *, power: Range, current: Range
) -> tuple[int, bool]:
    """Return the elements that the measurements allow, and whether one that was needed lacks."""
    bands = compiled.bands
    mask, missing = compiled.all_elements, False
    for band, (low, high), lower in (
        (bands.min_power, power, True),
        (bands.max_power, power, False),
        (bands.min_current, current, True),
        (bands.max_current, current, False),
    ):
        if band is None:
            continue
        # A bound must hold all the while: a minimum against the least, a maximum against the most.
        value = (low, high)[0 if lower else 1]
        if value is None:
            value = high if lower else low
        if value is None:
            missing = True
            mask &= _without_data(band, compiled, policy)
        else:
            mask &= band.mask_at(int(EXACT.multiply(value, Decimal(1000))))
    return mask, missing


def _without_data(band: Bands, compiled: CompiledTariff, policy: PricingPolicy) -> int:
    match policy.no_data:
        case NoDataPolicy.IGNORE_RESTRICTION:
            return compiled.all_elements
        case NoDataPolicy.SKIP_ELEMENT:
            return band.unrestricted
