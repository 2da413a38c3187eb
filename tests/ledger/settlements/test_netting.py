from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.settlements.netting import settlement_of
from ledger.settlements.statement import (
    CdrSide,
    LineCode,
    SettledCdr,
    SettledKind,
    Settlement,
    SettlementSide,
    SettlementTerms,
    VatRate,
)
from tariffs.currencies import currency_exponent

AT = datetime(2026, 3, 14, tzinfo=UTC)


def terms(**given_: Any) -> SettlementTerms:  # noqa: ANN401
    values = {"vat_percent": Decimal(19), "currency": "EUR", **given_}
    return SettlementTerms(legal_entity="watt", party="NL-TNM", month="2026-03", **values)


def cdr(cdr_id: str, net: str, tax: str | None = None, **given_: Any) -> SettledCdr:  # noqa: ANN401
    values = {"side": CdrSide.SENT, "kind": SettledKind.CDR, "credits": None, **given_}
    return SettledCdr(
        cdr_key=cdr_id.lower(),
        cdr_id=cdr_id,
        session_ref=None,
        ended_at=AT,
        net=Decimal(net),
        tax=None if tax is None else Decimal(tax),
        energy_wh=values.pop("energy_wh", Decimal(-10_000 if net.startswith("-") else 10_000)),
        **values,
    )


def credit(cdr_id: str, net: str, of: str, **given_: Any) -> SettledCdr:  # noqa: ANN401
    return cdr(cdr_id, net, kind=SettledKind.CREDIT, credits=of, **given_)


def lines(side: SettlementSide) -> dict[LineCode, tuple[int, Decimal, Decimal]]:
    return {each.code: (each.count, each.net, each.tax) for each in side.lines}


def test_the_net_is_the_sum_of_nets_and_the_tax_is_reckoned_once_on_it() -> None:
    sent = [cdr("A", "10.00", "1.90"), cdr("B", "0.03", "0.01"), cdr("C", "0.03", "0.01")]

    side = settlement_of(sent, [], terms()).sent

    assert (side.net_minor, side.tax_minor, side.gross_minor) == (1006, 191, 1197)
    assert lines(side) == {
        LineCode.CDRS: (3, Decimal("10.06"), Decimal("1.92")),
        LineCode.TAX_DIFFERENCE: (0, Decimal(0), Decimal("-0.01")),
    }


def test_what_is_finer_than_a_cent_is_rounded_once_and_named() -> None:
    side = settlement_of([], [cdr("A", "10.004"), cdr("B", "5.001")], terms()).received

    assert side.net_minor == 1501
    assert lines(side)[LineCode.ROUNDING] == (0, Decimal("0.005"), Decimal(0))
    assert side.untaxed == 2


def test_both_are_netted_to_one_amount_due() -> None:
    sent, received = [cdr("A", "15.01")], [cdr("B", "6.00", side=CdrSide.RECEIVED)]

    assert settlement_of(sent, received, terms()).due_minor == 1786 - 714


def test_a_buyer_that_owes_the_tax_itself_is_asked_for_the_net() -> None:
    side = settlement_of([cdr("A", "10.00", "1.90")], [], terms(vat_percent=None)).sent

    assert (side.tax_minor, side.gross_minor) == (0, 1000)
    assert lines(side)[LineCode.TAX_DIFFERENCE] == (0, Decimal(0), Decimal("-1.90"))


def test_a_fee_is_owed_for_each_cdr_that_stands() -> None:
    sent = [cdr("A", "10.00"), credit("A-", "-10.00", "A"), cdr("A2", "9.00"), cdr("B", "0")]

    side = settlement_of(sent, [], terms(session_fee=Decimal("0.25"))).sent

    assert lines(side)[LineCode.FEES] == (2, Decimal("0.50"), Decimal("0.095"))
    assert (side.net_minor, side.tax_minor) == (950, 181)


