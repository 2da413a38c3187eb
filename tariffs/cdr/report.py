"""A priced CDR or session as plain data, for JSON: exact texts, lines with reasons, notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from tariffs.cdr.differences import TOTAL_COST, CostPair, Difference, cost_of
from tariffs.kernel.priced import Note, PricedSession
from tariffs.line_words import component_words, reason_and_codes
from tariffs.moment_texts import utc_text
from tariffs.quantities import minor_text, ratio_text


def report_of(
    priced: PricedSession,
    *,
    identity: str | None,
    notes: Iterable[Note],
    source: str | None = None,
    differences: Iterable[Difference] = (),
    is_credit: bool = False,
) -> dict[str, Any]:
    """Return what *priced* says, as the object that `wattledger price --json` prints.

    Amounts and volumes are exact texts; an amount that the tariff does not tell (no VAT stated)
    is null. `total` is rounded by the policy, `total_unrounded` is not.
    """
    exact = cost_of(priced, TOTAL_COST, is_credit=is_credit)
    named = {"id": identity} if source is None else {"id": identity, "source": source}
    return {
        **named,
        "currency": priced.currency,
        "total": _rounded(priced, exact, is_credit=is_credit),
        "total_unrounded": {
            "before_taxes": _exact(exact, exact.before),
            "after_taxes": _exact(exact, exact.after),
        },
        "lines": list(_lines(priced)),
        "policy": {"name": priced.policy.name, "version": priced.policy.version},
        "notes": [
            {"code": note.code, "message": note.message, "place": note.spot} for note in notes
        ],
        "differences": [_difference(each) for each in differences],
    }


def _rounded(priced: PricedSession, exact: CostPair, *, is_credit: bool) -> dict[str, str | None]:
    sign = -1 if is_credit else 1

    def text(minor: int, known: int | None) -> str | None:
        if known is None:
            return None
        return minor_text(sign * minor, priced.compiled.exponent)

    return {
        "before_taxes": text(priced.before_minor, exact.before),
        "after_taxes": text(priced.after_minor, exact.after),
    }


def _lines(priced: PricedSession) -> Iterator[dict[str, Any]]:
    moments: dict[int, str] = {}
    amounts, currency, denominator = priced.amounts, priced.currency, priced.denominator
    for run, before, tax in zip(priced.runs, amounts.befores, amounts.taxes, strict=True):
        said = component_words(run, currency)
        volume = ratio_text(run.volume, said.unit)
        billed = volume if run.billed == run.volume else ratio_text(run.billed, said.unit)
        for at in (run.starts_us, run.ends_us):
            if at not in moments:
                moments[at] = utc_text(at)
        reason, codes = reason_and_codes(run, currency)
        yield {
            "dimension": said.dimension,
            "tariff": run.component.tariff_id,
            "element": run.component.element_index,
            "volume": volume,
            "billed_volume": billed,
            "unit_price": said.price,
            "amount": ratio_text(before, denominator),
            "tax": {"percent": said.percent, "amount": ratio_text(tax, denominator)},
            "period": {"starts_at": moments[run.starts_us], "ends_at": moments[run.ends_us]},
            "reason": reason,
            "codes": codes,
        }


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "field": difference.field,
        "stated": _text(difference.stated),
        "ours": _text(difference.ours),
        "difference": _text(difference.difference),
        "reason": difference.reason,
        "policies": list(difference.policies),
    }


def _text(number: Decimal) -> str:
    return f"{number:f}"


def _exact(cost: CostPair, numerator: int | None) -> str | None:
    return None if numerator is None else ratio_text(numerator, cost.denominator)
