"""A priced CDR or session as plain data, for JSON: exact texts, lines with reasons, notes."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec

from tariffs.cdr.differences import CostPair, Difference, costs_of
from tariffs.kernel.priced import Note, PricedLine, PricedSession
from tariffs.phrases.english import ENGLISH
from tariffs.quantities import decimal_of_ratio, money_of_minor


def report_of(
    priced: PricedSession,
    *,
    identity: str | None,
    notes: Iterable[Note],
    differences: Iterable[Difference] = (),
    is_credit: bool = False,
) -> dict[str, Any]:
    """Return what *priced* says, as the object that `wattledger price --json` prints.

    Amounts and volumes are exact texts; an amount that the tariff does not tell (no VAT stated)
    is null. `total` is rounded by the policy, `total_unrounded` is not.
    """
    exact = costs_of(priced, is_credit=is_credit)["total_cost"]
    return {
        "id": identity,
        "currency": priced.currency,
        "total": _rounded(priced, exact, is_credit=is_credit),
        "total_unrounded": {
            "before_taxes": _fraction(exact.before),
            "after_taxes": _fraction(exact.after),
        },
        "lines": [_line(line) for line in priced.lines],
        "policy": {"name": priced.policy.name, "version": priced.policy.version},
        "notes": [
            {"code": note.code, "message": note.message, "place": note.spot} for note in notes
        ],
        "differences": [_difference(each) for each in differences],
    }


def _rounded(priced: PricedSession, exact: CostPair, *, is_credit: bool) -> dict[str, str | None]:
    sign = -1 if is_credit else 1

    def text(minor: int, known: Fraction | None) -> str | None:
        if known is None:
            return None
        return f"{money_of_minor(sign * minor, priced.currency).amount:f}"

    return {
        "before_taxes": text(priced.before_minor, exact.before),
        "after_taxes": text(priced.after_minor, exact.after),
    }


def _line(line: PricedLine) -> dict[str, Any]:
    percent = line.tax_percent
    return {
        "dimension": line.dimension.value,
        "tariff": line.tariff_id,
        "element": line.element_index,
        "volume": _text(line.volume),
        "billed_volume": _text(line.billed_volume),
        "unit_price": _text(line.unit_price),
        "amount": _text(line.amount.amount),
        "tax": {
            "percent": None if percent is None else _text(percent),
            "amount": _text(line.tax_amount.amount),
        },
        "period": {"starts_at": _moment(line, "start"), "ends_at": _moment(line, "end")},
        "reason": ENGLISH.joined(line.reasons, line.context),
        "codes": [msgspec.to_builtins(ENGLISH.whole(each, line.context)) for each in line.reasons],
    }


def _moment(line: PricedLine, end: str) -> str:
    moment = line.starts_at if end == "start" else line.ends_at
    return moment.isoformat().replace("+00:00", "Z")


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


def _fraction(exact: Fraction | None) -> str | None:
    return None if exact is None else _text(decimal_of_ratio(exact.numerator, exact.denominator))
