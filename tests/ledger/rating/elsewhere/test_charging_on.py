"""What a customer owes for a session at a partner's station, and what is held instead."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.declared.declarations import Declaration, Declarations, Kind
from ledger.log.envelope import ChargeOn, PartnerMessage
from ledger.master_data.customers import Customer
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.partners import Partner, PartnerRole
from ledger.master_data.tariff_versions import published
from ledger.master_data.tokens import Token, TokenStatus
from ledger.partners.elsewhere import session_of
from ledger.partners.elsewhere_cdrs import NoCdrThereError, read_elsewhere
from ledger.rating.decisions import Moment, PayerKind, SessionHeld, SessionRated
from ledger.rating.elsewhere.charging_on import charge_on
from ledger.rating.entitlements import NO_ENTITLEMENTS
from tariffs.model.tariff import Dimension, PriceComponent, Restrictions, Tariff, TariffElement

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PARTY, CARD = "NL-TNM", "p-" + "0" * 32
ASKED = ChargeOn(
    received_at=NOON, party=PARTY, cdr_id="C1", position=4, line=2, act="charge", subject=CARD
)
PARTNER = Partner(name="TNM", legal_entity="ours", roles=(PartnerRole.CPO,))
PASSED_ON = replace(PARTNER, mark_up_percent=Decimal(10), passed_on_vat={"NL": Decimal(21)})
RETAIL = replace(PARTNER, retail_tariff="abroad")
OURS = LegalEntity(
    name="Ours", country="DE", time_zone="Europe/Berlin", invoice_prefix="OU", party="DE-OUR"
)
BODY: dict[str, Any] = {
    "id": "C1",
    "start_date_time": "2026-03-02T12:00:00Z",
    "end_date_time": "2026-03-02T14:00:00Z",
    "cdr_token": {"uid": CARD, "type": "RFID", "contract_id": "x"},
    "cdr_location": {"name": "Kade", "address": "Kade 1", "city": "Utrecht", "country": "NLD"},
    "currency": "EUR",
    "charging_periods": [
        {
            "start_date_time": "2026-03-02T12:00:00Z",
            "dimensions": [{"type": "ENERGY", "volume": 10.0}, {"type": "TIME", "volume": 2.0}],
        }
    ],
    "total_cost": {"excl_vat": 2.0, "incl_vat": 2.42},
    "total_energy": 10.0,
    "total_time": 2.0,
    "last_updated": "2026-03-02T14:00:00Z",
}


def priced(*elements: tuple[str, str, Restrictions], vat: str = "21") -> Tariff:
    """Return a tariff of elements with one price each."""
    return Tariff(
        id="abroad",
        currency="EUR",
        elements=tuple(
            TariffElement(
                price_components=(
                    PriceComponent(
                        dimension=Dimension(dimension),
                        price=Decimal(price),
                        vat=Decimal(vat),
                    ),
                ),
                restrictions=restrictions,
            )
            for dimension, price, restrictions in elements
        ),
    )


ALWAYS = Restrictions()
FLEET, BUYER = Token(customer="cust"), Customer(details="")
PER_KWH = priced(("ENERGY", "0.50", ALWAYS))


def declared(
    partner: Partner | None = RETAIL,
    *,
    tariff: Tariff | None = PER_KWH,
    token: Token | None = FLEET,
    customer: Customer | None = BUYER,
) -> Declarations:
    entities = [
        (Kind.LEGAL_ENTITY, "ours", OURS),
        (Kind.PARTNER, PARTY, partner),
        (Kind.TARIFF, "abroad", published(tariff) if tariff else None),
        (Kind.TOKEN, CARD, token),
        (Kind.CUSTOMER, "cust", customer),
    ]
    since = NOON - timedelta(days=400)
    return Declarations(
        Declaration(number, kind, key, since, entity)
        for number, (kind, key, entity) in enumerate(entities, 1)
    )


def told(**changes: object) -> PartnerMessage:
    return PartnerMessage(
        received_at=NOON, party=PARTY, what="cdrs", body=json.dumps({**BODY, **changes})
    )


def charged(
    declarations: Declarations, asked: ChargeOn = ASKED, **changes: object
) -> SessionRated | SessionHeld:
    return charge_on(
        asked,
        read_elsewhere(asked, told(**changes)),
        declarations,
        moment=Moment(partition=0, position=9, at=NOON + timedelta(hours=3)),
        entitlements=NO_ENTITLEMENTS,
        revision=1,
    )


def amounts(found: SessionRated | SessionHeld) -> tuple[int, int]:
    assert isinstance(found, SessionRated), found
    return found.net_minor, found.tax_minor


def reasons(found: SessionRated | SessionHeld) -> Sequence[str]:
    assert isinstance(found, SessionHeld), found
    return [each.code for each in found.reasons]


def test_our_tariff_cuts_where_our_price_changes() -> None:
    before = Restrictions(end_time=time(14))
    after = Restrictions(start_time=time(14))
    tariff = priced(("ENERGY", "0.30", before), ("ENERGY", "0.20", after))

    found = charged(declared(tariff=tariff), replace(ASKED, zone="Europe/Amsterdam"))

    assert amounts(found) == (250, 53)  # 5 kWh until 14:00 there, 5 kWh after


def test_the_time_of_day_is_not_guessed() -> None:
    tariff = priced(("ENERGY", "0.30", Restrictions(end_time=time(14))))

    assert reasons(charged(declared(tariff=tariff))) == ["place_zone_unknown"]


@pytest.mark.parametrize(
    ("declarations", "changes", "codes"),
    [
        (declared(None), {}, ["partner_undeclared"]),
        (declared(token=None), {}, ["token_unknown"]),
        (declared(token=Token(status=TokenStatus.BLOCKED)), {}, ["token_blocked"]),
        (declared(customer=None), {}, ["customer_unknown"]),
        (declared(tariff=None), {}, ["retail_tariff_missing"]),
        (declared(), {"total_energy": 10.002}, ["cdr_energy_unclear"]),
        (declared(), {"cdr_location": {"city": "X"}}, ["place_country_unknown"]),
        (declared(PARTNER), {}, ["passed_on_vat_missing"]),
        (declared(PASSED_ON), {"cdr_location": {}}, ["passed_on_vat_missing"]),
        (declared(PASSED_ON), {"total_cost": {"incl_vat": 2}}, ["cdr_price_unknown"]),
    ],
)
def test_what_is_not_known_is_held(
    declarations: Declarations, changes: dict[str, object], codes: Sequence[str]
) -> None:
    found = charged(declarations, ASKED, **changes)

    assert reasons(found) == codes
    assert found.session_id == session_of(PARTY, "C1")


@pytest.mark.parametrize("stated", [9.999, 10.001])
def test_a_total_may_be_rounded(stated: float) -> None:
    assert amounts(charged(declared(), total_energy=stated)) == (500, 105)


def test_a_person_overrules_a_blocked_token_and_never_an_unknown_one() -> None:
    chosen = replace(ASKED, by="anna", reason="paid")

    found = charged(declared(token=Token(status=TokenStatus.BLOCKED)), chosen)

    assert amounts(found) == (500, 105)
    assert isinstance(found, SessionRated)
    assert found.release is not None
    assert found.payer.kind is PayerKind.BEARER
    assert reasons(charged(declared(token=None), chosen)) == ["token_unknown"]


MIXED = [
    {
        "start_date_time": "2026-03-02T12:00:00Z",
        "dimensions": [
            {"type": "ENERGY", "volume": 10.0},
            {"type": "TIME", "volume": 1.0},
            {"type": "PARKING_TIME", "volume": 1.0},
        ],
    }
]


def test_when_it_parked_is_not_guessed_where_time_costs_money() -> None:
    timed = priced(("PARKING_TIME", "2", ALWAYS))

    assert amounts(charged(declared(), charging_periods=MIXED)) == (500, 105)
    assert reasons(charged(declared(tariff=timed), charging_periods=MIXED)) == ["cdr_times_mixed"]


@pytest.mark.parametrize(
    ("mark_up", "net", "expected"),
    [
        ("10", 2.0, (220, 46)),
        ("0", 2.0, (200, 42)),
        ("-50", 2.0, (100, 21)),
        ("7.5", 3.333, (358, 76)),
        ("10", 0.0, (0, 0)),
        ("10", -2.0, (-220, -46)),
    ],
)
def test_a_mark_up_is_on_the_net(mark_up: str, net: float, expected: tuple[int, int]) -> None:
    partner = replace(PASSED_ON, mark_up_percent=Decimal(mark_up))

    found = charged(declared(partner), total_cost={"excl_vat": net, "incl_vat": net})

    assert amounts(found) == expected
    assert isinstance(found, SessionRated)
    assert found.energy_wh == found.billed_wh == Decimal(10_000)


def test_a_business_that_owes_its_vat_is_charged_none() -> None:
    business = Customer(details="", vat_id="NL861634829B01", reverse_charge=True)

    for partner in (RETAIL, PASSED_ON):
        found = charged(declared(partner, customer=business))
        assert isinstance(found, SessionRated)
        assert found.tax_minor == 0
        assert found.reverse_charge_vat_id == business.vat_id


@pytest.mark.parametrize(
    "changes",
    [{"party": "NL-OTH"}, {"cdr_id": "C2"}],
)
def test_the_line_must_be_the_cdr(changes: dict[str, Any]) -> None:
    with pytest.raises(NoCdrThereError):
        read_elsewhere(replace(ASKED, **changes), told())
    with pytest.raises(NoCdrThereError):
        read_elsewhere(ASKED, None)
