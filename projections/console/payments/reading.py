"""Addresses of this room's lists, read; what cannot be read is said in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from litestar import Response

from projections.console.addresses import AFTER
from projections.console.exports.exporting import Cells, csv_file, xlsx_file
from projections.console.page import ConsolePage
from projections.errors import ProjectionError
from tariffs.currencies import UnknownCurrencyError, currency_exponent

BETWEEN: Final = "~"
_MINOR_MAX: Final = 10**17
_DAYS_MAX: Final = 4
_NUMBER_DIGITS_MAX: Final = 18
_NO_AMOUNT: Final = Decimal("NaN")


class UnreadableListError(ProjectionError):
    """What is to be exported cannot be read from the address."""


class AddressReading:
    """Reads the address of a page; `troubles`: what of it cannot be read."""

    def __init__(self, page: ConsolePage) -> None:
        self._page, self._address = page, page.address
        self.troubles: list[str] = []

    def said(self, name: str) -> str | None:
        """Return what stands there; None: nothing."""
        return self._address.of(name) or None

    def one_of(self, name: str, known: Collection[str]) -> str | None:
        """Return what stands there, one of those; None: nothing."""
        said = self._address.of(name)
        if said and said not in known:
            self._cannot("{value} is none of these: choose one of the list", said)
            return None
        return said or None

    def midnight(self, name: str, *, days: int = 0) -> datetime | None:
        """Return when a day begins in UTC, or the one so many days later."""
        said = self._address.of(name)
        if not said:
            return None
        try:
            day = date.fromisoformat(said) + timedelta(days=days)
        except (ValueError, OverflowError):
            self._cannot("{value} is no day: write it as 2026-03-31", said)
            return None
        return datetime(day.year, day.month, day.day, tzinfo=UTC)

    def waited(self, name: str) -> date | None:
        """Return before which day something moved that waits for so many days; None: any."""
        said = self._address.of(name)
        if not said:
            return None
        if not said.isascii() or not said.isdecimal() or len(said) > _DAYS_MAX:
            self._cannot("{value} is no number of days", said)
            return None
        return self._page.now.astimezone(UTC).date() - timedelta(days=int(said) - 1)

    def amounts(
        self, currency: str | None, currencies: Sequence[str]
    ) -> tuple[int | None, int | None]:
        """Return the least and the most, in minor units of the one currency that is meant."""
        said = self._address.of("min"), self._address.of("max")
        if said == ("", ""):
            return None, None
        meant = currency or (currencies[0] if len(currencies) == 1 else "")
        try:
            exponent = currency_exponent(meant)
        except UnknownCurrencyError:
            self._cannot("choose a currency for the amounts {value}", " ".join(filter(None, said)))
            return None, None
        least, most = (self._minor(text, exponent) for text in said)
        return least, most

    def behind(self) -> tuple[datetime, str] | None:
        """Return behind which moment and key the list goes on; None: from its beginning."""
        said = self._address.of(AFTER)
        if not said:
            return None
        at, _, key = said.partition(BETWEEN)
        try:
            moment = datetime.fromisoformat(at)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None or not key or "\0" in key:
            self._cannot("{value} is no place in this list: begin at its first page", said)
            return None
        return moment.astimezone(UTC), key

    def before(self) -> int | None:
        """Return before which number the list goes on; None: from its beginning."""
        said = self._address.of(AFTER)
        if not said:
            return None
        if not said.isascii() or not said.isdecimal() or len(said) > _NUMBER_DIGITS_MAX:
            self._cannot("{value} is no place in this list: begin at its first page", said)
            return None
        return int(said)

    def _minor(self, said: str, exponent: int) -> int | None:
        if not said:
            return None
        try:
            minor = Decimal(said.replace(",", ".")).scaleb(exponent)
        except ArithmeticError:
            minor = _NO_AMOUNT
        if not minor.is_finite() or abs(minor) > _MINOR_MAX or minor != minor.to_integral_value():
            self._cannot("{value} is no amount: write it as 12.34", said)
            return None
        return abs(int(minor))

    def _cannot(self, message: str, value: str) -> None:
        self.troubles.append(self._page.text(message, value=value[:100]))


def exported(
    page: ConsolePage, form: str, name: str, heading: Sequence[str], rows: Iterable[Cells]
) -> Response[Any]:
    """Return *rows* as a file of a *form*: "csv", or "xlsx".

    Raises:
        UnreadableListError: If there is no such form.
    """
    if form == "csv":
        return csv_file(name, heading, rows)
    if form == "xlsx":
        return xlsx_file(name, name.title(), heading, rows)
    raise UnreadableListError(page.text("{value} is no format: csv or xlsx", value=form[:20]))


def place_of(at: datetime, key: str) -> str:
    """Return where a list goes on, as `AddressReading.behind` reads it."""
    return f"{at.isoformat()}{BETWEEN}{key}"
