"""What priced lines say, in words: made once for each component, which thousands of lines share.

A component says the same on each of its lines: why it holds, its price, its rate. What a line adds
of its own is a step, which is often the same one again, or an adjustment, which is made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from tariffs.currencies import currency_exponent
from tariffs.kernel.compiled import CompiledComponent
from tariffs.kernel.priced import UNITS, context_of, reasons_of, step_phrase
from tariffs.kernel.tally import Run
from tariffs.model.tariff import Dimension, Tariff
from tariffs.phrases.english import ENGLISH
from tariffs.phrases.phrase import Phrase
from tariffs.phrases.wording import Context

# Emptied when it is full: every CDR may bring a tariff of its own.
_KNOWN_MAX: Final = 4096
Made = TypeVar("Made")


class OfComponents(Generic[Made]):
    """What is made of a component, and of the tariff that it belongs to, once for all its lines."""

    def __init__(self, make: Callable[[CompiledComponent, Tariff], Made]) -> None:
        self._make = make
        # With the component itself: while it is kept, its id stays its own.
        self._known: dict[int, tuple[Made, CompiledComponent]] = {}

    def __call__(self, component: CompiledComponent, tariff: Tariff) -> Made:
        """Return what is known of *component*, or is made of it now."""
        known = self._known.get(id(component))
        if known is not None:
            return known[0]
        made = self._make(component, tariff)
        # What concerns one session as a whole (a limit, coins, a surcharge) is its own component.
        if component.dimension is not Dimension.SESSION:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[id(component)] = made, component
        return made


class ComponentWords(NamedTuple):
    """What one component says on its lines; `unit` is what makes kWh, hours or a count of units."""

    reason: str
    codes: list[Any]
    price: str
    # With at least the decimals of the currency, as prices are shown.
    shown_price: str
    percent: str | None
    unit: int


def _words(component: CompiledComponent, tariff: Tariff) -> ComponentWords:
    context, vat = context_of(component, tariff.currency), component.vat
    return ComponentWords(
        reason=ENGLISH.joined(component.reasons, context),
        codes=_codes(component.reasons, context),
        price=f"{component.price:f}",
        shown_price=_shown(component.price, currency_exponent(tariff.currency)),
        percent=None if vat is None else f"{vat:f}",
        unit=UNITS[component.dimension],
    )


component_words: Final = OfComponents(_words)


def reason_of(run: Run, tariff: Tariff) -> str:
    """Return why *run* stands where it stands, as a sentence."""
    if run.adjustment is not None:
        currency = tariff.currency
        return ENGLISH.joined(reasons_of(run, currency), context_of(run.component, currency))
    reason = component_words(run.component, tariff).reason
    if run.billed == run.volume:
        return reason
    step, _ = _step_words(run.component.dimension, run.billed - run.volume)
    return f"{reason}{ENGLISH.joint}{step}" if reason else step


def codes_of(run: Run, tariff: Tariff) -> list[Any]:
    """Return why *run* stands where it stands, as codes with all parameters."""
    if run.adjustment is not None:
        currency = tariff.currency
        return _codes(reasons_of(run, currency), context_of(run.component, currency))
    codes = component_words(run.component, tariff).codes
    if run.billed == run.volume:
        return codes
    return [*codes, *_step_words(run.component.dimension, run.billed - run.volume)[1]]


@lru_cache(maxsize=_KNOWN_MAX)
def _step_words(dimension: Dimension, added: int) -> tuple[str, list[Any]]:
    said = (step_phrase(dimension, added),)
    return ENGLISH.joined(said), _codes(said, {})


def _shown(price: Decimal, exponent: int) -> str:
    own = price.as_tuple().exponent
    decimals = -own if isinstance(own, int) else 0
    return f"{price:.{max(decimals, exponent)}f}"


def _codes(reasons: tuple[Phrase, ...], context: Context) -> list[Any]:
    return [msgspec.to_builtins(ENGLISH.whole(each, context)) for each in reasons]
