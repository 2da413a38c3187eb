"""The operator's policy: what we answer and how long we wait where no standard says."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from tariffs.currencies import currency_exponent
from tariffs.model.policy import DEFAULT

RECEIPT: Final = "{receipt}"
"""Stands in `receipt_url` for the id of a receipt."""


REMINDERS_MAX: Final = 9
REMINDER_DAYS_MAX: Final = 730


COLLECT_AGAIN_MAX: Final = 9
COLLECT_AGAIN_DAYS_MAX: Final = 90

MoneyLimit = Decimal | dict[str, Decimal]
"""In major units: of whatever currency, or by currency; one that is not named has 0."""


def limit_in(limit: MoneyLimit, currency: str) -> Decimal:
    """Return the limit in *currency*, in major units."""
    return limit.get(currency, Decimal(0)) if isinstance(limit, dict) else limit


def is_above(limit: MoneyLimit, minor: int, currency: str) -> bool:
    """Say whether so many minor units of *currency*, of either sign, are above the limit."""
    return abs(minor) > limit_in(limit, currency).scaleb(currency_exponent(currency))


class UnknownTokens(StrEnum):
    """What happens to a token nobody declared."""

    REFUSE = "refuse"
    """Answered Invalid; a session that took place all the same is held."""
    ACCEPT_AND_HOLD = "accept_and_hold"
    """Answered Accepted; its session is held until a person decides."""
    ACCEPT_AND_RATE = "accept_and_rate"
    """Answered Accepted; its session is rated as ad hoc, with an invoice to the bearer."""


class TimeEnds(StrEnum):
    """Until when time is billed where the vehicle's last sign ends before the stop."""

    LAST_SIGN = "last_sign"
    """Until there: a plug that was free, or a station without power, served nobody."""
    STOP = "stop"
    """Until the stop, as the station dated it."""


class PricesTold(StrEnum):
    """When stations are told what a session costs, taxes included."""

    NEVER = "never"
    AT_END = "at_end"
    """What it cost, once it ended."""
    RUNNING = "running"
    """And while it charges, what it costs so far."""


class UnknownCredit(StrEnum):
    """What happens to a start whose payer's balance could not be looked up in time."""

    ACCEPT = "accept"
    """It charges, and is stopped once its balance is known and used up."""
    REFUSE = "refuse"
    """Answered as if nothing were left."""


class LocalList(StrEnum):
    """How a station's local list is kept in step with the declared tokens."""

    OFF = "off"
    """It is left as it is."""
    FULL = "full"
    """Whole, each time that it changes."""
    DIFFERENTIAL = "differential"
    """By what has changed, where the station has what it was sent last; else whole."""


