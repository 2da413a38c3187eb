"""Price quotes over HTTP: what a charge would cost and why, by the kernel that prices sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, post
from litestar.exceptions import NotFoundException, ValidationException
from litestar.params import JSONBody

from deploy.api.conventions.within import Asked, reach_in, wants
from deploy.interface.access import Scope
from deploy.interface.books import Newest, Pool, subject_of
from projections.finding.quotes import (
    PriceQuote,
    QuotedUsage,
    quote_at_station,
    quote_by_tariff,
)
from projections.finding.stays import stays_within
from projections.finding.tariffs import tariffs_within
from projections.stations.registered import declared_id
from tariffs.cdr.report import report_json
from tariffs.explain import explain, notes_of
from tariffs.kernel.priced import Note
from tariffs.model.usage import Activity, UsagePoint, UsageSpan

READINGS_MAX: Final = 1_000
LONGEST: Final = timedelta(days=31)
Amount = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$", max_length=16)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class QuotedReading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The energy since the start, in Wh, at a moment; the last one is at the end."""

    at: Moment
    energy_wh: Amount


class QuotedActivity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the vehicle does from a moment on: charging, or parking, when it wants no power."""

    at: Moment
    activity: Activity


class QuoteWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A charge: by a `tariff`, or at a `station` with a `token` (null: somebody nobody knows).

    `energy_wh` is drawn evenly from start to end, unless `readings` say how (the first one of 0 Wh
    at the start). `activities`: none is charging all the time. `time_zone`: of a tariff that looks
    at the clock; at a station its site's. It is priced by what holds at its start.
    """

    tariff: Name | None = None
    station: Name | None = None
    token: Name | None = None
    starts_at: Moment
    ends_at: Moment
    time_zone: Annotated[str, msgspec.Meta(max_length=64)] = "UTC"
    energy_wh: Amount | None = None
    readings: Annotated[list[QuotedReading], msgspec.Meta(max_length=READINGS_MAX)] = []
    activities: Annotated[list[QuotedActivity], msgspec.Meta(max_length=READINGS_MAX)] = []
    validations: Annotated[list[Name], msgspec.Meta(max_length=20)] = []


class QuotedTotal(msgspec.Struct, frozen=True):
    """An amount; null where the tariff does not tell it (it states no taxes)."""

    before_taxes: str | None
    after_taxes: str | None


class QuotedTax(msgspec.Struct, frozen=True):
    """The tax on a line, in per cent and exactly."""

    percent: str | None
    amount: str


class QuotedPeriod(msgspec.Struct, frozen=True):
    """From when until when a line holds."""

    starts_at: datetime
    ends_at: datetime


class QuotedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the price; amounts are exact, and rounded in the total."""

    dimension: str
    tariff: str
    element: int | None
    volume: str
    billed_volume: str
    unit_price: str
    amount: str
    tax: QuotedTax
    period: QuotedPeriod
    reason: str


class NamedPolicy(msgspec.Struct, frozen=True):
    """By which reading of the standard it is priced."""

    name: str
    version: str


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """A price, line by line, and the whole of it in words (`explanation`)."""

    tariff: str
    tariff_sha256: str
    currency: str
    total: QuotedTotal
    total_unrounded: QuotedTotal
    lines: list[QuotedLine]
    policy: NamedPolicy
    notes: list[Note]
    explanation: str


EXAMPLE: Final = {
    "station": "CS-001",
    "starts_at": "2026-03-02T17:00:00Z",
    "ends_at": "2026-03-02T18:00:00Z",
    "energy_wh": "10000",
}


class QuotesController(Controller):
    """What a charge would cost."""

    tags = ("tariffs",)

    @post(
        "/price-quotes",
        opt=wants(Scope.TARIFFS) | {"changes": False, "example": EXAMPLE},
        status_code=HTTPStatus.OK,
        sync_to_thread=True,
    )
    def quote(self, request: Asked, data: JSONBody[QuoteWish], pool: Pool, newest: Newest) -> Quote:
        """Return what a charge would cost, and why; nothing is kept of it."""
        usage, reach = _usage(data), reach_in(request, Scope.TARIFFS)
        with pool.connection() as connection:
            declared = newest.of(connection)
            token = None if data.token is None else subject_of(connection, data.token)
            station = None if data.station is None else declared_id(connection, data.station)
        if station is None:
            if data.tariff not in tariffs_within(declared, reach):
                message = f"there is no tariff {data.tariff}"
                raise NotFoundException(message)
            return _quoted(quote_by_tariff(declared, data.tariff or "", usage, data.time_zone))
        stays = stays_within(declared, reach)
        if stays is not None and not stays.has(station, data.starts_at):
            message = f"there is no station {data.station}"
            raise NotFoundException(message)
        return _quoted(quote_at_station(declared, station, token, usage))


ROUTES: Final[Sequence[type[Controller]]] = (QuotesController,)


def _usage(wish: QuoteWish) -> QuotedUsage:
    """Return what is to be priced.

    Raises:
        ValidationException: If it is not clear what that is.
    """
    if (wish.tariff is None) == (wish.station is None):
        message = "name a tariff or a station, one of them"
        raise ValidationException(message)
    if (wish.energy_wh is None) == (not wish.readings):
        message = "say energy_wh or readings, one of them"
        raise ValidationException(message)
    if not timedelta(0) <= wish.ends_at - wish.starts_at <= LONGEST:
        message = f"a charge ends when it starts or later, {LONGEST.days} days at most"
        raise ValidationException(message)
    if wish.energy_wh is not None:
        ends = ((wish.starts_at, Decimal(0)), (wish.ends_at, Decimal(wish.energy_wh)))
        points = [UsagePoint(*each) for each in ends]
    else:
        points = [UsagePoint(each.at, Decimal(each.energy_wh)) for each in wish.readings]
    return QuotedUsage(
        starts_at=wish.starts_at,
        ends_at=wish.ends_at,
        points=points,
        spans=[UsageSpan(each.at, each.activity) for each in wish.activities],
        validations=wish.validations,
    )


def _quoted(quote: PriceQuote) -> Quote:
    priced = quote.priced
    told: dict[str, Any] = msgspec.json.decode(
        report_json(priced, identity=None, notes=notes_of(priced))
    )
    told |= {
        "tariff": quote.version.tariff.id,
        "tariff_sha256": quote.version.sha256,
        "explanation": explain(priced),
    }
    return msgspec.convert(told, Quote)
