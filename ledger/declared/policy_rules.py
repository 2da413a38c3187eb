"""What a policy must fulfil, and where its limits of money ask more than is probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from ledger.declared.changes import PlannedChange
from ledger.declared.declarations import POLICY_KEY, Declarations, Kind
from ledger.master_data.policies import (
    COLLECT_AGAIN_DAYS_MAX,
    COLLECT_AGAIN_MAX,
    RECEIPT,
    REMINDER_DAYS_MAX,
    REMINDERS_MAX,
    MoneyLimit,
    Policy,
    limit_in,
)
from ledger.master_data.sites import Site
from tariffs.currencies import UnknownCurrencyError, currency_exponent
from tariffs.model.policy import POLICIES
from tariffs.phrases.phrase import bounded

VISIT_MAX: Final = 1_000
_ABOVE_NOTHING: Final = {
    "payment_approval_above": "whatever moves money takes two persons",
    "variance_session": "whatever makes a session dearer takes a reason",
    "station_cost_limit": "whatever a station reckons otherwise is held",
    "correct_from": "every difference is corrected",
    "visit_hold_max": "nobody pays there by card",
}
_MARGIN_MAX_S: Final = 3600
_RECEIPT_URL: Final = re.compile(r"https://(?=.{1,1892}\Z)[!-z|~]*\{receipt\}[!-z|~]*", re.ASCII)


def _money_policy(policy: Policy) -> Iterator[str]:
    if not 0 <= policy.stop_margin_s <= _MARGIN_MAX_S:
        yield f"stop_margin_s must be from 0 to {_MARGIN_MAX_S}"
    if policy.top_ups_a_day < 0:
        yield "top_ups_a_day must not be below 0"
    percent, session = policy.variance_percent, policy.variance_session
    if not (percent is None or _is_amount(percent)) or not (session is None or _is_limit(session)):
        yield "variance_percent and variance_session must not be below 0"


def _limits(policy: Policy) -> Iterator[str]:
    for name in (*_ABOVE_NOTHING, "visit_hold_min"):
        yield from _currencies(name, getattr(policy, name))
    for name, limit in (
        ("station_cost_limit", policy.station_cost_limit),
        ("correct_from", policy.correct_from),
        ("payment_approval_above", policy.payment_approval_above),
    ):
        if not _is_limit(limit):
            yield f"{name} must be an amount from 0 on"


def policy_problems(policy: Policy) -> Iterator[str]:
    """Yield what is wrong with a policy by itself."""
    if min(policy.wait_s, policy.silence_s) <= 0:
        yield "waiting times must be positive"
    if min(policy.max_session_s, policy.max_delay_s) <= 0:
        yield "max_session_s and max_delay_s must be positive"
    if policy.ask_s < 0:
        yield "ask_s must not be below 0"
    if policy.idle_power_w < 0:
        yield "idle_power_w must not be below 0"
    if policy.undeclared_power_w <= 0:
        yield "undeclared_power_w must be above 0"
    if policy.price_every_s <= 0:
        yield "price_every_s must be above 0"
    yield from _money_policy(policy)
    yield from _limits(policy)
    if policy.receipt_url is not None and not _RECEIPT_URL.fullmatch(policy.receipt_url):
        yield f"receipt_url must be an https address with one {RECEIPT}, of at most 1900 characters"
    yield from _visit_policy(policy)
    if policy.pricing not in POLICIES:
        yield f"there is no pricing policy {policy.pricing!r}"
    yield from _payments(policy)


def _payments(policy: Policy) -> Iterator[str]:
    days = policy.reminder_days
    is_rising = all(0 < day <= REMINDER_DAYS_MAX for day in days) and sorted({*days}) == [*days]
    if not is_rising or len(days) > REMINDERS_MAX:
        most = f"at most {REMINDERS_MAX} of them, each from 1 to {REMINDER_DAYS_MAX}"
        yield f"reminder_days must rise, {most}"
    again = policy.collect_again_days
    if len(again) > COLLECT_AGAIN_MAX or not all(
        0 < day <= COLLECT_AGAIN_DAYS_MAX for day in again
    ):
        most = f"at most {COLLECT_AGAIN_MAX} numbers of days"
        yield f"collect_again_days are {most}, each from 1 to {COLLECT_AGAIN_DAYS_MAX}"


def _visit_policy(policy: Policy) -> Iterator[str]:
    if min(policy.visit_kwh, policy.visit_hours, policy.visit_pay_s, policy.visit_start_s) <= 0:
        yield "visit_kwh, visit_hours, visit_pay_s and visit_start_s must be above 0"
    if max(policy.visit_kwh, policy.visit_hours) > VISIT_MAX:
        yield f"visit_kwh and visit_hours are at most {VISIT_MAX}"
    least, most = policy.visit_hold_min, policy.visit_hold_max
    named = {each for limit in (least, most) if isinstance(limit, Mapping) for each in limit}
    if not all(
        _is_amount(limit_in(limit, each)) for limit in (least, most) for each in named or {""}
    ) or not all(0 < limit_in(least, each) <= limit_in(most, each) for each in named or {""}):
        yield "visit_hold_min must be above 0, and at most visit_hold_max"


def _is_amount(amount: Decimal) -> bool:
    return amount.is_finite() and amount >= 0


def _is_limit(limit: MoneyLimit) -> bool:
    return all(map(_is_amount, limit.values() if isinstance(limit, Mapping) else (limit,)))


def _currencies(name: str, limit: MoneyLimit | None) -> Iterator[str]:
    for currency in limit if isinstance(limit, Mapping) else ():
        try:
            currency_exponent(currency)
        except UnknownCurrencyError:
            yield f"{name}: {bounded(currency)!r} is no currency of ISO 4217"


class UnnamedCurrency(NamedTuple):
    """A currency in which sites sell and of which a limit by currency says nothing: it is 0."""

    kind: Kind
    key: str
    limit: str
    currency: str

    def __str__(self) -> str:
        return (
            f"{self.limit} names no {self.currency}, in which sites sell: 0 holds there, so "
            f"{_ABOVE_NOTHING[self.limit]}"
        )


def unnamed_currencies(
    known: Declarations, planned: Sequence[PlannedChange]
) -> Iterator[UnnamedCurrency]:
    """Yield what planned policies and sites leave without a limit of its own, each once."""
    sites = {each.key: each.after for each in planned if isinstance(each.after, Site)}
    policies = [each for each in planned if isinstance(each.after, Policy)]
    if policies:
        held = (known.history(Kind.SITE, key)[-1].entity for key in known.keys(Kind.SITE))
        sold = {each.currency for each in (*held, *sites.values()) if isinstance(each, Site)}
        for policy in policies:
            if isinstance(policy.after, Policy):
                yield from _unnamed(policy, policy.after, sold)
        return
    declared = known.history(Kind.POLICY, POLICY_KEY)
    newest = declared[-1].entity if declared else None
    for change in planned:
        if isinstance(change.after, Site) and isinstance(newest, Policy):
            yield from _unnamed(change, newest, {change.after.currency})


def _unnamed(change: PlannedChange, policy: Policy, sold: set[str]) -> Iterator[UnnamedCurrency]:
    for name in _ABOVE_NOTHING:
        limit = getattr(policy, name)
        if name == "visit_hold_max" and not policy.visits:
            continue
        if isinstance(limit, Mapping):
            for currency in sorted(sold - limit.keys()):
                yield UnnamedCurrency(change.kind, change.key, name, currency)