class Outgrown(StrEnum):
    """What happens to a visit's session that nears what is put aside for it."""

    STOP = "stop"
    """It is stopped before it costs more."""
    RAISE = "raise"
    """More is asked for; where the driver's bank says no, it is stopped."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Waiting times in seconds of product time, and answers by policy.

    `wait_s`: an ended but incomplete session is held that long after its last fact.
    `silence_s`: an open session whose station says nothing for that long has lost its stop.
    `pricing` names one of tariffs.model.policy.POLICIES. With `four_eyes` a tariff holds only once
    somebody other than its author approved it.
    `max_session_s`: a longer session is held, for a clock or a stop is likelier wrong than a car
    stands that long; a week lets holiday parking pass. `max_delay_s`: so is one that a station
    tells that long after its end; a queue takes days to come, a garage without a line months, but
    a firmware's first day lies years back.
    `time_ends`: see TimeEnds. `idle_power_w`: a vehicle that draws more is charging, whatever the
    station says it does; a full one takes at most some hundred watts to keep itself warm.
    `undeclared_power_w`: the most that a plug can bring whose station declares no power; a session
    with more energy than that between any two readings is held.
    `prices_told`: see PricesTold; what a session costs so far is told every `price_every_s` at
    most, and where `price_display` says so as a message for the display, too.
    `station_cost_limit`: a session is held whose station reckons that it costs so much more, or
    less, than our price; in major units of the tariff's currency (MoneyLimit). With
    `tariffs_to_stations` a station that can reckon costs is sent the tariff in force at it when it
    boots and when that changes, and a driver's own with the answer about his token.
    `receipt_url`: where who paid at a terminal finds the receipt that we number; has RECEIPT in it.
    `ask_s`: a station is asked for what is missing of a session (a sequence number, a stop) for
    that long, again and again while it says that it still holds messages of it, which keeps the
    session waiting; 0 asks nothing.
    `local_list`: see LocalList; a site or a station may say otherwise.
    `correct_from`: a rated session whose price a late fact changes is corrected where the price
    with its taxes moves by so much; in major units (MoneyLimit), 0: whenever what is billed is
    another.
    With `corrections_agreed` no late fact moves money until a person agrees.
    `collect_again_days`: after how many days an invoice is collected again whose payer's bank said
    no, each time; none: never.
    `payment_approval_above`: what a person decides about money that came or is given back, or about
    a session, takes a second person above it; in major units of its currency, 0: always. See
    MoneyLimit.
    `reminder_days`: how many days after it was due the payer of an open invoice is reminded, each
    time; rising, none: never.
    With `visits` a driver without contract may pay by card at our stations: what a session of
    `visit_kwh` and `visit_hours` costs there is put aside first, in whole major units, at least
    `visit_hold_min` and at most `visit_hold_max` (MoneyLimit: both name the same). The driver has
    `visit_pay_s` to agree, and then `visit_start_s` to plug in. `visit_outgrown`: see Outgrown.
    `stop_margin_s`: a session that may cost only so much is stopped so many seconds before it does,
    for its station takes a while to obey. `unknown_credit`: see UnknownCredit. `top_ups_a_day`: a
    balance is topped up by itself so often within 24 hours at most; 0: never.
    `variance_percent`, `variance_session`: who approves a new version of a tariff has to say why
    where What if found that revenue moves by more per cent, or that a session becomes dearer by
    more (MoneyLimit, taxes included), or where nobody tried it out; neither: without a reason.
    """

    wait_s: int = 3600
    silence_s: int = 86_400
    unknown_tokens: UnknownTokens = UnknownTokens.REFUSE
    pricing: str = DEFAULT.name
    four_eyes: bool = False
    max_session_s: int = 7 * 86_400
    max_delay_s: int = 730 * 86_400
    time_ends: TimeEnds = TimeEnds.LAST_SIGN
    idle_power_w: int = 500
    undeclared_power_w: int = 500_000
    prices_told: PricesTold = PricesTold.RUNNING
    price_every_s: int = 20
    price_display: bool = False
    station_cost_limit: MoneyLimit = Decimal(1)
    receipt_url: str | None = None
    tariffs_to_stations: bool = False
    ask_s: int = 86_400
    local_list: LocalList = LocalList.OFF
    correct_from: MoneyLimit = Decimal(0)
    corrections_agreed: bool = False
    collect_again_days: tuple[int, ...] = (3, 5, 7)
    payment_approval_above: MoneyLimit = Decimal(1000)
    reminder_days: tuple[int, ...] = (7, 14, 28)
    visits: bool = False
    visit_kwh: int = 60
    visit_hours: int = 2
    visit_hold_min: MoneyLimit = Decimal(5)
    visit_hold_max: MoneyLimit = Decimal(150)
    visit_pay_s: int = 900
    visit_start_s: int = 300
    visit_outgrown: Outgrown = Outgrown.STOP
    stop_margin_s: int = 30
    unknown_credit: UnknownCredit = UnknownCredit.ACCEPT
    top_ups_a_day: int = 3
    variance_percent: Decimal | None = None
    variance_session: MoneyLimit | None = None
