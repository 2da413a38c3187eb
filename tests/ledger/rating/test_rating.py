"""Rating: what is rated, what waits, what is held and why; the same bytes every time."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.declared.declarations import BEGINNING, POLICY_KEY, Declarations, Kind
from ledger.facts.flags import RULES, Flag
from ledger.master_data.assignments import Assignment
from ledger.master_data.customers import Invoicing
from ledger.master_data.policies import Policy, UnknownTokens
from ledger.master_data.tariff_versions import published
from ledger.master_data.tokens import Token, TokenStatus
from ledger.rating.basis import TIME_BLOCKERS
from ledger.rating.decide import decide
from ledger.rating.decisions import (
    DecisionKind,
    PayerKind,
    SessionHeld,
    Waiting,
    decode_decision,
    encode_decision,
    kind_of,
)
from ledger.rating.english import ENGLISH
from ledger.rating.rate import InconsistentRatingError, checked_rating
from ledger.sessions.session import ChargingSession
from tariffs.adjustments.adjustment import GroupGrant
from tariffs.model.tariff import Dimension, PriceLimit
from tariffs.phrases.phrase import phrase
from tests.depot import (
    ENERGY_ONLY,
    FREE,
    NOON,
    TIMED,
    component,
    declared,
    moment_of,
    rated,
    session,
    tariff,
)
from tests.tree import ROOT

TIMED_HERE = declared(
    (Kind.TARIFF, "timed", published(TIMED), BEGINNING),
    (Kind.ASSIGNMENT, "site=harbour", Assignment(tariff="timed", site="harbour"), BEGINNING),
)


def held(charging: ChargingSession, declarations: Declarations, *, hours: int = 0) -> list[str]:
    """Return the reasons' codes for which a session is held."""
    decision = decide(charging, declarations, moment=moment_of(charging, hours=hours))
    assert isinstance(decision, SessionHeld), decision
    return [reason.code for reason in decision.reasons]


def test_a_complete_session_is_rated_with_every_input_named() -> None:
    decision = rated(session(energy_wh="10000"))

    assert (decision.net_minor, decision.tax_minor, decision.gross_minor) == (400, 76, 476)
    assert decision.tariff_hash == published(ENERGY_ONLY).sha256
    assert (decision.policy, decision.policy_version) == ("wattledger", "1")
    assert decision.kernel_version
    assert decision.tzdata_version
    assert decision.declared_version == declared().version
    assert kind_of(decision) is DecisionKind.RATED


def test_a_decision_reads_back_as_it_was() -> None:
    decision = rated(session(parked_minutes=20), TIMED_HERE)

    assert decode_decision(encode_decision(decision)) == decision


def test_lines_add_up_to_the_totals_whatever_the_session() -> None:
    decision = rated(session(energy_wh="12345.678", parked_minutes=7), TIMED_HERE)

    assert sum(line.net_minor for line in decision.lines) == decision.net_minor
    assert sum(line.tax_minor for line in decision.lines) == decision.tax_minor


@given(st.integers(0, 10**8), st.integers(1, 3000), st.integers(0, 3000))
@settings(max_examples=60)
def test_energy_is_billed_or_free_and_nothing_else(milli: int, minutes: int, parked: int) -> None:
    charging = session(energy_wh=str(Decimal(milli) / 1000), minutes=minutes, parked_minutes=parked)

    decision = rated(charging, TIMED_HERE)

    assert decision.billed_wh + decision.free_wh == decision.energy_wh
    assert decision.billed_wh == decision.energy_wh


def test_a_price_limit_has_a_line_for_each_rate_of_tax() -> None:
    mixed = msgspec.structs.replace(
        tariff(
            "mixed",
            component(Dimension.ENERGY, "2.00"),
            component(Dimension.PARKING_TIME, "12.00", vat=Decimal(7)),
        ),
        max_price=PriceLimit(before_taxes=Decimal(16)),
    )
    here = declared(
        (Kind.TARIFF, "mixed", published(mixed), BEGINNING),
        (Kind.ASSIGNMENT, "site=harbour", Assignment(tariff="mixed", site="harbour"), BEGINNING),
    )

    decision = rated(session(parked_minutes=60), here)

    limits = [line for line in decision.lines if line.reasons == (phrase("max_price"),)]
    assert [(line.component, line.net_minor, line.tax_minor) for line in limits] == [
        ("SESSION/-/max_price/19", -1000, -190),
        ("SESSION/-/max_price/7", -600, -42),
    ]
    assert (decision.net_minor, decision.tax_minor) == (1600, 232)


