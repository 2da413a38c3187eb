"""A CDR that comes again in other words, or in another version's form, is the one that is known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from roaming_ocpi.incoming.verdicts.retelling import LOOKED_AT_MAX
from roaming_ocpi.tokens.own_tokens import Issuer, contract_of
from tests.roaming_ocpi.incoming.partner_stories import (
    cdr_of,
    changed,
    declare_roaming,
    old_cdr_of,
    read_all,
    rows_of,
    subject_of,
    verdicts,
)
from tests.roaming_ocpi.incoming.served_intake import OLD, ServedIntake, served_intake
from tests.roaming_ocpi.incoming.taking.test_incoming_receiver import messages


@pytest.fixture
async def served(database: str) -> AsyncIterator[ServedIntake]:
    declare_roaming(database)
    async with served_intake(database) as found:
        yield found


def reworded() -> dict[str, Any]:
    """Return the CDR as another program of its partner writes it."""
    periods = [
        {**period, "dimensions": [{"type": "ENERGY", "volume": volume}]}
        for period, volume in zip(cdr_of()["charging_periods"], (20, 12), strict=True)
    ]
    return cdr_of(
        charging_periods=periods,
        total_cost={"incl_vat": 9.60, "excl_vat": 8},
        total_energy=32,
        remark=None,
        last_updated="2026-03-05T09:00:00Z",
    )


@pytest.mark.parametrize("are_at_once", [False, True])
async def test_the_same_cdr_in_other_words_is_nothing_new(
    database: str,
    served: ServedIntake,
    are_at_once: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Numbers with and without their noughts, null for nothing, another time of the update."""
    first = cdr_of()
    if are_at_once:
        bodies = [cdr_of(id="C0", session_id="S0"), first, reworded()]
        answers = await asyncio.gather(*(served.call("POST", "/cdrs", each) for each in bodies))
        answers = answers[1:]
    else:
        answers = [await served.call("POST", "/cdrs", each) for each in (first, reworded())]

    read_all(database)

    assert answers[0] == answers[1]
    assert answers[0].code == 1000
    assert len(messages(database)) == 1 + are_at_once
    assert "cdr_told_otherwise" not in verdicts(database)["C1"].codes


@pytest.mark.parametrize(
    "changes",
    [
        {"total_energy": 32.001},
        {"remark": "by phone"},
        {"cdr_token__uid": "OTHER"},
        {"total_cost": {"excl_vat": 8}},
        {"start_date_time": "2026-03-02T12:00:01Z"},
        {"charging_periods": []},
        {"id": "c1", "total_energy": 32.001},
    ],
)
async def test_one_digit_more_is_another_cdr(
    database: str, served: ServedIntake, changes: dict[str, Any]
) -> None:
    answers = [
        await served.call("POST", "/cdrs", each)
        for each in (cdr_of(), changed(reworded(), **changes))
    ]

    read_all(database)

    assert [each.code for each in answers] == [1000, 2001]
    assert "cdr_told_otherwise" in verdicts(database)["C1"].codes


async def test_a_cdr_that_is_long_is_not_read_again_to_be_compared(served: ServedIntake) -> None:
    long = {"extra": "x" * LOOKED_AT_MAX}
    first = await served.call("POST", "/cdrs", cdr_of(**long))
    again = await served.call("POST", "/cdrs", cdr_of(**long))
    other = await served.call("POST", "/cdrs", cdr_of(total_energy=32, **long))

    assert (first.code, again.code, other.code) == (1000, 1000, 2001)


@pytest.mark.parametrize("net", ["8.00", "8.01"])
async def test_a_partner_of_another_version_tells_its_cdrs_anew(
    database: str, served: ServedIntake, net: str
) -> None:
    """Who moves from 2.1.1 to 2.2.1 lists all that it has: the same charges, not others."""
    contract = contract_of(subject_of(database), Issuer("DE-HBC", "Harbour Charging GmbH"))
    old = old_cdr_of(auth_id=contract)
    new = cdr_of(total_cost={"excl_vat": Decimal(net), "incl_vat": Decimal("9.60")})
    text = json.dumps(new, default=str).replace(f'"{net}"', net).replace('"9.60"', "9.60")

    before = await served.call("POST", "/cdrs", old, version=OLD)
    answers = [await served.call("POST", "/cdrs", text) for _ in range(2)]
    read_all(database)

    is_same = net == "8.00"
    assert before.code == 1000
    assert [each.code for each in answers] == [1000 if is_same else 2001] * 2
    found = verdicts(database)["C1"]
    assert found.codes == (() if is_same else ("cdr_told_otherwise",))
    assert len(rows_of(database, "partner_cdr_again")) == 1
    assert len(messages(database)) == 2
