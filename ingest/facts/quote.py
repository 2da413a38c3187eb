"""What an OCPP 2.1 station quotes: its tariff, limits, and the cost that it reckons.

Read part by part: what is no amount is not said, whatever stands beside it. Nothing raises.
Source: OCPP 2.1 part 2, TransactionEventRequest (CostDetailsType, TransactionType).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from ingest.facts.lenient import (
    Oddities,
    read_int,
    read_list,
    read_number,
    read_object,
    read_text,
    read_time,
    storable,
)
from ledger.facts.flags import Flag
from ledger.facts.station_quote import (
    ChargingLimit,
    StationAmount,
    StationCost,
    StationPeriod,
    StationQuote,
)

TARIFF_ID_MAX: Final = 60
_FAILURE_MAX: Final = 500
_SECONDS_MAX: Final = 2**31
_PERIODS_MAX: Final = 1000
"""A week of quarters of an hour has fewer."""
_PARTS: Final = (
    "fixed", "energy", "chargingTime", "idleTime", "reservationTime", "reservationFixed",
)  # fmt: skip
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_REACHED: Final = frozenset(
    {"CostLimitReached", "EnergyLimitReached", "TimeLimitReached", "SoCLimitReached"}
)
_REFUSED: Final = "TariffNotAccepted"
_NOTHING: Final = StationQuote()


def read_quote(
    info: Mapping[str, Any], trigger: object, cost: object, oddities: Oddities
) -> StationQuote | None:
    """Return what an event quotes, None for nothing: it hardly ever does.

    Args:
        info: Its `transactionInfo`.
        trigger: Its `triggerReason`.
        cost: Its `costDetails`.
        oddities: Where to note what is odd.
    """
    tariff_id, limit = info.get("tariffId"), info.get("transactionLimit")
    has_reached, has_refused = isinstance(trigger, str) and trigger in _REACHED, trigger == _REFUSED
    if tariff_id is None and limit is None and cost is None and not (has_reached or has_refused):
        return None
    found = StationQuote(
        tariff_id=None if tariff_id is None else _tariff_id(tariff_id, oddities),
        limit=None if limit is None else _limit(read_object(limit), oddities),
        has_reached_limit=has_reached,
        cost=None if cost is None else _cost(cost, oddities),
        has_refused_tariff=has_refused,
    )
    return None if found == _NOTHING else found


def _tariff_id(raw: object, oddities: Oddities) -> str | None:
    text = read_text(raw)
    if text is None or len(text) > TARIFF_ID_MAX:
        oddities.add(Flag.VALUE_UNREADABLE)
        return None
    return storable(text)


def _limit(raw: Mapping[str, Any], oddities: Oddities) -> ChargingLimit | None:
    limit = ChargingLimit(
        cost=_number(raw, "maxCost", oddities),
        energy_wh=_number(raw, "maxEnergy", oddities),
        time_s=_whole(raw, "maxTime", oddities),
        soc_percent=_whole(raw, "maxSoC", oddities),
    )
    return None if limit == ChargingLimit() else limit


def _cost(raw: object, oddities: Oddities) -> StationCost:
    details = read_object(raw)
    total, usage = read_object(details.get("totalCost")), read_object(details.get("totalUsage"))
    found = [(name, _amount(total[name], oddities)) for name in _PARTS if name in total]
    failure = None
    if details.get("failureToCalculate") in (True, "true"):
        failure = storable(read_text(details.get("failureReason")) or "")[:_FAILURE_MAX]
    return StationCost(
        currency=_currency(total.get("currency"), oddities),
        total=_amount(total.get("total"), oddities),
        parts=tuple(found),
        energy=_number(usage, "energy", oddities),
        charging_s=_whole(usage, "chargingTime", oddities),
        idle_s=_whole(usage, "idleTime", oddities),
        reservation_s=_whole(usage, "reservationTime", oddities),
        failure=failure,
        periods=_periods(details.get("chargingPeriods"), oddities),
    )


def _periods(raw: object, oddities: Oddities) -> tuple[StationPeriod, ...]:
    """Return the periods of a cost; none where one has no time, or nobody could reckon by so many.

    Without one of them nothing can be made of the one before.
    """
    told = read_list(raw)
    if len(told) > _PERIODS_MAX:
        oddities.add(Flag.VALUE_UNREADABLE)
        return ()
    found = []
    for each in map(read_object, told):
        starts_at = read_time(each.get("startPeriod"), set())
        if starts_at is None:
            oddities.add(Flag.VALUE_UNREADABLE)
            return ()
        volumes = {
            name: dimension
            for dimension in map(read_object, read_list(each.get("dimensions")))
            if isinstance(name := dimension.get("type"), str)
        }
        period = StationPeriod(
            starts_at=starts_at,
            energy=_number(volumes.get("Energy", {}), "volume", oddities),
            idle_s=_seconds(volumes.get("IdleTIme", volumes.get("IdleTime", {})), oddities),
        )
        found.append(period)
    return tuple(found)


def _seconds(raw: Mapping[str, Any], oddities: Oddities) -> int | None:
    """Return a time in whole seconds: a volume is any number."""
    value = _number(raw, "volume", oddities)
    if value is None:
        return None
    if abs(value) > _SECONDS_MAX:
        oddities.add(Flag.VALUE_UNREADABLE)
        return None
    return round(value)


def _currency(raw: object, oddities: Oddities) -> str | None:
    text = (read_text(raw) or "").strip().upper()
    if _CURRENCY.fullmatch(text):
        return text
    oddities.add(Flag.VALUE_UNREADABLE)
    return None


def _amount(raw: object, oddities: Oddities) -> StationAmount:
    price = read_object(raw)
    return StationAmount(_number(price, "exclTax", oddities), _number(price, "inclTax", oddities))


def _number(raw: Mapping[str, Any], name: str, oddities: Oddities) -> Decimal | None:
    value = raw.get(name)
    return None if value is None else read_number(value, oddities)


def _whole(raw: Mapping[str, Any], name: str, oddities: Oddities) -> int | None:
    value = raw.get(name)
    if value is None:
        return None
    number = read_int(value)
    if number is None or abs(number) > _SECONDS_MAX:
        oddities.add(Flag.VALUE_UNREADABLE)
        return None
    return number
