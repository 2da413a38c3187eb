"""Each thing that is found at a partner's CDR, where it begins: one less and it is not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from roaming_ocpi.incoming.verdicts.english import ENGLISH, SENTENCES
from roaming_ocpi.incoming.verdicts.judging import AHEAD, LATE, JudgedCdr, judge_cdr
from roaming_ocpi.incoming.verdicts.known import CdrBefore, CdrSurroundings, SessionBefore
from roaming_ocpi.incoming.verdicts.repricing import Repricer
from roaming_ocpi.incoming.verdicts.verdict import CdrVerdict
from tariffs.kernel.compiled import CompiledTariff
from tariffs.ocpi.documents import decode_json
from tariffs.ocpi.tariff_reader import ocpi_tariff_of
from tests.roaming_ocpi.incoming.partner_stories import (
    CAME,
    GONE,
    NOON,
    SUBJECT,
    TARIFF,
    cdr_of,
    changed,
    credit_of,
    old_cdr_of,
    told_cdr,
)

ACCEPTED, FLAGGED, DISPUTED = CdrVerdict
END = NOON + timedelta(hours=2)
KNOWN = CdrBefore(
    id="C1",
    key="c1",
    is_credit=False,
    credited_by=None,
    currency="EUR",
    net=Decimal(8),
    tax=Decimal("1.6"),
    energy=Decimal(32),
    started_at=NOON,
    ended_at=END,
    subject=SUBJECT,
    session_key="s1",
)
OTHER = KNOWN._replace(id="C0", key="c0", session_key="s0", energy=Decimal(31))
OVER = SessionBefore("COMPLETED", "EUR", Decimal(8), Decimal(32), NOON, END)
ROW = Mapping[str, Any]


def judged(
    body: ROW, around: CdrSurroundings | None = None, *, after: timedelta | None = None
) -> JudgedCdr:
    """Return the verdict on a CDR that came *after* its end."""
    at = CAME if after is None else END + after
    return judge_cdr(told_cdr(body, at=at), around or CdrSurroundings(), Repricer())


def codes(found: JudgedCdr) -> list[str]:
    return [each.code for each in found.codes]


def priced_at(price: float) -> dict[str, Any]:
    """Return the tariff with another price."""
    return changed(TARIFF, elements__0__price_components__0__price=price)


def published(**changes: object) -> CdrSurroundings:
    """Return surroundings in which the tariff was published, with *changes*."""
    value = decode_json(json.dumps(changed(TARIFF, **changes)).encode())
    return CdrSurroundings(published=[CompiledTariff(ocpi_tariff_of(value).tariff)])


def cost(net: str, gross: str) -> dict[str, object]:
    return {"total_cost": {"excl_vat": float(net), "incl_vat": float(gross)}}


NONE = CdrSurroundings()
HAPPY_HOUR = changed(
    TARIFF,
    elements=[
        {
            "price_components": [{"type": "ENERGY", "price": 0.25, "vat": 20.0, "step_size": 1}],
            "restrictions": {"end_time": "14:30"},
        },
        {"price_components": [{"type": "ENERGY", "price": 0.5, "vat": 20.0, "step_size": 1}]},
    ],
)
"""Dearer from 14:30 in Amsterdam on, which is 13:30 of the CDR."""


def around(**said: object) -> CdrSurroundings:
    """Return what is known of a session that is over, with changes."""
    return CdrSurroundings(session=OVER._replace(**said))  # type: ignore[arg-type]


CASES: list[tuple[str, ROW, CdrSurroundings, CdrVerdict]] = [
    # Two periods: two cents may be rounding, three may not.
    ("", cdr_of(**cost("8", "9.6")), CdrSurroundings(), ACCEPTED),
    ("cdr_total_rounded", cdr_of(**cost("8.02", "9.62")), CdrSurroundings(), ACCEPTED),
    ("cdr_total_differs", cdr_of(**cost("8.03", "9.63")), CdrSurroundings(), DISPUTED),
    ("cdr_total_rounded", cdr_of(**cost("8.02", "9.63")), CdrSurroundings(), ACCEPTED),
    ("cdr_total_rounded", cdr_of(**cost("7.98", "9.58")), CdrSurroundings(), ACCEPTED),
    ("cdr_total_differs", cdr_of(**cost("7.97", "9.57")), CdrSurroundings(), DISPUTED),
    # Of the taxes alone.
    ("", cdr_of(**cost("8", "9.60")), CdrSurroundings(), ACCEPTED),
    ("", cdr_of(**cost("8", "9.62")), CdrSurroundings(), ACCEPTED),
    ("cdr_tax_differs", cdr_of(**cost("8", "9.63")), CdrSurroundings(), FLAGGED),
    ("", cdr_of(total_cost={"excl_vat": 8.0}), CdrSurroundings(), ACCEPTED),
    ("cdr_net_missing", cdr_of(total_cost={"incl_vat": 9.6}), CdrSurroundings(), DISPUTED),
    ("cdr_net_missing", cdr_of(total_cost=GONE), CdrSurroundings(), DISPUTED),
    ("cdr_negative cdr_total_differs", cdr_of(**cost("-8", "-9.6")), CdrSurroundings(), DISPUTED),
    # The tariff: published, sent along, neither.
    ("", cdr_of(tariffs=GONE), published(), ACCEPTED),
    ("cdr_tariff_unknown", cdr_of(tariffs=GONE), CdrSurroundings(), FLAGGED),
    ("", cdr_of(tariffs=GONE, **cost("0", "0")), CdrSurroundings(), ACCEPTED),
    ("", cdr_of(), published(), ACCEPTED),
    ("", cdr_of(), published(last_updated="2026-02-02T00:00:00Z"), ACCEPTED),
    ("cdr_tariff_differs", cdr_of(tariffs=[priced_at(0.3)]), published(), FLAGGED),
    (
        "cdr_total_differs",
        cdr_of(tariffs=GONE),
        published(elements=priced_at(0.2)["elements"]),
        DISPUTED,
    ),
    ("cdr_currency_differs", cdr_of(tariffs=[], currency="CHF"), published(), DISPUTED),
    ("cdr_currency_unknown", cdr_of(currency="EUX"), CdrSurroundings(), DISPUTED),
    ("cdr_currency_unknown", cdr_of(currency=GONE, tariffs=GONE, **cost("0", "0")), NONE, DISPUTED),
    ("", cdr_of(currency=GONE), NONE, ACCEPTED),
    # The price changes at 13:30, within the second period.
    ("cdr_spans_price_change", cdr_of(tariffs=[HAPPY_HOUR]), CdrSurroundings(), FLAGGED),
    (
        "",
        cdr_of(tariffs=[HAPPY_HOUR], end_date_time="2026-03-02T13:30:00Z", total_time=1.5),
        CdrSurroundings(),
        ACCEPTED,
    ),
    *(
        (code, cdr_of(tariffs=[HAPPY_HOUR], cdr_location__time_zone=zone), NONE, FLAGGED)
        for code, zone in (("cdr_zone_unknown", GONE), ("cdr_not_repriced", "Mars/Base"))
    ),
    # What else it states.
    ("", cdr_of(total_energy_cost={"excl_vat": 8.02}), CdrSurroundings(), ACCEPTED),
    ("cdr_part_differs", cdr_of(total_energy_cost={"excl_vat": 8.03}), CdrSurroundings(), FLAGGED),
    ("", cdr_of(charging_periods__1__dimensions__0__volume=12.0009), NONE, ACCEPTED),
    (
        "cdr_volume_differs",
        cdr_of(charging_periods__1__dimensions__0__volume=12.001),
        CdrSurroundings(),
        FLAGGED,
    ),
    # Whose it is.
    ("cdr_token_unknown", cdr_of(), CdrSurroundings(is_ours=False), DISPUTED),
    ("cdr_token_unknown", cdr_of(cdr_token={"type": "RFID"}), CdrSurroundings(), DISPUTED),
    # Twice.
    ("cdr_duplicate", cdr_of(id="C2"), CdrSurroundings(of_session=KNOWN), DISPUTED),
    (
        "cdr_duplicate",
        cdr_of(id="C2", session_id=GONE),
        CdrSurroundings(at_once=[KNOWN]),
        DISPUTED,
    ),
    ("cdr_overlaps", cdr_of(), CdrSurroundings(at_once=[OTHER]), FLAGGED),
    ("", cdr_of(), CdrSurroundings(at_once=[OTHER._replace(ended_at=NOON)]), ACCEPTED),
    ("", cdr_of(), CdrSurroundings(at_once=[OTHER._replace(started_at=END)]), ACCEPTED),
    (
        "cdr_overlaps",
        cdr_of(),
        CdrSurroundings(at_once=[OTHER._replace(started_at=END - timedelta(seconds=1))]),
        FLAGGED,
    ),
    # Against its session.
    ("", cdr_of(), CdrSurroundings(session=OVER), ACCEPTED),
    *(
        (
            "cdr_outside_session" if seconds > 60 else "",
            cdr_of(),
            CdrSurroundings(session=each),
            verdict,
        )
        for seconds, verdict in ((60, ACCEPTED), (61, FLAGGED))
        for off in (timedelta(seconds=seconds),)
        for each in (
            OVER._replace(started_at=NOON + off),
            OVER._replace(started_at=NOON - off),
            OVER._replace(ended_at=END - off),
            OVER._replace(ended_at=END + off),
        )
    ),
    ("", cdr_of(), around(energy=Decimal("31.999")), ACCEPTED),
    ("", cdr_of(), around(energy=Decimal("32.001")), ACCEPTED),
    *(
        (
            "cdr_energy_not_sessions",
            cdr_of(),
            around(energy=Decimal(told)),
            FLAGGED,
        )
        for told in ("31.9989", "32.0011")
    ),
    # While it goes on, less was told than there is in the end.
    (
        "",
        cdr_of(),
        CdrSurroundings(session=SessionBefore("ACTIVE", "EUR", Decimal(1), Decimal(5), NOON, None)),
        ACCEPTED,
    ),
    ("", cdr_of(), around(net=Decimal("8.02")), ACCEPTED),
    ("cdr_cost_not_sessions", cdr_of(), around(net=Decimal("8.03")), FLAGGED),
    *(
        (
            "cdr_currency_not_sessions",
            cdr_of(**of),
            around(currency="CHF", **said),
            DISPUTED,
        )
        for of in ({}, {"currency": GONE})
        for said in ({}, {"net": None}, {"status": "ACTIVE", "net": Decimal(99)})
    ),
    ("", cdr_of(), around(currency="eur"), ACCEPTED),
    ("", cdr_of(), around(currency=None), ACCEPTED),
    ("", cdr_of(currency=GONE), CdrSurroundings(session=OVER), ACCEPTED),
    # What taking it back can be.
    ("", credit_of(), CdrSurroundings(original=KNOWN), ACCEPTED),
    ("cdr_credit_without_original", credit_of(), CdrSurroundings(), DISPUTED),
    (
        "cdr_credit_without_original",
        credit_of(),
        CdrSurroundings(original=KNOWN._replace(is_credit=True)),
        DISPUTED,
    ),
    (
        "cdr_credited_before",
        credit_of(),
        CdrSurroundings(original=KNOWN._replace(credited_by="C1-X")),
        DISPUTED,
    ),
    *(
        ("cdr_credit_not_negating", credit_of(**changes), CdrSurroundings(original=KNOWN), DISPUTED)
        for changes in (
            cost("-8.01", "-9.61"),
            cost("8", "9.6"),
            cost("-8", "-9.61"),
            {"currency": "CHF"},
        )
    ),
    # 2.1.1, which has no credit CDRs.
    ("", old_cdr_of(), CdrSurroundings(), ACCEPTED),
    (
        "",
        old_cdr_of(id="C2", total_cost=-8.0),
        CdrSurroundings(at_once=[KNOWN], takes_negative=True),
        ACCEPTED,
    ),
    (
        "cdr_negative cdr_total_differs",
        cdr_of(**cost("-8", "-9.6")),
        CdrSurroundings(takes_negative=True),
        DISPUTED,
    ),
    (
        "cdr_negative cdr_total_differs",
        old_cdr_of(id="C2", total_cost=-8.0),
        CdrSurroundings(),
        DISPUTED,
    ),
    *(
        (
            "cdr_credit_without_original",
            old_cdr_of(id="C2", total_cost=-8.0),
            CdrSurroundings(at_once=[other], takes_negative=True),
            DISPUTED,
        )
        for other in (
            KNOWN._replace(net=Decimal("8.01")),
            KNOWN._replace(started_at=NOON - timedelta(seconds=1)),
            KNOWN._replace(ended_at=END + timedelta(seconds=1)),
        )
    ),
    ("cdr_unreadable", cdr_of(charging_periods=[7]), CdrSurroundings(), DISPUTED),
]


@pytest.mark.parametrize(("code", "body", "around", "verdict"), CASES)
def test_each_code_at_its_boundary(
    code: str, body: ROW, around: CdrSurroundings, verdict: CdrVerdict
) -> None:
    found = judged(body, around)

    assert codes(found) == code.split()
    assert found.verdict is verdict


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (LATE, []),
        (LATE + timedelta(microseconds=1), ["cdr_late"]),
        (-AHEAD, []),
        (-AHEAD - timedelta(seconds=1), ["cdr_ahead"]),
    ],
)
def test_a_cdr_comes_in_time(after: timedelta, found: list[str]) -> None:
    assert codes(judged(cdr_of(), after=after)) == found


@pytest.mark.parametrize(
    ("kwh", "hours", "found"),
    [
        (2000, 2, []),
        (2000, 1.9, ["cdr_power_absurd"]),
        (2000.0001, 3, ["cdr_energy_absurd"]),
        (1, 0, ["cdr_power_absurd"]),
        (0.2, 0, []),
    ],
)
def test_energy_and_power_are_those_of_a_vehicle(
    kwh: float, hours: float, found: list[str]
) -> None:
    end = (NOON + timedelta(hours=hours)).isoformat()
    period = {
        "start_date_time": "2026-03-02T12:00:00Z",
        "dimensions": [{"type": "ENERGY", "volume": kwh}],
        "tariff_id": "T1",
    }
    free = priced_at(0)
    body = cdr_of(
        charging_periods=[period],
        end_date_time=end,
        total_energy=kwh,
        total_time=hours,
        tariffs=[free],
        **cost("0", "0"),
    )

    assert codes(judged(body, after=timedelta(days=1))) == found


def test_what_is_rounded_says_which_policy_gives_it() -> None:
    """A Dutch CDR: 7.293 kWh at 0.22 and 0.969 at 0.24 billed as 1.83, half up for each period."""
    night = {"restrictions": {"start_time": "14:00"}}
    elements = [
        {
            "price_components": [{"type": "ENERGY", "price": 0.24, "vat": 21.0, "step_size": 1}],
            **night,
        },
        {"price_components": [{"type": "ENERGY", "price": 0.22, "vat": 21.0, "step_size": 1}]},
    ]
    body = cdr_of(
        tariffs=[changed(TARIFF, elements=elements)],
        charging_periods__0__dimensions__0__volume=7.293,
        charging_periods__1__dimensions__0__volume=0.969,
        total_energy=8.262,
        **cost("1.83", "2.21"),
    )

    [code] = judged(body).codes

    assert code.code == "cdr_total_rounded"
    assert "round-per-period" in str(code.parameters["policies"])
    assert "round-per-period" in ENGLISH.words(code)


def test_another_reading_of_the_steps_is_named_and_not_disputed() -> None:
    """By steps of 10 kWh 32 kWh are 40: 10.00. Who counts no steps, as OCPI 3.0, asks for 8.00."""
    stepped = changed(TARIFF, elements__0__price_components__0__step_size=10_000)

    found = judged(cdr_of(tariffs=[stepped]))

    assert found.verdict is FLAGGED
    assert codes(found) == ["cdr_policy_differs"]
    assert found.codes[0].parameters["policies"] == ("ocpi-3.0",)
    assert found.repriced_net == 10


def test_who_says_no_currency_means_the_tariff_s() -> None:
    assert judged(cdr_of(currency=GONE)).currency == "EUR"


def test_a_code_has_words_for_whatever_it_is_given() -> None:
    seen = set()
    for _, body, around, _ in CASES:
        for code in judged(body, around).codes:
            seen.add(code.code)
            assert ENGLISH.words(code)
            assert "{" not in ENGLISH.words(code)
    others = {"cdr_late", "cdr_ahead", "cdr_energy_absurd", "cdr_power_absurd"}
    others |= {"cdr_periods_odd", "cdr_hours_exceed", "cdr_tariff_not_valid"}
    elsewhere = {"cdr_told_otherwise", "cdr_policy_differs", "cdr_credit_came_first"}
    assert SENTENCES.keys() == seen | others | elsewhere
