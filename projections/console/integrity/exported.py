"""The trial balance as a file, of exactly the books that the page shows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from litestar import Response
from litestar.exceptions import NotFoundException

from projections.balances.trial import TrialBalance
from projections.console.exports.exporting import Cells, csv_file, xlsx_file
from tariffs.currencies import currency_exponent

_HEADING: Final = ("account", "currency", "debit", "credit", "balance")


def balance_file(form: str, balance: TrialBalance) -> Response[Any]:
    """Return a trial balance as *form*: "csv" or "xlsx", its amounts exact.

    Raises:
        NotFoundException: If it is asked for in another form.
    """
    rows: list[Cells] = [
        (
            each.account,
            each.currency,
            *(
                Decimal(minor).scaleb(-currency_exponent(each.currency))
                for minor in (each.debit_minor, each.credit_minor, each.balance_minor)
            ),
        )
        for each in balance.accounts
    ]
    match form:
        case "csv":
            return csv_file("trial-balance", _HEADING, rows)
        case "xlsx":
            return xlsx_file("trial-balance", "Trial balance", _HEADING, rows)
        case _:
            raise NotFoundException(detail="a trial balance is exported as csv or xlsx")
