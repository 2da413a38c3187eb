"""How prices are told in each version: which calls tell of a transaction, and in what words.

    2.x  TransactionEvent Ended      -> {"totalCost":4.76} in its answer, else CostUpdated
    2.1  TransactionEvent Updated    -> {"totalCost":3.20} in its answer, too
    1.6  StopTransaction             -> DataTransfer FinalCost, by a vendor's messages

Source: OCPP 2.0.1 and 2.1 part 2, block I; "OCPP & California Pricing Requirements" 3.1, section 3.
Of its running cost no unit price is told: a station would go on counting by it, and show what our
kernel does not say.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum, auto
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from ingest.answers.answering import timestamp
from ingest.prices.price import ShownPrice
from ingest.rpc.codec import encode
from ingest.rpc.fields import PayloadFields
from tariffs.calendar.words import element_text
from tariffs.model.tariff import Tariff

COSTS: Final = "org.openchargealliance.costmsg"
# IdentifierString: a longer id would make our call break its schema.
_TRANSACTION_ID_MAX: Final = 36
_INT32_MAX: Final = 2**31 - 1
_PRICE_TEXT_MAX: Final = 512


class Stage(Enum):
    """How far a transaction is with a call."""

    STARTED = auto()
    RUNNING = auto()
    ENDED = auto()


class TransactionNews(NamedTuple):
    """What a call says of a transaction; `token` as the station writes it, where it matters.

    `chosen`: how far its driver lets it go, where the call says so (TransactionLimit).
    """

    reference: str
    stage: Stage
    token: str | None = None
    chosen: PayloadFields | None = None


class PriceCall(NamedTuple):
    """A call of ours that tells a price; `kind` is what a station may not know."""

    kind: str
    action: str
    payload: Mapping[str, Any]


Reads = Callable[[PayloadFields, PayloadFields], TransactionNews | None]
"""Returns what a call and our answer to it say of a transaction."""


class PriceWords(NamedTuple):
    """A version's words: which calls tell of transactions, and how a price is told.

    `in_answers` are the stages in whose answers the cost may stand. `is_of_vendor`: only a station
    whose model knows them understands the calls. `display` is the call for the display, `tariff`
    the one that says to the bearer of a token in words what it will cost. `knows_limits`: a
    station is told them and stops by itself; another one is told to stop once they are reached.
    """

    news: Mapping[str, Reads]
    in_answers: frozenset[Stage]
    running: Callable[[str, ShownPrice], PriceCall]
    final: Callable[[str, ShownPrice], PriceCall]
    is_of_vendor: bool = False
    display: Callable[[str, ShownPrice], PriceCall] | None = None
    tariff: Callable[[str, str], PriceCall] | None = None
    knows_limits: bool = False


def with_cost(payload: bytes, gross: Decimal) -> bytes:
    """Return the answer *payload*, a JSON object, with the cost as an exact number."""
    comma = b"" if payload == b"{}" else b","
    return b'%b%b"totalCost":%b}' % (payload[:-1], comma, encode(gross))


def with_limits(payload: bytes, limits: Mapping[str, Decimal | int]) -> bytes:
    """Return the answer *payload* with how far its transaction may go, if it says no limits."""
    if PayloadFields(payload).has("transactionLimit"):
        return payload
    comma = b"" if payload == b"{}" else b","
    return b'%b%b"transactionLimit":%b}' % (payload[:-1], comma, encode(limits))


_STAGES: Final = {"Started": Stage.STARTED, "Updated": Stage.RUNNING, "Ended": Stage.ENDED}


def _event(call: PayloadFields, _answer: PayloadFields) -> TransactionNews | None:
    stage = _STAGES.get(call.text("eventType") or "")
    info = call.nested("transactionInfo")
    reference = info.text("transactionId")
    if stage is None or not reference or len(reference) > _TRANSACTION_ID_MAX:
        return None
    # What happened offline is history: nobody stands before the display (field notes, quirk 26).
    if call.is_true("offline"):
        return None
    chosen = info.nested("transactionLimit") if info.has("transactionLimit") else None
    return TransactionNews(reference, stage, chosen=chosen)


def _cost_updated(reference: str, price: ShownPrice) -> PriceCall:
    payload = {"totalCost": price.gross, "transactionId": reference}
    return PriceCall("CostUpdated", "CostUpdated", payload)


def _display(reference: str, price: ShownPrice) -> PriceCall:
    """Return the message that stands on the display until the transaction ends."""
    message = {
        # The same one for a transaction: it takes the place of the one before.
        "id": zlib.crc32(reference.encode()) & _INT32_MAX,
        "priority": "InFront",
        "transactionId": reference,
        "message": {"format": "UTF8", "content": _written(price)},
    }
    return PriceCall("SetDisplayMessage", "SetDisplayMessage", {"message": message})


def _numbered(reference: int | None, stage: Stage) -> TransactionNews | None:
    return TransactionNews(str(reference), stage) if reference else None


def _started(call: PayloadFields, answer: PayloadFields) -> TransactionNews | None:
    found = _numbered(answer.integer("transactionId"), Stage.STARTED)
    return None if found is None else found._replace(token=call.text("idTag"))


def _metered(call: PayloadFields, _answer: PayloadFields) -> TransactionNews | None:
    return _numbered(call.integer("transactionId"), Stage.RUNNING)


def _stopped(call: PayloadFields, _answer: PayloadFields) -> TransactionNews | None:
    return _numbered(call.integer("transactionId"), Stage.ENDED)


def _running_cost(reference: str, price: ShownPrice) -> PriceCall:
    data = {
        "transactionId": int(reference),
        "timestamp": timestamp(price.until),
        "meterValue": int(price.register_wh or 0),
        "cost": price.gross,
        "state": "Idle" if price.is_idle else "Charging",
        "chargingPrice": {"kWhPrice": 0},
    }
    return _message("RunningCost", data)


def _final_cost(reference: str, price: ShownPrice) -> PriceCall:
    data = {
        "transactionId": int(reference),
        "cost": price.gross,
        "priceText": _written(price),
    }
    return _message("FinalCost", data)


def _user_price(token: str, text: str) -> PriceCall:
    return _message("SetUserPrice", {"idToken": token, "priceText": text})


def tariff_words(tariff: Tariff) -> str | None:
    """Return what *tariff* charges, in words; None where that takes more than a display has.

    That is, where it has more to it than prices of elements, or many of those.
    """
    is_plain = not (tariff.adjustments or tariff.min_price or tariff.max_price)
    words = "; ".join(element_text(each, tariff) for each in tariff.elements)
    return words if is_plain and 0 < len(words) <= _PRICE_TEXT_MAX else None


def _message(name: str, data: Mapping[str, Any]) -> PriceCall:
    payload = {"vendorId": COSTS, "messageId": name, "data": encode(data).decode()}
    return PriceCall(COSTS, "DataTransfer", payload)


def _written(price: ShownPrice) -> str:
    return f"{price.gross} {price.currency}"


_OF_201: Final = PriceWords(
    news={"TransactionEvent": _event},
    in_answers=frozenset({Stage.ENDED}),
    running=_cost_updated,
    final=_cost_updated,
    display=_display,
)
WORDS: Final[Mapping[str, PriceWords]] = MappingProxyType(
    {
        "ocpp1.6": PriceWords(
            news={
                "StartTransaction": _started,
                "MeterValues": _metered,
                "StopTransaction": _stopped,
            },
            in_answers=frozenset(),
            running=_running_cost,
            final=_final_cost,
            is_of_vendor=True,
            tariff=_user_price,
        ),
        "ocpp2.0.1": _OF_201,
        "ocpp2.1": _OF_201._replace(
            in_answers=frozenset({Stage.RUNNING, Stage.ENDED}), knows_limits=True
        ),
    }
)
