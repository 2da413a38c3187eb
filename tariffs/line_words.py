"""What priced lines say, in words: made once for each component, which thousands of lines share.

A component says the same on each of its lines: why it holds, its price, its rate. What a line adds
of its own is a step, which is often the same one again, or an adjustment, which is made anew.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from tariffs.currencies import currency_exponent
from tariffs.kernel.compiled import CompiledComponent
from tariffs.kernel.priced import UNITS, context_of, reasons_of, step_phrase
from tariffs.kernel.tally import Run
from tariffs.model.tariff import Dimension
from tariffs.phrases.english import ENGLISH
from tariffs.phrases.phrase import Phrase
from tariffs.phrases.wording import Context

# Emptied when it is full: every CDR may bring a tariff of its own.
_KNOWN_MAX: Final = 4096
_KNOWN: dict[int, ComponentWords] = {}


class ComponentWords(NamedTuple):
    """What one component says on its lines; it is kept here, so that its id stays its own."""

    component: CompiledComponent
    dimension: str
    reason: str
    codes: list[Any]
    price: str
    # With at least the decimals of the currency, as prices are shown.
    shown_price: str
    percent: str | None
    # What a volume is divided by to be kWh, hours or a count.
    unit: int


def component_words(run: Run, currency: str) -> ComponentWords:
    """Return what the component of *run* says on each of its lines."""
    component = run.component
    known = _KNOWN.get(id(component))
    if known is None:
        context, vat = context_of(run, currency), component.vat
        known = ComponentWords(
            component=component,
            dimension=component.dimension.value,
            reason=ENGLISH.joined(component.reasons, context),
            codes=_codes(component.reasons, context),
            price=f"{component.price:f}",
            shown_price=_shown(component.price, currency_exponent(currency)),
            percent=None if vat is None else f"{vat:f}",
            unit=UNITS[component.dimension],
        )
        # What concerns one session as a whole (a limit, coins, a surcharge) is its own component.
        if component.dimension is not Dimension.SESSION:
            if len(_KNOWN) >= _KNOWN_MAX:
                _KNOWN.clear()
            _KNOWN[id(component)] = known
    return known


def reason_and_codes(run: Run, currency: str) -> tuple[str, list[Any]]:
    """Return why *run* stands where it stands: as a sentence, and as codes with all parameters."""
    if run.adjustment is not None:
        said, context = reasons_of(run, currency), context_of(run, currency)
        return ENGLISH.joined(said, context), _codes(said, context)
    words = component_words(run, currency)
    if run.billed == run.volume:
        return words.reason, words.codes
    reason, codes = _step_words(run.component.dimension, run.billed - run.volume)
    return f"{words.reason}{ENGLISH.joint}{reason}" if words.reason else reason, [
        *words.codes,
        *codes,
    ]


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