def test_free_energy_is_free_by_rule() -> None:
    free = declared(
        (Kind.TARIFF, "free", published(FREE), BEGINNING),
        (Kind.ASSIGNMENT, "token=anna-1", Assignment(tariff="free", token="anna-1"), BEGINNING),
    )

    decision = rated(session(energy_wh="5000"), free)

    assert (decision.billed_wh, decision.free_wh) == (Decimal(0), Decimal(5000))
    assert decision.gross_minor == 0


def test_an_incomplete_session_waits_and_is_then_held_with_its_reasons() -> None:
    charging = session(blockers=[Flag.SEQ_GAP])

    waiting = decide(charging, declared(), moment=moment_of(charging))

    assert isinstance(waiting, Waiting)
    assert waiting.until == charging.last_received_at + timedelta(hours=1)
    assert held(charging, declared(), hours=1) == ["seq_gap"]


def test_whoever_releases_a_session_sees_also_that_its_token_was_blocked() -> None:
    blocked = Token(customer="anna", status=TokenStatus.BLOCKED)
    here = declared((Kind.TOKEN, "anna-1", blocked, BEGINNING))

    assert held(session(blockers=[Flag.METER_RESET]), here, hours=1) == [
        "meter_reset",
        "token_blocked",
    ]


def test_an_open_session_waits_for_its_station_until_the_silence_is_too_long() -> None:
    charging = msgspec.structs.replace(session(), ended_at=None)
    moment = moment_of(charging, hours=24)
    heard = charging.last_received_at + timedelta(hours=1)

    assert isinstance(decide(charging, declared(), moment=moment, heard_at=heard), Waiting)
    assert held(charging, declared(), hours=24) == [Flag.STOP_LOST]


def test_an_open_session_followed_by_another_waits_only_for_late_frames() -> None:
    charging = msgspec.structs.replace(session(blockers=[Flag.STOP_LOST]), ended_at=None)

    assert held(charging, declared(), hours=1) == [Flag.STOP_LOST]


@pytest.mark.parametrize("flag", sorted(TIME_BLOCKERS))
def test_a_wrong_clock_holds_a_session_only_where_the_price_depends_on_time(flag: Flag) -> None:
    charging = session(blockers=[flag])

    assert held(charging, TIMED_HERE, hours=1) == [flag]
    assert rated(charging).flags == (flag,)


def test_what_says_more_than_that_times_are_derived_holds_any_price() -> None:
    """A stop before its start may be another session's."""
    known = {flag for flag, rule in RULES.items() if rule.blocks and "clock" in flag}

    assert known <= TIME_BLOCKERS
    assert held(session(blockers=[Flag.STOP_BEFORE_START]), declared(), hours=1) == [
        Flag.STOP_BEFORE_START
    ]


@pytest.mark.parametrize(
    ("uid", "token", "code"),
    [
        ("stranger", None, "token_unknown"),
        ("anna-1", Token(status=TokenStatus.BLOCKED), "token_blocked"),
        ("anna-1", Token(expires_at=NOON), "token_expired"),
        (None, None, "token_missing"),
        ("anna-1", Token(customer="ghost"), "customer_unknown"),
    ],
)
def test_a_token_that_may_not_charge_holds_its_session(
    uid: str | None, token: Token | None, code: str
) -> None:
    declarations = declared((Kind.TOKEN, "anna-1", token or Token(), BEGINNING))

    assert held(session(token_uid=uid), declarations) == [code]


def test_policy_lets_unknown_tokens_be_rated_for_their_bearer() -> None:
    policy = Policy(unknown_tokens=UnknownTokens.ACCEPT_AND_RATE)

    decision = rated(
        session(token_uid="stranger"), declared((Kind.POLICY, POLICY_KEY, policy, BEGINNING))
    )

    payer = decision.payer
    assert (payer.kind, payer.party) == (PayerKind.BEARER, "stranger")
    assert payer.invoicing is Invoicing.PER_SESSION


def test_a_session_no_tariff_was_in_force_for_is_held() -> None:
    late = declared((Kind.ASSIGNMENT, "site=harbour", None, NOON))

    assert held(session(), late) == ["tariff_missing"]
    assert held(session(station_id="ST-9"), declared()) == ["station_undeclared"]
    for kind, key in ((Kind.SITE, "harbour"), (Kind.LEGAL_ENTITY, "depot")):
        assert held(session(), declared((kind, key, None, NOON))) == ["site_undeclared"]


