"""What a roaming partner must fulfil to be declared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.declared.changes import Change, plan_changes
from ledger.declared.declarations import BEGINNING, Kind
from ledger.declared.rules import problems_of
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.partners import Partner, PartnerRole, RealTime
from tests.depot import NOON, declared

SELLER = "depot"
PARTNER = Partner(name="TNM", legal_entity=SELLER, roles=(PartnerRole.EMSP,))


@dataclass
class Told:
    """What is declared of a partner, under which key, and of us."""

    changes: dict[str, Any]
    key: str = "NL-TNM"
    party: str | None = "DE-DEP"


def problems(told: Told) -> list[str]:
    seller = declared().legal_entity(SELLER, NOON)
    assert isinstance(seller, LegalEntity)
    ours = replace(seller, party=told.party)
    known = declared((Kind.LEGAL_ENTITY, SELLER, ours, BEGINNING))
    entity = replace(PARTNER, **told.changes)
    change = Change(kind=Kind.PARTNER, key=told.key, entity=entity, valid_from=NOON)
    planned = plan_changes(known, [change], at=NOON + timedelta(1))
    return [each.message for each in problems_of(known, planned)]


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (Told({}), None),
        (Told({"versions": ("2.1.1", "2.3.0")}), None),
        (Told({"versions_url": "https://ocpi.tnm.example/versions"}), None),
        (Told({}, key="tnm"), "name no party"),
        (Told({}, key="nl-tnm"), "name no party"),
        (Told({}, party=None), "legal entity depot has no party"),
        (Told({"legal_entity": "nobody"}), "there is no legal entity 'nobody'"),
        (Told({"roles": ()}), "a partner has a role"),
        (Told({"versions": ("3.0",)}), "there is no OCPI '3.0' here"),
        (Told({"versions_url": "ftp://tnm.example"}), "versions_url must be an http or https"),
        (Told({"versions_url": "https://a b"}), "versions_url must be an http or https"),
        (Told({"hub": "NL-HUB"}), "there is no partner 'NL-HUB'"),
        (Told({"sites": ("moon",)}), "there is no site 'moon'"),
        (Told({"retail_tariff": "none"}), "there is no tariff 'none'"),
        (Told({"session_every_s": 5}), None),
        (Told({"session_every_s": 4}), "session_every_s must be from 5"),
        (Told({"mark_up_percent": Decimal(-100)}), None),
        (Told({"mark_up_percent": Decimal("-100.01")}), "mark_up_percent must be from -100"),
        (Told({"mark_up_percent": Decimal("NaN")}), "mark_up_percent must be from -100"),
        (Told({"session_fee": Decimal("-0.01")}), "session_fee must be from 0"),
        (Told({"vat_percent": Decimal("100.01")}), "vat_percent must be from 0 to 100"),
        (
            Told({"reverse_charge_percent": Decimal(-1)}),
            "reverse_charge_percent must be from 0 to 100",
        ),
        (
            Told({"vat_percent": Decimal(19), "reverse_charge_percent": Decimal(19)}),
            "either the seller owes the VAT, or the buyer",
        ),
        (Told({"vat_by_country": {"FR": Decimal(20), "DE": Decimal(0)}}), None),
        (Told({"vat_by_country": {"FRA": Decimal(20)}}), "vat_by_country: 'FRA' is no country"),
        (Told({"vat_by_country": {"FR": Decimal(101)}}), "vat_by_country: FR must be from 0"),
        (
            Told({"vat_by_country": {"FR": Decimal(20)}, "vat_percent": Decimal(0)}),
            "vat_by_country stands alone",
        ),
        (Told({"payment_days": 366}), "payment_days must be from 0 to 365"),
        (Told({"real_time": RealTime(timeout_ms=99)}), "timeout_ms must be from 100 to 20000"),
        (Told({"real_time": RealTime(timeout_ms=100)}), None),
        (Told({"vat_id": "NL123456782B91"}), None),
        (Told({"vat_id": "FR62954506077"}), "vat_id FR62954506077: its check digits are wrong"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_partner_is_refused_for_what_nobody_could_settle(told: Told, problem: str | None) -> None:
    found = problems(told)

    if problem is None:
        assert found == []
    else:
        assert any(problem in each for each in found), found


def test_our_own_party_is_one() -> None:
    seller = declared().legal_entity(SELLER, NOON)
    assert isinstance(seller, LegalEntity)
    change = Change(kind=Kind.LEGAL_ENTITY, key=SELLER, entity=replace(seller, party="DEDEP"))
    planned = plan_changes(declared(), [change], at=NOON + timedelta(1))

    [problem] = problems_of(declared(), planned)

    assert "name no party" in problem.message
