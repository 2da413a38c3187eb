"""The station's own cost against our price: said with both figures, held beyond the limit."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.declared.declarations import BEGINNING, POLICY_KEY, Declarations, Kind
from ledger.facts.flags import Flag
from ledger.facts.station_quote import StationAmount, StationCost, StationQuote
from ledger.master_data.customers import Customer
from ledger.master_data.policies import Policy
from ledger.master_data.tariff_versions import published
from ledger.rating.decide import decide, release
from ledger.rating.decisions import (
    SessionHeld,
    SessionRated,
    Waiting,
    decode_decision,
    encode_decision,
)
from ledger.rating.english import ENGLISH
from ledger.rating.time_zones import PINNED_ZONES, with_zones
from ledger.sessions.session import ChargingSession
from tariffs.adjustments.shared import Allowance
from tests.depot import ENERGY_ONLY, declared, moment_of, session


def told(
    incl: str | None = None,
    excl: str | None = None,
    *,
    currency: str | None = "EUR",
    failure: str | None = None,
    tariff_id: str | None = None,
) -> ChargingSession:
    """Return a session of 4.00 before and 4.76 with taxes, for which its station says otherwise."""
    total = StationAmount(excl and Decimal(excl), incl and Decimal(incl))  # type: ignore[arg-type]
    cost = StationCost(currency=currency, total=total, failure=failure)
    quote = StationQuote(tariff_id=tariff_id, cost=cost)
    return msgspec.structs.replace(session(), quote=quote)


def decided(
    charging: ChargingSession, known: Declarations | None = None
) -> SessionRated | SessionHeld | Waiting:
    return decide(charging, known or declared(), moment=moment_of(charging))


@pytest.mark.parametrize(
    ("incl", "excl"),
    [
        ("4.76", "4.00"), ("4.76", None), (None, "4"), ("4.755", None), ("4.7649", None),
        # With taxes is what the driver sees.
        ("4.76", "3.99"),
    ],
)  # fmt: skip
def test_the_same_amount_in_whole_cents_is_not_noted(incl: str | None, excl: str | None) -> None:
    rated = decided(told(incl, excl))

    assert isinstance(rated, SessionRated)
    assert (rated.flags, rated.notes) == ((), ())


@pytest.mark.parametrize(
    ("incl", "excl", "words"),
    [
        ("4.77", None, "reckons 4.77 EUR, our price is 4.76 EUR, with taxes"),
        ("4.765", "4", "reckons 4.765 EUR, our price is 4.76 EUR, with taxes"),
        (None, "3.99", "reckons 3.99 EUR, our price is 4.00 EUR, before taxes"),
        # The limit itself is not beyond it.
        ("5.76", None, "reckons 5.76 EUR, our price is 4.76 EUR, with taxes"),
        ("3.76", None, "reckons 3.76 EUR, our price is 4.76 EUR, with taxes"),
    ],
)
def test_another_amount_within_the_limit_is_rated_and_both_are_said(
    incl: str | None, excl: str | None, words: str
) -> None:
    rated = decided(told(incl, excl))

    assert isinstance(rated, SessionRated)
    assert rated.gross_minor == 476
    assert rated.flags == (Flag.STATION_COST_DIFFERS,)
    assert [ENGLISH.words(note) for note in rated.notes] == [f"The station {words}."]
    assert decode_decision(encode_decision(rated)) == rated


@pytest.mark.parametrize("incl", ["5.77", "3.75", "-4.76", "999999999999999.99", "0"])
def test_beyond_the_limit_a_person_looks_first(incl: str) -> None:
    held = decided(told(incl, tariff_id="energy@12"))

    assert isinstance(held, SessionHeld)
    assert [reason.code for reason in held.reasons] == ["station_cost_differs"]
    assert ENGLISH.words(held.reasons[0]) == (
        f"The station reckons {incl} EUR, our price is 4.76 EUR, with taxes; "
        "its tariff is 'energy@12'."
    )


@pytest.mark.parametrize(("limit", "is_held"), [("1.24", False), ("1.23", True), ("0", True)])
def test_the_limit_is_a_policy(limit: str, is_held: bool) -> None:  # noqa: FBT001 - a table
    policy = Policy(station_cost_limit=Decimal(limit))
    known = declared((Kind.POLICY, POLICY_KEY, policy, BEGINNING))

    assert isinstance(decided(told("6.00"), known), SessionHeld) is is_held


@pytest.mark.parametrize(
    ("limit", "is_held"),
    [
        ({"EUR": "1.24", "SEK": "0"}, False),
        ({"EUR": "1.23", "SEK": "99"}, True),
        ({"SEK": "99"}, True),
    ],
)
def test_the_limit_may_be_said_by_currency(limit: dict[str, str], *, is_held: bool) -> None:
    by_currency = {currency: Decimal(each) for currency, each in limit.items()}
    policy = Policy(station_cost_limit=by_currency)
    known = declared((Kind.POLICY, POLICY_KEY, policy, BEGINNING))

    assert isinstance(decided(told("6.00"), known), SessionHeld) is is_held


@pytest.mark.parametrize("currency", ["USD", "JPY", "XQZ"])
def test_another_currency_is_held_with_both_figures(currency: str) -> None:
    held = decided(told("4.76", currency=currency))

    assert isinstance(held, SessionHeld)
    assert ENGLISH.words(held.reasons[0]) == (
        f"The station reckons 4.76 {currency}, our price is 4.76 EUR, with taxes."
    )


@pytest.mark.parametrize(
    "charging",
    [told(), told("9", currency=None), told("9", failure=""), told("9", failure="no tariff")],
)
def test_a_station_that_says_no_amount_changes_nothing(charging: ChargingSession) -> None:
    plain = decided(session())

    assert encode_decision(decided(charging)) == encode_decision(plain)  # type: ignore[arg-type]


def test_a_person_releases_it_and_both_figures_stay_on_it() -> None:
    charging = told("6.00")

    rated = release(
        charging, declared(), moment=moment_of(charging), by="mia", reason="the station is wrong"
    )

    assert isinstance(rated, SessionRated)
    assert (rated.gross_minor, rated.flags) == (476, (Flag.STATION_COST_DIFFERS,))


def test_who_owes_the_taxes_himself_is_compared_before_them() -> None:
    abroad = Customer(details="Anna", vat_id="FR12345678901", reverse_charge=True)
    known = declared((Kind.CUSTOMER, "anna", abroad, BEGINNING))

    rated = decided(told("4.76", "4.00"), known)

    assert isinstance(rated, SessionRated)
    assert rated.flags == ()


def test_what_others_used_no_station_knows() -> None:
    grant = Allowance(name="monthly", dimensions=("ENERGY",), kwh_max=Decimal(10))
    shared = msgspec.structs.replace(ENERGY_ONLY, adjustments=(grant,))
    known = declared((Kind.TARIFF, "energy", published(shared), BEGINNING))

    rated = decided(told("4.76"), known)

    assert isinstance(rated, SessionRated)
    assert (rated.gross_minor, rated.flags) == (0, (Flag.STATION_COST_DIFFERS,))


def test_a_held_one_records_the_clocks_that_its_price_hangs_on() -> None:
    charging = told("6.00")
    held = decided(charging)

    assert isinstance(held, SessionHeld)
    assert [each.zone for each in held.offsets] == ["Europe/Berlin"]
    assert with_zones(held, charging, "Europe/Berlin", PINNED_ZONES) == held


amounts = st.none() | st.decimals(-(10**15), 10**15, places=3)


@given(incl=amounts, excl=amounts, currency=st.sampled_from([None, "EUR", "KWD", "ZZZ"]))
def test_whatever_a_station_says_our_price_stays(
    incl: Decimal | None, excl: Decimal | None, currency: str | None
) -> None:
    cost = StationCost(currency=currency, total=StationAmount(excl, incl))
    charging = msgspec.structs.replace(session(), quote=StationQuote(cost=cost))

    decision = release(charging, declared(), moment=moment_of(charging), by="mia", reason="so")

    assert isinstance(decision, SessionRated)
    assert (decision.net_minor, decision.gross_minor) == (400, 476)