def test_a_childs_session_is_paid_by_the_parent_tokens_customer() -> None:
    declarations = declared((Kind.TOKEN, "child-1", Token(parent="fleet-1"), BEGINNING))

    payer = rated(session(token_uid="child-1"), declarations).payer

    assert (payer.kind, payer.party, payer.invoicing) == (
        PayerKind.CUSTOMER,
        "fleet",
        Invoicing.PER_MONTH,
    )


def test_the_month_is_that_of_the_end_in_the_legal_entitys_calendar() -> None:
    last_hour = datetime(2026, 11, 30, 22, 30, tzinfo=UTC)

    assert rated(session(started_at=last_hour, minutes=29)).billing_month == "2026-11"
    assert rated(session(started_at=last_hour, minutes=30)).billing_month == "2026-12"


SCRIPT = """
import sys
from ledger.rating.decisions import encode_decision
from tests.depot import rated, session
sys.stdout.buffer.write(encode_decision(rated(session(parked_minutes=3, energy_wh="1234.5"))))
"""


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "TZ": "Pacific/Apia", "LC_ALL": "de_DE.UTF-8"},
    ],
)
def test_the_bytes_do_not_depend_on_hash_seed_zone_or_locale(environment: dict[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        check=True,
    )

    assert ran.stdout == encode_decision(rated(session(parked_minutes=3, energy_wh="1234.5")))


def test_what_the_kernel_refuses_is_held_with_its_reason_and_raises_nothing() -> None:
    charging = session()
    backwards = msgspec.structs.replace(charging, points=charging.points[::-1])

    decision = decide(backwards, declared(), moment=moment_of(charging))

    assert isinstance(decision, SessionHeld)
    assert [reason.code for reason in decision.reasons] == ["pricing_refused"]
    [reason] = decision.reasons
    at = str(charging.points[0].at)
    backwards_at = phrase("readings_backwards", at=at)
    starts_at = str(charging.started_at)
    assert reason == phrase(
        "pricing_refused", why=phrase("unusable_usage", starts_at=starts_at, why=backwards_at)
    )
    assert ENGLISH.words(reason) == (
        f"The session could not be priced: the session from {starts_at} cannot be priced: "
        f"its readings run backwards at {at}."
    )


def test_what_is_refused_without_a_code_is_held_with_its_message_cut_short() -> None:
    charging, gone = session(), Policy(pricing="gone " * 200)
    known = declared((Kind.POLICY, POLICY_KEY, gone, BEGINNING))

    decision = decide(charging, known, moment=moment_of(charging))

    assert isinstance(decision, SessionHeld)
    [reason] = decision.reasons
    why = reason.parameters["why"]
    assert isinstance(why, str)
    assert (why[:24], len(why)) == ("there is no policy 'gone", 500)
    assert ENGLISH.words(reason) == f"The session could not be priced: {why}."


def test_two_grants_for_one_group_are_two_components() -> None:
    grants = (
        GroupGrant(group="staff", dimensions=("ENERGY",), kwh_max=Decimal(2)),
        GroupGrant(group="staff", dimensions=("ENERGY",), percent=Decimal(50)),
    )
    granted = msgspec.structs.replace(ENERGY_ONLY, adjustments=grants)
    known = declared(
        (Kind.TARIFF, "energy", published(granted), BEGINNING),
        (Kind.TOKEN, "anna-1", Token(customer="anna", group="staff"), BEGINNING),
    )

    decision = rated(session(energy_wh="10000"), known)

    assert [(line.component, line.net_minor) for line in decision.lines] == [
        ("ENERGY/0/priced", 400),
        ("ENERGY/0/grant/0", -80),
        ("ENERGY/0/grant/1", -160),
    ]
    assert (decision.billed_wh, decision.free_wh) == (Decimal(8000), Decimal(2000))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"net_minor": 401}, "net total"),
        ({"tax_minor": 75}, "tax"),
        ({"lines": rated(session()).lines * 2, "net_minor": 800, "tax_minor": 152}, "twice"),
    ],
)
def test_a_rating_that_contradicts_itself_does_not_exist(
    change: dict[str, object], what: str
) -> None:
    """A header that differs from its lines (peer fault 20), a line billed twice (invariant 4)."""
    wrong = msgspec.structs.replace(rated(session()), **change)

    with pytest.raises(InconsistentRatingError, match=what):
        checked_rating(wrong)
