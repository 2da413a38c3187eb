"""Who pays for a token that only a partner knows: what was found when it was shown decides."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import pytest
from msgspec.structs import replace

from ledger.declared.declarations import BEGINNING, Kind
from ledger.log.authorization import Authorization
from ledger.master_data.assignments import Assignment
from ledger.master_data.hours import WeeklyHours
from ledger.master_data.policies import Policy, UnknownTokens
from ledger.master_data.tariff_versions import published
from ledger.master_data.tokens import Token, TokenKind, TokenStatus
from ledger.rating.decide import decide, release
from ledger.rating.decisions import Payer, PayerKind, SessionHeld, SessionRated, encode_decision
from ledger.sessions.session import ChargingSession
from tariffs.model.tariff import Dimension
from tests.depot import NOON, component, declared, moment_of, session, tariff

CARD = "card-of-theirs"
PARTNER = Payer(
    kind=PayerKind.PARTNER, party="NL-TNM", customer=None, invoicing=None, contract="sealed"
)
Status = Literal["accepted", "blocked", "expired", "invalid", "unasked", "elsewhere", "untimely"]


def found(
    status: Status = "accepted",
    *,
    by: Literal["declared", "partner", "policy"] = "partner",
    until: datetime | None = None,
) -> Authorization:
    party, contract = ("NL-TNM", "sealed") if by == "partner" else (None, None)
    return Authorization(
        subject=CARD, by=by, status=status, until=until, party=party, contract=contract
    )


def charged(recorded: Authorization | None, token: str = CARD) -> ChargingSession:
    return replace(session(token_uid=token), authorization=recorded)


def test_a_partner_that_let_its_token_charge_owes_the_session() -> None:
    charging = charged(found())

    decision = decide(charging, declared(), moment=moment_of(charging))

    assert isinstance(decision, SessionRated)
    assert decision.payer == PARTNER
    assert decision.gross_minor == 476


def test_the_tariff_assigned_to_the_partner_prices_its_token() -> None:
    cheap = tariff("cheap", component(Dimension.ENERGY, "0.10"))
    assignment = Assignment(tariff="cheap", partner="NL-TNM")
    charging = charged(found())
    declarations = declared(
        (Kind.TARIFF, "cheap", published(cheap), BEGINNING),
        (Kind.ASSIGNMENT, assignment.key(), assignment, BEGINNING),
    )

    decision = decide(charging, declarations, moment=moment_of(charging))

    assert isinstance(decision, SessionRated)
    assert (decision.tariff_id, decision.gross_minor) == ("cheap", 119)


@pytest.mark.parametrize(
    ("recorded", "reason"),
    [
        pytest.param(found("blocked"), "token_blocked", id="blocked"),
        pytest.param(found("invalid"), "token_blocked", id="invalid"),
        pytest.param(found("unasked"), "token_unasked", id="not asked"),
        pytest.param(found("expired"), "token_expired", id="expired, nobody says when"),
        pytest.param(found(until=NOON), "token_expired", id="until the very start"),
        pytest.param(found(by="policy"), "token_unknown", id="accepted by policy alone"),
        pytest.param(found(by="declared"), "token_unknown", id="declared then, withdrawn since"),
        pytest.param(None, "token_unknown", id="nothing recorded"),
    ],
)
def test_what_no_partner_promised_is_held(recorded: Authorization | None, reason: str) -> None:
    charging = charged(recorded)

    decision = decide(charging, declared(), moment=moment_of(charging))

    assert isinstance(decision, SessionHeld)
    assert [each.code for each in decision.reasons] == [reason]


@pytest.mark.parametrize("status", ["accepted", "expired"])
def test_a_token_that_expires_after_the_start_pays_however_late_it_is_told(status: Status) -> None:
    charging = charged(found(status, until=NOON + timedelta(microseconds=1)))

    assert isinstance(decide(charging, declared(), moment=moment_of(charging)), SessionRated)


@pytest.mark.parametrize("status", ["blocked", "unasked"])
def test_a_partner_s_no_goes_before_a_policy_that_takes_everybody(status: Status) -> None:
    charging = charged(found(status))
    anybody = Policy(unknown_tokens=UnknownTokens.ACCEPT_AND_RATE)
    declarations = declared((Kind.POLICY, "policy", anybody, BEGINNING))

    assert isinstance(decide(charging, declarations, moment=moment_of(charging)), SessionHeld)


def test_who_releases_a_held_session_bills_the_partner() -> None:
    charging = charged(found("blocked"))

    decision = release(charging, declared(), moment=moment_of(charging), by="ann", reason="agreed")

    assert isinstance(decision, SessionRated)
    assert decision.payer == PARTNER


@pytest.mark.parametrize(
    ("token", "recorded", "kind"),
    [
        pytest.param("anna-1", found(), PayerKind.CUSTOMER, id="a customer's"),
        pytest.param("nobody-1", found(), PayerKind.BEARER, id="a bearer's"),
        pytest.param("anna-1", found("blocked"), PayerKind.CUSTOMER, id="blocked by a partner"),
    ],
)
def test_a_declared_token_is_decided_by_its_declaration(
    token: str, recorded: Authorization, kind: PayerKind
) -> None:
    charging = charged(replace(recorded, subject=token), token)
    plain = charged(None, token)

    decision = decide(charging, declared(), moment=moment_of(charging))

    assert isinstance(decision, SessionRated)
    assert decision.payer.kind is kind
    bare = decide(plain, declared(), moment=moment_of(plain))
    assert isinstance(bare, SessionRated)
    assert encode_decision(decision) == encode_decision(bare)


def test_an_operator_blocks_a_partner_s_token_by_declaring_it() -> None:
    charging = charged(found())
    blocked = Token(kind=TokenKind.ROAMING, partner="NL-TNM", status=TokenStatus.BLOCKED)
    declarations = declared((Kind.TOKEN, CARD, blocked, BEGINNING))

    decision = decide(charging, declarations, moment=moment_of(charging))

    assert isinstance(decision, SessionHeld)
    assert [each.code for each in decision.reasons] == ["token_blocked"]


HERE, NIGHT = (
    Token(customer="anna", sites=("hotel",)),
    Token(customer="anna", hours=(WeeklyHours(),)),
)
MASTER = Token(customer="anna", parent="fleet-1", is_master_pass=True)


@pytest.mark.parametrize(
    ("token", "status", "reason"),
    [
        pytest.param(HERE, "elsewhere", "token_elsewhere", id="at another site"),
        pytest.param(HERE, "accepted", None, id="at its site"),
        pytest.param(NIGHT, "untimely", "token_untimely", id="at another hour"),
        pytest.param(NIGHT, "accepted", None, id="in its hours"),
        pytest.param(Token(customer="anna"), "elsewhere", None, id="allowed by now"),
        pytest.param(Token(customer="anna"), "untimely", None, id="allowed at all hours by now"),
        pytest.param(MASTER, "blocked", "token_master_pass", id="a master pass"),
    ],
)
def test_a_start_beyond_a_token_s_limits_is_held_by_what_was_found_then(
    token: Token, status: Status, reason: str | None
) -> None:
    recorded = replace(found(status, by="declared"), subject="anna-1")
    charging = charged(recorded, "anna-1")
    declarations = declared((Kind.TOKEN, "anna-1", token, BEGINNING))

    decision = decide(charging, declarations, moment=moment_of(charging))

    if reason is None:
        assert isinstance(decision, SessionRated)
    else:
        assert isinstance(decision, SessionHeld)
        assert [each.code for each in decision.reasons] == [reason]