def test_a_disputed_cdr_is_excluded_with_its_credit() -> None:
    sent = [
        cdr("A", "10.00", is_disputed=True),
        credit("A-", "-9.00", "a"),
        cdr("B", "5.00"),
    ]

    settlement = settlement_of(sent, [], terms())

    assert settlement.sent.net_minor == 500
    assert [each.cdr_id for each in settlement.excluded] == ["A", "A-"]


def test_a_disputed_cdr_of_which_nothing_is_left_is_settled_with_its_credit() -> None:
    sent = [cdr("A", "10.00", is_disputed=True), credit("A-", "-10.00", "a"), cdr("A2", "8.00")]

    settlement = settlement_of(sent, [], terms())

    assert settlement.excluded == ()
    assert (settlement.sent.net_minor, settlement.sent.count) == (800, 3)
    assert settlement.sent.energy_wh == 10_000


def test_a_credit_is_of_its_cdr_whatever_letters_that_ones_id_has() -> None:
    disputed = cdr("Straße-1", "9.00", is_disputed=True)._replace(cdr_key="strasse-1")

    settled = settlement_of([], [disputed, credit("B", "-4.00", "Straße-1")], terms())

    assert settled.received.count == 0
    assert [each.cdr_id for each in settled.excluded] == ["Straße-1", "B"]


def test_a_disputed_credit_does_not_take_its_cdr_along() -> None:
    sent = [cdr("A", "10.00"), credit("A-", "-10.00", "A", is_disputed=True)]

    settlement = settlement_of(sent, [], terms())

    assert settlement.sent.net_minor == 1000
    assert [each.cdr_id for each in settlement.excluded] == ["A-"]


def test_what_an_old_version_cannot_carry_is_a_line_of_corrections() -> None:
    sent = [
        cdr("A", "10.00"),
        credit("A-", "-10.00", "A", is_correction=True),
        cdr("A2", "8.00", is_correction=True),
    ]

    side = settlement_of(sent, [], terms()).sent

    assert lines(side)[LineCode.CORRECTIONS][:2] == (2, Decimal("-2.00"))
    assert side.net_minor == 800


def test_a_negative_cdr_counts_as_a_credit() -> None:
    side = settlement_of([], [cdr("A", "10.00"), cdr("A-", "-10.00")], terms()).received

    assert set(lines(side)) == {LineCode.CDRS, LineCode.CREDITS}
    assert side.net_minor == side.energy_wh == 0


@pytest.mark.parametrize(
    ("currency", "minor"),
    [
        pytest.param("JPY", 1235, id="yen have no decimals"),
        pytest.param("KWD", 1234500, id="dinars have three"),
    ],
)
def test_minor_units_are_the_currencys(currency: str, minor: int) -> None:
    settlement = settlement_of([cdr("A", "1234.5")], [], terms(currency=currency, vat_percent=None))

    assert settlement.sent.net_minor == minor


amounts = st.decimals("-99999", "99999", places=4)
ids = st.text("abc019-", min_size=1, max_size=4)


@st.composite
def cdrs(draw: st.DrawFn, side: CdrSide) -> list[SettledCdr]:
    found: dict[str, SettledCdr] = {}
    for cdr_id in draw(st.lists(ids, unique=True, max_size=12)):
        of = draw(st.sampled_from([None, *found]))
        net = draw(amounts)
        if of is not None:
            net = draw(st.sampled_from([-abs(net), -abs(found[of].net)]))
        found[cdr_id] = cdr(
            cdr_id,
            str(net),
            draw(st.none() | amounts.map(str)),
            side=side,
            kind=SettledKind.CREDIT if of else SettledKind.CDR,
            credits=of,
            energy_wh=draw(st.decimals(0, 99999, places=3)),
            is_correction=draw(st.booleans()),
            is_disputed=draw(st.booleans()),
        )
    return list(found.values())


