"""What an OCPP 2.1 station is told of its terms: tariffs, where the policy says so, and limits.

    it boots                                -> SetDefaultTariff: what whoever comes pays there
    it shows that it lives, after a change  -> the same, or ClearTariffs where there is none now
    Authorize of an accepted token          -> `tariff`: what its bearer pays there
    an event with an accepted token         -> `transactionLimit`: how far its assignment lets it
                                               go, what is left to who pays in advance, or how far
                                               its driver said, whichever is less

A tariff that OCPP 2.1 cannot say as we bill it is not sent (a warning names what it cannot); only
a price that has no end in decimals is rounded, far below what any session could show.
Source: OCPP 2.1 part 2, blocks I (tariff and cost) and E (transaction limits).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from ingest.answers.answering import AnsweringParts, Question, TokenAnswer
from ingest.facts.lenient import read_number
from ingest.rpc.fields import PayloadFields
from ledger.declared.declarations import TariffInForce
from ledger.master_data.assignments import NO_LIMITS, SessionLimits
from ledger.rating.basis import CompiledKey
from tariffs.ocpp21.messages import ocpp_json
from tariffs.ocpp21.stations import ROUNDED, UnsayableTariffError, station_tariff

DECIMALS: Final = 8
"""Places of a price per minute: a year of it is off by less than a cent."""
_EVERY_EVSE: Final = 0
_LOGGER: Final = logging.getLogger(__name__)


async def default_tariff(parts: AnsweringParts, *, has_booted: bool = False) -> Question | None:
    """Return the call that brings the tariff of whoever comes at a station up to date, if any.

    One that *has_booted* may have lost what it was sent. What is in force no more, or cannot be
    said, is taken away again: by an old price a station would only reckon wrong.
    """
    sent, found = parts.sent_tariff, None
    if (await parts.directory.policy_in_force()).tariffs_to_stations:
        found = _said(await parts.directory.tariff_in_force(parts.station_id, None))
    last, sent.tariff_id = sent.tariff_id, None if found is None else found.tariff_id
    if found is not None:
        if found.tariff_id == last and not has_booted:
            return None
        payload = {"evseId": _EVERY_EVSE, "tariff": msgspec.Raw(found.text)}
        return Question("SetDefaultTariff", payload)
    return None if last is None else Question("ClearTariffs", {"tariffIds": [last]})


async def driver_tariff(told: TokenAnswer, parts: AnsweringParts) -> Mapping[str, Any]:
    """Return the tariff of the bearer of an accepted token, as AuthorizeResponse has it."""
    if not told.is_accepted or not (await parts.directory.policy_in_force()).tariffs_to_stations:
        return {}
    tariff = _said(await _in_force(told, parts))
    return {} if tariff is None else {"tariff": msgspec.Raw(tariff.text)}


async def limit(
    event: PayloadFields, told: TokenAnswer, parts: AnsweringParts
) -> Mapping[str, Any]:
    """Return how far a transaction may go, as TransactionEventResponse has it."""
    if not told.is_accepted or event.text("eventType") == "Ended":
        return {}
    found = await _in_force(told, parts)
    ours = found.assignment.limits if found else NO_LIMITS
    costs = [cost for cost in (ours.max_cost, told.left) if cost is not None]
    chosen = event.nested("transactionInfo").nested("transactionLimit")
    limits = told_limits(ours._replace(max_cost=min(costs, default=None)), chosen)
    return {"transactionLimit": limits} if limits else {}


def told_limits(ours: SessionLimits, chosen: PayloadFields) -> Mapping[str, Decimal | int]:
    """Return a TransactionLimit: of each of *ours* that, or what the driver *chose* if it is less.

    Source: OCPP 2.1 part 2, TransactionLimitType: cost in the tariff's currency, Wh, seconds.
    """
    limits: dict[str, Decimal | int] = {}
    if ours.max_cost is not None:
        limits["maxCost"] = _lower(ours.max_cost, chosen.text("maxCost"))
    if ours.max_energy_wh is not None:
        limits["maxEnergy"] = _lower(ours.max_energy_wh, chosen.text("maxEnergy"))
    if ours.max_time_s is not None:
        limits["maxTime"] = int(_lower(Decimal(ours.max_time_s), chosen.text("maxTime")))
    return limits


async def _in_force(told: TokenAnswer, parts: AnsweringParts) -> TariffInForce | None:
    found = told.authorization
    subject, partner = (found.subject, found.partner) if found else (None, None)
    return await parts.directory.tariff_in_force(parts.station_id, subject, partner=partner)


def _lower(ours: Decimal, chosen: str | None) -> Decimal:
    """Return the lower of two limits; one below zero was not meant."""
    theirs = None if chosen is None else read_number(chosen, set())
    return ours if theirs is None or theirs < 0 else min(ours, theirs)


class _Said(NamedTuple):
    tariff_id: str
    text: bytes


def _said(found: TariffInForce | None) -> _Said | None:
    return None if found is None else _say(CompiledKey(found.version))


@lru_cache(maxsize=256)
def _say(key: CompiledKey) -> _Said | None:
    """Return a version as stations are sent it; None, and a warning once, where that cannot be."""
    version = key.version
    try:
        tariff = station_tariff(version.tariff, version.sha256, decimals=DECIMALS, accepted=ROUNDED)
    except UnsayableTariffError as error:
        _LOGGER.warning("stations are not sent it: %s", error)
        return None
    return _Said(tariff.tariff_id, ocpp_json(tariff))
