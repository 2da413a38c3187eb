"""What is said of a price that differs: of itself, of its rate of tax, of its steps."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

import msgspec

from tariffs.calendar.week import Fee, HeldPrice
from tariffs.calendar.words import price_phrase, rate_phrase
from tariffs.diff.change import ChangeKind, TariffChange
from tariffs.model.tariff import Tariff
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.taxes.names import rate_name


class ChangeWindow(NamedTuple):
    """When a change holds: in which windows of the week, at which point of a session."""

    windows: Phrase | None
    when: Phrase | None


class PriceChange(msgspec.Struct, frozen=True):
    """Another price at one stretch, in one point of a session."""

    fee: Fee
    before: HeldPrice | None
    after: HeldPrice | None


def price_changes(
    change: PriceChange, where: ChangeWindow, tariffs: tuple[Tariff, Tariff]
) -> Iterator[TariffChange]:
    """Yield what *change* is of the price, of its tax and of its steps, between two tariffs."""
    old, new = change.before, change.after
    currencies = tariffs[0].currency, tariffs[1].currency
    price = _price_change(change, where, currencies)
    if price is not None:
        yield TariffChange(kind=ChangeKind.PRICE, said=price)
    if old is None or new is None:
        return
    if old.vat != new.vat:
        said = _tax_change(change.fee, where, (old.vat, new.vat), tariffs)
        yield TariffChange(kind=ChangeKind.TAX, said=said)
    if old.step_size != new.step_size:
        said = phrase(
            "step_changes",
            fee=change.fee.name,
            windows=where.windows,
            when=where.when,
            old=old.step_size,
            new=new.step_size,
            unit="Wh" if change.fee is Fee.ENERGY else "s",
        )
        yield TariffChange(kind=ChangeKind.STEP, said=said)


def _price_change(  # noqa: PLR0911 - a way out for each kind of change
    change: PriceChange, where: ChangeWindow, currencies: tuple[str, str]
) -> Phrase | None:
    """Say how a price changes; None where it does not."""
    fee, windows, when = change.fee.name, where.windows, where.when
    before, after = change.before, change.after
    old = price_phrase(before, change.fee, currencies[0])
    new = price_phrase(after, change.fee, currencies[1])
    if before is None or after is None:
        if after is not None:
            return phrase("starts_to_cost", fee=fee, windows=windows, when=when, new=new)
        if before is not None:
            return phrase("becomes_free", fee=fee, windows=windows, when=when, old=old)
        return None
    if currencies[0] != currencies[1]:
        return phrase("price_changes", fee=fee, windows=windows, when=when, old=old, new=new)
    share = _percent(before.price, after.price)
    if after.price > before.price:
        return phrase(
            "price_rises", fee=fee, windows=windows, when=when, old=old, new=new, share=share
        )
    if after.price < before.price:
        return phrase(
            "price_falls", fee=fee, windows=windows, when=when, old=old, new=new, share=share
        )
    return None


def _percent(old: Decimal, new: Decimal) -> Decimal | None:
    """Return by how many percent a price changes, whichever way; None of nothing."""
    share = abs((new - old) * 100 / old) if old else None
    return None if share is None else share.quantize(Decimal("0.1"), ROUND_HALF_UP)


def _tax_change(
    fee: Fee,
    where: ChangeWindow,
    rates: tuple[Decimal | None, Decimal | None],
    tariffs: tuple[Tariff, Tariff],
) -> Phrase:
    """Say how a rate of tax changes, by its name; by both where it is another tax."""
    windows, when = where.windows, where.when
    names = [
        None if rate is None else rate_name(rate, tariff.sales_taxes, tariff.country_code)
        for rate, tariff in zip(rates, tariffs, strict=True)
    ]
    if None not in names and names[0] != names[1]:
        old, new = (
            rate_phrase(rate, tariff)
            for rate, tariff in zip(rates, tariffs, strict=True)
            if rate is not None
        )
        return phrase("tax_changes", fee=fee.name, windows=windows, when=when, old=old, new=new)
    old, new = (
        phrase("no_rate") if rate is None else phrase("percentage", percent=rate) for rate in rates
    )
    name = names[0] or names[1]
    return phrase(
        "rate_changes", name=name, fee=fee.name, windows=windows, when=when, old=old, new=new
    )
