"""In whose currency a session is rated, and what its rating records of taxes for its document."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.facts.flags import Flag
from ledger.master_data.customers import Customer
from ledger.master_data.tariff_versions import published
from ledger.rating.decide import decide, release
from ledger.rating.decisions import (
    SessionHeld,
    SessionRevision,
    decode_decision,
    encode_decision,
    named,
)
from ledger.rating.english import ENGLISH, line_label, line_words
from tariffs.adjustments.adjustment import QuantityTax, Surcharge
from tariffs.model.tariff import (
    Dimension,
    ReservationRestriction,
    Restrictions,
    Tariff,
    TariffElement,
    TaxIncluded,
)
from tariffs.taxes.sales_taxes import SalesTax
from tests.depot import ENERGY_ONLY, component, declared, moment_of, rated, session, tariff

GST = SalesTax(name="GST", percent=Decimal(19))


def priced_by(tariff: Tariff) -> Declarations:
    return declared((Kind.TARIFF, "energy", published(tariff), BEGINNING))


@pytest.mark.parametrize("currency", ["SEK", "JPY", "KWD"])
def test_a_tariff_in_another_currency_than_the_sites_prices_nothing_there(currency: str) -> None:
    known, charging = priced_by(replace(ENERGY_ONLY, currency=currency)), session()
    moment = moment_of(charging)

    for held in (
        decide(charging, known, moment=moment),
        release(charging, known, moment=moment, by="anna", reason="she paid"),
    ):
        assert isinstance(held, SessionHeld)
        assert [ENGLISH.words(each) for each in held.reasons] == [
            f"The tariff is in {currency}, the site in EUR."
        ]
    assert rated(charging).currency == "EUR"


@pytest.mark.parametrize(
    ("included", "recorded"),
    [(TaxIncluded.YES, True), (TaxIncluded.NO, False), (TaxIncluded.NOT_APPLICABLE, False)],
)
def test_a_rating_records_whether_its_prices_have_their_taxes_inside(
    included: TaxIncluded, *, recorded: bool
) -> None:
    decision = rated(session(), priced_by(replace(ENERGY_ONLY, tax_included=included)))

    assert decision.tax_included is recorded
    assert decode_decision(encode_decision(decision)) == decision
    assert (b'"tax_included"' in encode_decision(decision)) is recorded


def test_a_rating_records_the_named_taxes_that_its_rate_consists_of() -> None:
    named = replace(ENERGY_ONLY, sales_taxes=(GST,))

    decision = rated(session(), priced_by(named))

    assert decision.sales_taxes == (GST,)
    assert decode_decision(encode_decision(decision)) == decision
    assert rated(session()).sales_taxes == ()


@pytest.mark.parametrize("reservation_id", [None, 0, 7])
@pytest.mark.parametrize("kind", [None, *ReservationRestriction])
def test_a_price_for_a_reservation_does_not_lapse_unsaid(
    reservation_id: int | None, kind: ReservationRestriction | None
) -> None:
    fee = TariffElement(
        price_components=(component(Dimension.FLAT, "2"),),
        restrictions=Restrictions(reservation=kind, min_duration=7200),
    )
    reserved = replace(ENERGY_ONLY, elements=(*ENERGY_ONLY.elements, fee))
    charging = replace(session(), reservation_id=reservation_id)

    decision, plain = rated(charging, priced_by(reserved)), rated(session())

    is_said = reservation_id is not None and kind is not None
    assert decision.flags == ((Flag.RESERVATION_NOT_BILLED,) if is_said else ())
    assert decision.net_minor == plain.net_minor
    assert decode_decision(encode_decision(decision)) == decision


def test_where_no_taxes_apply_a_session_owes_none_and_says_so() -> None:
    stating = replace(
        ENERGY_ONLY,
        tax_included=TaxIncluded.NOT_APPLICABLE,
        sales_taxes=(GST,),
        quantity_taxes=(QuantityTax(name="excise", per_kwh=Decimal("0.03")),),
    )

    decision = rated(session(), priced_by(stating))

    assert (decision.net_minor, decision.tax_minor, decision.sales_taxes) == (400, 0, ())
    assert {line.tax_percent for line in decision.lines} == {None}
    assert [note.code for note in decision.notes] == ["no_taxes_apply"]


def test_a_rating_names_the_version_that_was_published_though_its_taxes_do_not_apply() -> None:
    stating = replace(ENERGY_ONLY, tax_included=TaxIncluded.NOT_APPLICABLE)
    silent = replace(
        tariff("energy", component(Dimension.ENERGY, "0.40", None)),
        tax_included=TaxIncluded.NOT_APPLICABLE,
    )

    hashes = [rated(session(), priced_by(each)).tariff_hash for each in (stating, silent)]

    assert hashes == [published(stating).sha256, published(silent).sha256]
    assert hashes[0] != hashes[1]


def test_each_tax_per_kwh_is_a_component_and_a_tax_and_says_so() -> None:
    taxes = tuple(
        QuantityTax(name=name, per_kwh=Decimal(per_kwh))
        for name, per_kwh in (("excise", "0.03"), ("levy", "0.02"))
    )

    decision = rated(session(), priced_by(replace(ENERGY_ONLY, quantity_taxes=taxes)))

    assert [
        (each.component, each.is_tax, each.net_minor, each.tax_minor) for each in decision.lines
    ] == [
        ("ENERGY/0/priced", False, 400, 76),
        ("ENERGY/-/tax/excise", True, 0, 30),
        ("ENERGY/-/tax/levy", True, 0, 20),
    ]
    unexplained = replace(decision.lines[1], reasons=())
    assert not unexplained.is_tax
    assert line_label(unexplained, "EUR") is None


def test_a_line_says_why_it_stands_here_and_a_bill_what_raised_a_fee() -> None:
    surcharge = Surcharge(amount=Decimal(2))

    price, fee = rated(session(), priced_by(replace(ENERGY_ONLY, adjustments=(surcharge,)))).lines

    assert (price.net_minor, line_label(price, "EUR")) == (400, None)
    assert line_words(price, "EUR").startswith("element 1, the first for energy here")
    assert (fee.component, fee.net_minor) == ("SESSION/-/adjustment/0/no-vat", 200)
    assert (line_words(fee, "EUR"), line_label(fee, "EUR")) == (
        "a surcharge of 2.00 EUR",
        "surcharge",
    )


@pytest.mark.parametrize(("reverse_charge", "vat_id"), [(True, "FR12345678901"), (False, None)])
def test_a_rating_records_who_owes_the_vat(*, reverse_charge: bool, vat_id: str | None) -> None:
    abroad = Customer(details="Anna", vat_id="FR12345678901", reverse_charge=reverse_charge)

    decision = rated(session(), declared((Kind.CUSTOMER, "anna", abroad, BEGINNING)))

    assert decision.reverse_charge_vat_id == vat_id
    assert rated(session(token_uid="nobody-1")).reverse_charge_vat_id is None


@pytest.mark.parametrize(("revision", "name"), [(1, "ST-1/1"), (2, "ST-1/1/2"), (3, "ST-1/1/3")])
def test_a_first_revision_is_named_as_its_session(revision: int, name: str) -> None:
    assert named(SessionRevision("ST-1/1", revision)) == name
