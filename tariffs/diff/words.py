"""What differs between two tariffs beside their prices: settings, elements, adjustments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from difflib import SequenceMatcher
from typing import Final

import msgspec

from tariffs.adjustments.adjustment import Adjustment, GroupGrant, ValidationGrant
from tariffs.adjustments.shared import Allowance, CouponGrant, PeriodCap
from tariffs.calendar.words import (
    amount_text,
    clock_text,
    element_phrase,
    rate_phrase,
    whole_adjustment_phrase,
)
from tariffs.diff.change import ChangeKind
from tariffs.diff.frozen import frozen_changes
from tariffs.model.canonical import canonical_json
from tariffs.model.tariff import PriceLimit, Tariff, TariffElement
from tariffs.phrases.phrase import Phrase, phrase

_PLAIN_FIELDS: Final = (
    "id",
    "name",
    "currency",
    "type",
    "country_code",
    "party_id",
    "alt_url",
    "step_policy",
    "rounding",
    "rounding_mode",
    "flat_policy",
)

# A kind and what changes.
Said = tuple[ChangeKind, Phrase]


def setting_changes(before: Tariff, after: Tariff) -> Iterator[Said]:
    """Yield a kind and a phrase for each change that is not a price of an hour."""
    for said in _settings(before, after):
        yield ChangeKind.SETTING, said
    yield from frozen_changes(before, after)
    yield from _elements(_dateless(before), _dateless(after))
    yield from _adjustments(before, after)


def _settings(before: Tariff, after: Tariff) -> Iterator[Phrase]:
    for field in _PLAIN_FIELDS:
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            yield phrase("setting_changes", setting=field, old=_shown(old), new=_shown(new))
    if before.tax_included is not after.tax_included:
        was, now = before.tax_included.value, after.tax_included.value
        yield phrase("prices_meant_otherwise", old=was, new=now)
    if before.below_zero is not after.below_zero:
        yield phrase("below_zero_allowed") if after.below_zero else phrase("below_zero_refused")
    yield from _taxes(before, after)
    yield from _limits(before, after)
    if before.preauthorize_amount != after.preauthorize_amount:
        yield phrase("put_aside_changes", old=_put_aside(before), new=_put_aside(after))
    if before.start_date_time != after.start_date_time:
        old, new = _moment(before.start_date_time), _moment(after.start_date_time)
        yield phrase("valid_from_changes", old=old, new=new)
    if before.end_date_time != after.end_date_time:
        old, new = _moment(before.end_date_time), _moment(after.end_date_time)
        yield phrase("valid_until_changes", old=old, new=new)
    if before.alt_text != after.alt_text:
        yield phrase("driver_text_changes")


def _taxes(before: Tariff, after: Tariff) -> Iterator[Phrase]:
    if before.sales_taxes != after.sales_taxes:
        old, new = _sales_taxes(before), _sales_taxes(after)
        yield phrase("percent_taxes_change", old=old, new=new)
    if before.quantity_taxes != after.quantity_taxes:
        old, new = _quantity_taxes(before), _quantity_taxes(after)
        yield phrase("kwh_taxes_change", old=old, new=new)


def _limits(before: Tariff, after: Tariff) -> Iterator[Phrase]:
    if before.min_price != after.min_price:
        old, new = (_limit(each.min_price, each.currency) for each in (before, after))
        yield phrase("least_changes", old=old, new=new)
    if before.max_price != after.max_price:
        old, new = (_limit(each.max_price, each.currency) for each in (before, after))
        yield phrase("most_changes", old=old, new=new)


def _shown(value: object) -> Phrase:
    return phrase("nothing_said") if value is None else phrase("text_said", text=str(value))


def _sales_taxes(tariff: Tariff) -> tuple[Phrase, ...]:
    return _listed(
        phrase(
            "percent_tax",
            name=tax.name,
            percent=tax.percent,
            stack="yes" if tax.stack else None,
        )
        for tax in tariff.sales_taxes
    )


def _quantity_taxes(tariff: Tariff) -> tuple[Phrase, ...]:
    return _listed(
        phrase(
            "kwh_tax",
            name=tax.name,
            amount=amount_text(tax.per_kwh, tariff.currency),
            currency=tariff.currency,
            tax=None if tax.vat is None else rate_phrase(tax.vat, tariff),
        )
        for tax in tariff.quantity_taxes
    )


def _listed(taxes: Iterable[Phrase]) -> tuple[Phrase, ...]:
    return tuple(taxes) or (phrase("no_taxes_of_its_own"),)


def _limit(limit: PriceLimit | None, currency: str) -> Phrase:
    if limit is None:
        return phrase("no_limit")
    before = amount_text(limit.before_taxes, currency)
    if limit.after_taxes is None:
        return phrase("limit_before", before=before, currency=currency)
    after = amount_text(limit.after_taxes, currency)
    return phrase("limit_of_both", before=before, after=after, currency=currency)


def _put_aside(tariff: Tariff) -> Phrase:
    if tariff.preauthorize_amount is None:
        return phrase("put_aside_likely")
    amount = amount_text(tariff.preauthorize_amount, tariff.currency)
    return phrase("put_aside", amount=amount, currency=tariff.currency)


def _moment(moment: datetime | None) -> Phrase:
    if moment is None:
        return phrase("no_moment_set")
    day, clock = moment.date().isoformat(), clock_text(moment.time())
    return phrase("moment_set", day=day, clock=clock, zone=f"{moment:%Z}")


def _dateless(tariff: Tariff) -> Tariff:
    """Return *tariff* without the dates of its holidays, of which its elements say no word."""
    elements = tuple(
        msgspec.structs.replace(
            each, restrictions=msgspec.structs.replace(each.restrictions, holidays=(date.min,))
        )
        if each.restrictions.holidays
        else each
        for each in tariff.elements
    )
    return msgspec.structs.replace(tariff, elements=elements)


def _elements(before: Tariff, after: Tariff) -> Iterator[Said]:
    """Yield which elements were added, removed, changed or moved.

    Elements are the same if they say the same; a changed one is found again by its name.
    """
    olds = [canonical_json(element) for element in before.elements]
    news = [canonical_json(element) for element in after.elements]
    matcher = SequenceMatcher(a=olds, b=news, autojunk=False)
    removed: list[int] = []
    added: list[int] = []
    for tag, a_low, a_high, b_low, b_high in matcher.get_opcodes():
        if tag != "equal":
            removed += range(a_low, a_high)
            added += range(b_low, b_high)
    for old, new in _pairs(before, after, removed, added):
        removed.remove(old)
        added.remove(new)
        yield ChangeKind.ELEMENT, _element_change(before, after, old, new)
    for index in removed:
        element = before.elements[index]
        what = element_phrase(element, before)
        yield (
            ChangeKind.ELEMENT,
            phrase("element_removed", element=index, name=element.name, what=what),
        )
    for index in added:
        element = after.elements[index]
        what = element_phrase(element, after)
        yield (
            ChangeKind.ELEMENT,
            phrase("element_added", element=index, name=element.name, what=what),
        )


def _pairs(
    before: Tariff, after: Tariff, removed: list[int], added: list[int]
) -> list[tuple[int, int]]:
    """Return which removed element is which added one: same words, same name, or same gap."""
    pairs: list[tuple[int, int]] = []
    olds, news = dict.fromkeys(removed), dict.fromkeys(added)
    for sameness in (_what_it_says, _its_name, _all_but_one_respect):
        # Looked up: of a thousand elements each pair would be a million to look at.
        known: defaultdict[object, list[int]] = defaultdict(list)
        for new in reversed(news):
            for key in sameness(after.elements[new], is_old=False):
                known[key].append(new)
        for old in [*olds]:
            found = []
            for key in sameness(before.elements[old], is_old=True):
                alike = known.get(key, [])
                while alike and alike[-1] not in news:
                    alike.pop()
                found += alike[-1:]
            if found:
                pairs.append((old, min(found)))
                del olds[old], news[min(found)]
    return sorted(pairs)


def _what_it_says(element: TariffElement, *, is_old: bool) -> Iterator[object]:
    """Yield by what elements that say the same are known."""
    del is_old
    yield element


def _its_name(element: TariffElement, *, is_old: bool) -> Iterator[object]:
    """Yield by what elements of one name are known."""
    del is_old
    if element.name is not None:
        yield element.name


def _all_but_one_respect(element: TariffElement, *, is_old: bool) -> Iterator[object]:
    """Yield by what elements without a common name are known that differ in one respect only.

    Two that both have a name have none in common by now.
    """
    dimensions = tuple(component.dimension for component in element.price_components)
    is_named = element.name is not None
    for has_name in {False, not is_named} if is_old else {is_named}:
        yield has_name, element.price_components
        yield has_name, dimensions, element.restrictions


def _element_change(before: Tariff, after: Tariff, old: int, new: int) -> Phrase:
    was, now = before.elements[old], after.elements[new]
    name = now.name
    if msgspec.structs.replace(was, name=None) == msgspec.structs.replace(now, name=None):
        if was.name != now.name:
            return phrase("element_renamed", element=new, name=name, old=_shown(was.name))
        return phrase("element_moves", element=new, name=name, old=old, new=new)
    said = element_phrase(was, before), element_phrase(now, after)
    if said[0] == said[1]:
        steps = _steps(was), _steps(now)
        return phrase("element_steps_change", element=new, name=name, old=steps[0], new=steps[1])
    return phrase("element_changes", element=new, name=name, old=said[0], new=said[1])


def _steps(element: TariffElement) -> tuple[Phrase, ...]:
    return tuple(
        phrase("step_of", dimension=each.dimension, step=each.step_size)
        for each in element.price_components
    )


def _adjustments(before: Tariff, after: Tariff) -> Iterator[Said]:
    olds = [canonical_json(adjustment) for adjustment in before.adjustments]
    news = [canonical_json(adjustment) for adjustment in after.adjustments]
    for adjustment, text in zip(before.adjustments, olds, strict=True):
        if text not in news:
            named, what, on = _named(adjustment, before.currency)
            yield ChangeKind.ADJUSTMENT, phrase("adjustment_removed", named=named, what=what, on=on)
    for adjustment, text in zip(after.adjustments, news, strict=True):
        if text not in olds:
            named, what, on = _named(adjustment, after.currency)
            yield ChangeKind.ADJUSTMENT, phrase("adjustment_added", named=named, what=what, on=on)
    kept_old = [text for text in olds if text in news]
    kept_new = [text for text in news if text in olds]
    if kept_old != kept_new:
        yield ChangeKind.ADJUSTMENT, phrase("adjustments_reordered")


def _named(
    adjustment: Adjustment, currency: str
) -> tuple[Phrase | None, Phrase, tuple[str, ...] | None]:
    """Return what an adjustment is called and what it is on, where its words leave that out.

    Between the two is what it does.
    """
    said = whole_adjustment_phrase(adjustment, currency)
    named = said if isinstance(adjustment, Allowance | PeriodCap) else None
    if isinstance(adjustment, GroupGrant | ValidationGrant | Allowance | CouponGrant):
        return named, said, adjustment.dimensions
    return named, said, None