all_terms = st.builds(
    terms,
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
    session_fee=st.decimals("-2", "2", places=3),
    vat_percent=st.none() | st.decimals(0, 27, places=2),
)


@given(cdrs(CdrSide.SENT), cdrs(CdrSide.RECEIVED), all_terms)
def test_lines_sum_to_the_totals_and_what_is_excluded_is_in_none(
    sent: list[SettledCdr], received: list[SettledCdr], on: SettlementTerms
) -> None:
    settlement = settlement_of(sent, received, on)

    left_out = {(each.side, each.cdr_id) for each in settlement.excluded}
    scale = 10 ** currency_exponent(on.currency)
    for side, given_ in ((settlement.sent, sent), (settlement.received, received)):
        assert sum(each.net for each in side.lines) * scale == side.net_minor
        assert sum(each.tax for each in side.lines) * scale == side.tax_minor
        assert side.net_minor + side.tax_minor == side.gross_minor
        counted = [each for each in given_ if (each.side, each.cdr_id) not in left_out]
        assert side.count == len(counted)
        assert side.energy_wh == sum(each.energy_wh for each in counted)
        nets = _net_of(side, LineCode.CDRS, LineCode.CREDITS, LineCode.CORRECTIONS)
        assert nets == sum(each.net for each in counted)
    assert settlement.due_minor == settlement.sent.gross_minor - settlement.received.gross_minor


@given(cdrs(CdrSide.SENT), cdrs(CdrSide.RECEIVED), all_terms, st.randoms(use_true_random=False))
def test_both_sides_reckon_the_same_with_the_sign_changed(
    sent: list[SettledCdr], received: list[SettledCdr], on: SettlementTerms, order: Random
) -> None:
    ours = settlement_of(sent, received, on)
    their_sent, their_received = _turned(received), _turned(sent)
    order.shuffle(their_sent)
    order.shuffle(their_received)

    theirs = settlement_of(their_sent, their_received, on)

    assert (theirs.sent, theirs.received) == (ours.received, ours.sent)
    assert theirs.due_minor == -ours.due_minor


@given(cdrs(CdrSide.SENT), all_terms)
def test_the_digest_tells_other_cdrs(sent: list[SettledCdr], on: SettlementTerms) -> None:
    counted = [each._replace(is_disputed=False) for each in sent]
    if not counted:
        return
    more = counted[0]._replace(net=counted[0].net + Decimal("0.0001"))

    digests = {_digest(settlement_of(each, [], on)) for each in (counted, [more, *counted[1:]], [])}

    assert len(digests) == 3


def _digest(settlement: Settlement) -> str:
    return settlement.sent.digest


def _net_of(side: SettlementSide, *codes: LineCode) -> Decimal:
    return sum((each.net for each in side.lines if each.code in codes), Decimal(0))


def _turned(found: Sequence[SettledCdr]) -> list[SettledCdr]:
    other = {CdrSide.SENT: CdrSide.RECEIVED, CdrSide.RECEIVED: CdrSide.SENT}
    return [each._replace(side=other[each.side]) for each in found]


RATES = (
    VatRate(country="DE", percent=Decimal(19)),
    VatRate(country="FR", percent=Decimal(20)),
    VatRate(country="FR", percent=Decimal(10), since=AT + timedelta(days=1)),
)
OLD, NEW = AT, AT + timedelta(days=1)


def rates(side: SettlementSide) -> list[tuple[str, Decimal | None, int, int, int]]:
    return [
        (each.country, each.percent, each.count, each.net_minor, each.tax_minor)
        for each in side.taxes or ()
    ]


