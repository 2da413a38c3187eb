"""What differs between two tariffs beside their prices: settings, elements, adjustments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from difflib import SequenceMatcher
from typing import Final

import msgspec

from tariffs.adjustments.adjustment import Adjustment
from tariffs.calendar.words import amount_text, element_label, element_text, rate_text
from tariffs.model.canonical import canonical_json
from tariffs.model.tariff import PriceLimit, Tariff, TariffElement
from tariffs.quantities import plain

# Kinds as in diff.ChangeKind, which builds on this module.
SETTING: Final = "setting"
ELEMENT: Final = "element"
ADJUSTMENT: Final = "adjustment"

_PLAIN_FIELDS: Final = (
    ("id", "Id"),
    ("name", "Name"),
    ("currency", "Currency"),
    ("type", "Type"),
    ("country_code", "Country code"),
    ("party_id", "Party"),
    ("alt_url", "Link for drivers"),
    ("step_policy", "How steps count"),
    ("rounding", "What is rounded"),
    ("rounding_mode", "How it is rounded"),
    ("flat_policy", "Which session fees count"),
)
_TAX_WORDS: Final = {"YES": "including taxes", "NO": "before taxes", "N/A": "without taxes"}

# A kind and a sentence.
Said = tuple[str, str]


def setting_changes(before: Tariff, after: Tariff) -> Iterator[Said]:
    """Yield a (kind, sentence) for each change that is not a price of an hour."""
    for field, word in _PLAIN_FIELDS:
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            yield SETTING, f"{word} changes from {_shown(old)} to {_shown(new)}"
    if before.tax_included is not after.tax_included:
        was, now = (_TAX_WORDS[t.tax_included.value] for t in (before, after))
        yield SETTING, f"Prices were {was} and are now {now}: compare them with care"
    if before.below_zero is not after.below_zero:
        now = "may now be" if after.below_zero else "may no longer be"
        yield SETTING, f"Prices {now} below zero"
    if before.sales_taxes != after.sales_taxes:
        yield SETTING, f"Taxes in percent: {_sales_taxes(after)} (was {_sales_taxes(before)})"
    if before.quantity_taxes != after.quantity_taxes:
        yield SETTING, f"Taxes per kWh: {_quantity_taxes(after)} (was {_quantity_taxes(before)})"
    yield from _limit("A session costs at least", before, after, "min_price")
    yield from _limit("A session costs at most", before, after, "max_price")
    if before.preauthorize_amount != after.preauthorize_amount:
        held = [
            "what is likely" if each is None else f"{plain(each):f}"
            for each in (after.preauthorize_amount, before.preauthorize_amount)
        ]
        yield SETTING, f"Before an ad hoc start is put aside: {held[0]} (was {held[1]})"
    yield from _validity("from", before.start_date_time, after.start_date_time)
    yield from _validity("until", before.end_date_time, after.end_date_time)
    if before.alt_text != after.alt_text:
        yield SETTING, "The text for drivers changes"
    yield from _elements(before, after)
    yield from _adjustments(before, after)


def _shown(value: object) -> str:
    return "nothing" if value is None else f"{str(value)!r}"


def _sales_taxes(tariff: Tariff) -> str:
    return _listed(
        f"{tax.name} {tax.percent:f} %" + (" on those before it" if tax.stack else "")
        for tax in tariff.sales_taxes
    )


def _quantity_taxes(tariff: Tariff) -> str:
    return _listed(
        f"{tax.name} {amount_text(tax.per_kwh, tariff.currency)} {tariff.currency}"
        + ("" if tax.vat is None else f" + {rate_text(tax.vat, tariff)}")
        for tax in tariff.quantity_taxes
    )


def _listed(taxes: Iterable[str]) -> str:
    return ", ".join(taxes) or "none of its own"


def _limit(words: str, before: Tariff, after: Tariff, field: str) -> Iterator[Said]:
    old: PriceLimit | None = getattr(before, field)
    new: PriceLimit | None = getattr(after, field)
    if old != new:
        was, now = _limit_text(old, before.currency), _limit_text(new, after.currency)
        yield SETTING, f"{words} {now} (was {was})"


def _limit_text(limit: PriceLimit | None, currency: str) -> str:
    if limit is None:
        return "whatever its lines add up to"
    text = f"{amount_text(limit.before_taxes, currency)} {currency} before taxes"
    if limit.after_taxes is None:
        return text
    return f"{text} and {amount_text(limit.after_taxes, currency)} {currency} after taxes"


def _validity(word: str, old: datetime | None, new: datetime | None) -> Iterator[Said]:
    if old != new:
        yield SETTING, f"Valid {word} {_moment(new)} (was {_moment(old)})"


def _moment(moment: datetime | None) -> str:
    return "no set date" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S %Z}"


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
        yield ELEMENT, _element_change(before, after, old, new)
    for index in removed:
        element = before.elements[index]
        label, text = element_label(index, element.name), element_text(element, before)
        yield ELEMENT, f"{_capital(label)} is removed: {text}"
    for index in added:
        element = after.elements[index]
        label, text = element_label(index, element.name), element_text(element, after)
        yield ELEMENT, f"{_capital(label)} is added: {text}"


def _pairs(
    before: Tariff, after: Tariff, removed: list[int], added: list[int]
) -> list[tuple[int, int]]:
    """Return which removed element is which added one: same words, same name, or same gap."""
    pairs: list[tuple[int, int]] = []
    for same in (_says_the_same, _has_the_same_name, _prices_the_same_things):
        for old in removed:
            for new in added:
                free = all(old != a and new != b for a, b in pairs)
                if free and same(before.elements[old], after.elements[new]):
                    pairs.append((old, new))
    return sorted(pairs)


def _says_the_same(old: TariffElement, new: TariffElement) -> bool:
    return old == new


def _has_the_same_name(old: TariffElement, new: TariffElement) -> bool:
    return old.name is not None and old.name == new.name


def _prices_the_same_things(old: TariffElement, new: TariffElement) -> bool:
    """Tell whether two elements without a common name differ in one respect only."""
    if old.name is not None and new.name is not None:
        return False
    dimensions = [[c.dimension for c in e.price_components] for e in (old, new)]
    same_prices = old.price_components == new.price_components
    return dimensions[0] == dimensions[1] and (same_prices or old.restrictions == new.restrictions)


def _element_change(before: Tariff, after: Tariff, old: int, new: int) -> str:
    was, now = before.elements[old], after.elements[new]
    label = _capital(element_label(new, now.name))
    if msgspec.structs.replace(was, name=None) == msgspec.structs.replace(now, name=None):
        if was.name != now.name:
            return f"{label} was called {_shown(was.name)}"
        return f"{label} moves from place {old + 1} to place {new + 1}"
    texts = element_text(was, before), element_text(now, after)
    if texts[0] == texts[1]:
        return f"{label} bills in other steps: {_steps(was)} became {_steps(now)}"
    return f"{label} changes from: {texts[0]}, to: {texts[1]}"


def _steps(element: TariffElement) -> str:
    return ", ".join(f"{c.dimension} step_size {c.step_size}" for c in element.price_components)


def _adjustments(before: Tariff, after: Tariff) -> Iterator[Said]:
    olds = [canonical_json(adjustment) for adjustment in before.adjustments]
    news = [canonical_json(adjustment) for adjustment in after.adjustments]
    for adjustment, text in zip(before.adjustments, olds, strict=True):
        if text not in news:
            yield ADJUSTMENT, f"Adjustment is removed: {adjustment_text(adjustment)}"
    for adjustment, text in zip(after.adjustments, news, strict=True):
        if text not in olds:
            yield ADJUSTMENT, f"Adjustment is added: {adjustment_text(adjustment)}"
    kept_old = [text for text in olds if text in news]
    kept_new = [text for text in news if text in olds]
    if kept_old != kept_new:
        yield ADJUSTMENT, "Adjustments apply in another order"


def adjustment_text(adjustment: Adjustment) -> str:
    """Return an adjustment in words: "idle grace: seconds 900 (time to come back)"."""
    fields = msgspec.to_builtins(adjustment)
    kind = str(fields.pop("type")).replace("_", " ")
    reason = fields.pop("reason", None)
    said = ", ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in fields.items())
    because = "" if reason is None else f" ({reason})"
    return f"{kind}: {said}{because}" if said else f"{kind}{because}"


def _value(value: object) -> str:
    return " + ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"
