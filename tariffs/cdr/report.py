"""A priced CDR or session as one object of JSON: exact texts, lines with reasons, notes.

It is put together of pieces of JSON. What a line says of its component (element, price, rate,
reason, codes) is the same on thousands of lines and is written once; only volumes, amounts and
times are a line's own. A dictionary of all of it, only to write it out, takes longer than to price.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from tariffs.cdr.differences import TOTAL_COST, CostPair, Difference, cost_of
from tariffs.kernel.compiled import CompiledComponent
from tariffs.kernel.priced import Note, PricedSession
from tariffs.line_words import OfComponents, codes_of, component_words, reason_of
from tariffs.model.tariff import Tariff
from tariffs.moment_texts import utc_text
from tariffs.quantities import minor_text, ratio_text

_encode: Final = msgspec.json.Encoder().encode


class _LineJson(NamedTuple):
    """The JSON of a component's lines, cut where a volume, an amount or a time stands."""

    before_volume: str
    before_amount: str
    before_tax: str
    after_times: str
    unit: int


def report_json(
    priced: PricedSession,
    *,
    identity: str | None,
    notes: Sequence[Note],
    source: str | None = None,
    differences: Sequence[Difference] = (),
    is_credit: bool = False,
) -> str:
    """Return what *priced* says, as the JSON object that `wattledger price --json` prints.

    Amounts and volumes are exact texts; an amount that the tariff does not tell (no VAT stated)
    is null. `total` is rounded by the policy, `total_unrounded` is not.
    """
    exact, exponent = cost_of(priced, TOTAL_COST, is_credit=is_credit), priced.compiled.exponent
    sign = -1 if is_credit else 1
    before, after = sign * priced.before_minor, sign * priced.after_minor
    policy, named = priced.policy, "" if source is None else f',"source":{_text(source)}'
    return (
        f'{{"id":{_text(identity)}{named},"currency":"{priced.currency}",'
        f'"total":{{"before_taxes":{_known(exact.before, minor_text(before, exponent))},'
        f'"after_taxes":{_known(exact.after, minor_text(after, exponent))}}},'
        f'"total_unrounded":{{"before_taxes":{_exact(exact, exact.before)},'
        f'"after_taxes":{_exact(exact, exact.after)}}},'
        f'"lines":[{",".join(_lines(priced))}],'
        f'"policy":{{"name":{_text(policy.name)},"version":{_text(policy.version)}}},'
        f'"notes":{_encode(notes).decode()},'
        f'"differences":{_encode([_difference(each) for each in differences]).decode()}}}'
    )


def _lines(priced: PricedSession) -> list[str]:
    moments: dict[int, str] = {}
    lines: list[str] = []
    amounts, tariff, denominator = priced.amounts, priced.compiled.tariff, priced.denominator
    for run, before, tax in zip(priced.runs, amounts.befores, amounts.taxes, strict=True):
        head, mid, tail, end, unit = _line_json(run.component, tariff)
        if run.adjustment is not None or run.billed != run.volume:
            end = _why(reason_of(run, tariff), codes_of(run, tariff))
        volume = ratio_text(run.volume, unit)
        billed = volume if run.billed == run.volume else ratio_text(run.billed, unit)
        starts_at, ends_at = moments.get(run.starts_us), moments.get(run.ends_us)
        if starts_at is None:
            starts_at = moments[run.starts_us] = utc_text(run.starts_us)
        if ends_at is None:
            ends_at = moments[run.ends_us] = utc_text(run.ends_us)
        lines.append(
            f'{head}{volume}","billed_volume":"{billed}{mid}{ratio_text(before, denominator)}'
            f'{tail}{ratio_text(tax, denominator)}"}},"period":{{"starts_at":"{starts_at}",'
            f'"ends_at":"{ends_at}{end}'
        )
    return lines


def _pieces(component: CompiledComponent, tariff: Tariff) -> _LineJson:
    words, element = component_words(component, tariff), component.element_index
    return _LineJson(
        f'{{"dimension":"{component.dimension.value}","tariff":{_text(component.tariff_id)},'
        f'"element":{"null" if element is None else element},"volume":"',
        f'","unit_price":"{words.price}","amount":"',
        f'","tax":{{"percent":{_text(words.percent)},"amount":"',
        _why(words.reason, words.codes),
        words.unit,
    )


_line_json: Final = OfComponents(_pieces)


def _why(reason: str, codes: list[Any]) -> str:
    return f'"}},"reason":{_text(reason)},"codes":{_encode(codes).decode()}}}'


def _difference(difference: Difference) -> dict[str, Any]:
    numbers = {"stated": difference.stated, "ours": difference.ours}
    numbers["difference"] = difference.difference
    return {
        "field": difference.field,
        **{name: f"{number:f}" for name, number in numbers.items()},
        "reason": difference.reason,
        "policies": difference.policies,
    }


def _text(text: str | None) -> str:
    return _encode(text).decode()


def _known(exact: int | None, digits: str) -> str:
    return "null" if exact is None else f'"{digits}"'


def _exact(cost: CostPair, numerator: int | None) -> str:
    return "null" if numerator is None else f'"{ratio_text(numerator, cost.denominator)}"'