def test_each_country_and_rate_is_taxed_by_itself_and_all_add_up() -> None:
    sent = [
        cdr("A", "10.004", "1.90", country="DE"),
        cdr("B", "10.00", "2.00", country="FR"),
        cdr("C", "10.00", "1.00", country="FR")._replace(ended_at=NEW),
        cdr("D", "9.00", "0.90", country="FR")._replace(ended_at=NEW),
        credit("B-", "-10.00", "B", country="FR", tax="-2.00"),
        cdr("E", "10.00", "2.00", country="FR")._replace(ended_at=NEW - timedelta(microseconds=1)),
    ]

    side = settlement_of(sent, [], terms(vat_percent=None, vat_rates=RATES)).sent

    assert rates(side) == [
        ("DE", Decimal(19), 1, 1000, 190),
        ("FR", Decimal(10), 2, 1900, 190),
        ("FR", Decimal(20), 3, 1000, 200),
    ]
    assert (side.net_minor, side.tax_minor) == (3900, 580)
    assert lines(side)[LineCode.ROUNDING] == (0, Decimal("-0.004"), Decimal(0))
    assert LineCode.TAX_DIFFERENCE not in lines(side)


def test_what_no_rate_is_declared_for_is_named() -> None:
    received = [cdr("A", "1.00", country="NL"), cdr("B", "2.00"), cdr("C", "3.00", country="DE")]

    side = settlement_of([], received, terms(vat_percent=None, vat_rates=RATES)).received

    assert side.untaxable == {"?": 1, "NL": 1}
    assert side.tax_minor == 57


def test_a_rate_that_changed_taxes_each_cdr_as_it_was_when_it_ended() -> None:
    changed = (
        VatRate(country="", percent=Decimal(19), since=OLD - timedelta(days=9)),
        VatRate(country="", percent=Decimal(16), since=NEW),
    )
    sent = [cdr("A", "10.00"), cdr("B", "10.00", country="FR")._replace(ended_at=NEW)]
    before = cdr("C", "10.00")._replace(ended_at=OLD - timedelta(days=90))

    given_ = terms(vat_percent=Decimal(16), vat_rates=changed, session_fee=Decimal("0.50"))
    side = settlement_of([*sent, before], [], given_).sent

    assert rates(side) == [("", Decimal(16), 1, 1050, 168), ("", Decimal(19), 2, 2100, 399)]
    assert lines(side)[LineCode.FEES] == (3, Decimal("1.50"), Decimal("0.27"))


@given(
    st.lists(
        st.tuples(st.decimals("-99", "99", places=4), st.sampled_from(["DE", "FR"]), st.booleans()),
        max_size=9,
    ),
    st.decimals("0", "1", places=3),
)
def test_by_country_too_lines_and_rates_add_up_to_the_totals(
    nets: list[tuple[Decimal, str, bool]], fee: Decimal
) -> None:
    sent = [
        cdr(f"C{n}", f"{net:f}", country=country)._replace(ended_at=NEW if is_new else OLD)
        for n, (net, country, is_new) in enumerate(nets)
    ]

    side = settlement_of(sent, [], terms(vat_percent=None, vat_rates=RATES, session_fee=fee)).sent

    assert sum(each.net for each in side.lines) * 100 == side.net_minor
    assert sum(each.tax for each in side.lines) * 100 == side.tax_minor
    assert sum(each[3] for each in rates(side)) == side.net_minor
    assert sum(each[4] for each in rates(side)) == side.tax_minor
    for _, percent, _, net, tax in rates(side):
        assert abs(net * (percent or Decimal(0)) - tax * 100) <= 50


def test_one_rate_over_cdrs_of_others_is_told() -> None:
    right = [cdr(f"A{n}", "10.004", "1.90") for n in range(9)]
    other = [*right, cdr("B", "10.00", "2.00"), cdr("C", "10.00", "2.00"), cdr("D", "10", "2.00")]

    assert not settlement_of(right, [], terms()).sent.is_otherwise_taxed("EUR")
    assert settlement_of(other, [], terms()).sent.is_otherwise_taxed("EUR")
    untaxed = [cdr("A", "10.00"), cdr("B", "10.00")]
    assert not settlement_of(untaxed, [], terms()).sent.is_otherwise_taxed("EUR")
