from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from roaming_ocpi.settlement.completeness.list_files import LineProblems
from roaming_ocpi.settlement.completeness.listed_cdr import ListedCdr
from roaming_ocpi.settlement.completeness.pulling import (
    NoListOfCdrsError,
    pulled_cdr,
    pulled_cdrs,
)
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tests.roaming_ocpi.client.odd_partner import (
    answer,
    client_of,
    enveloped,
    link_to,
    odd_partner,
    saying,
)

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
CDR: dict[str, Any] = {
    "id": "T1",
    "start_date_time": "2026-03-14T09:00:00Z",
    "end_date_time": "2026-03-14T10:00:00Z",
    "session_id": "S1",
    "currency": "EUR",
    "total_energy": Decimal("7.293"),
    "total_cost": {"excl_vat": Decimal("1.83702"), "incl_vat": Decimal("2.22")},
    "country_code": "nl",
    "party_id": "tnm",
}
LISTED = ListedCdr(
    *("NL-TNM", "T1", "cdr", None, "S1", "EUR", Decimal("7.293"), Decimal("1.83702")),
    *(Decimal("0.38298"), datetime(2026, 3, 14, 9, tzinfo=UTC)),
    datetime(2026, 3, 14, 10, tzinfo=UTC),
)
OLD = {
    "start_date_time": "2026-03-14T09:00:00Z",
    "stop_date_time": "2026-03-14T10:00:00Z",
    **{key: CDR[key] for key in ("id", "session_id", "currency", "total_energy")},
    "total_cost": Decimal("1.83702"),
}
NEW = CDR | {
    "total_cost": {
        "before_taxes": Decimal("1.83702"),
        "taxes": [{"name": "VAT", "amount": Decimal("0.38298")}],
    }
}


@pytest.mark.parametrize(
    ("tree", "listed"),
    [
        pytest.param(CDR, LISTED, id="2.2.1"),
        pytest.param(NEW, LISTED, id="2.3.0"),
        pytest.param(OLD, LISTED._replace(tax=None), id="2.1.1"),
        pytest.param(
            CDR | {"credit": True, "credit_reference_id": "T0"},
            LISTED._replace(
                kind="credit",
                credits="T0",
                energy_kwh=-LISTED.energy_kwh,
                net=-LISTED.net,
                tax=Decimal("-0.38298"),
            ),
            id="a credit whose amounts are above 0",
        ),
    ],
)
def test_a_cdr_of_each_version_is_listed_alike(tree: dict[str, Any], listed: ListedCdr) -> None:
    assert pulled_cdr(tree, "NL-TNM") == listed


async def test_what_a_partner_lists_is_pulled_and_what_is_odd_is_named() -> None:
    said = [CDR | {"total_energy": 7, "total_cost": {"excl_vat": 2}}, 5, {"id": "x"}]
    problems = LineProblems()
    async with odd_partner(saying(answer(enveloped(said)))) as partner, client_of() as client:
        link = link_to(partner.url)
        url = f"{partner.url}/cpo/cdrs"
        link = link._replace(endpoints={(ModuleId.CDRS, InterfaceRole.SENDER): url})
        pages = [page async for page in pulled_cdrs(client, link, SINCE, problems)]

    assert [[(number, cdr.net) for number, cdr in page] for page in pages] == [[(1, Decimal(2))]]
    assert problems.count == 2
    assert "date_from=2026-03-01T00%3A00%3A00Z" in partner.asked[0].target


async def test_a_partner_without_a_list_is_asked_for_a_file() -> None:
    async with client_of() as client:
        with pytest.raises(NoListOfCdrsError, match="--theirs"):
            async for _ in pulled_cdrs(client, link_to("http://x.example"), SINCE, LineProblems()):
                pass
