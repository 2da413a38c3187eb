"""One id told by two parties of the same hub is two objects; what claims both is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest

from ledger.database import connect
from ledger.log.postgres import make_log
from roaming_ocpi.wire.walls import encoded
from tests.roaming_ocpi.incoming.partner_stories import PARTITIONS, SESSION, cdr_of, changed
from tests.roaming_ocpi.incoming.served_intake import HUB, ServedIntake, served_intake
from tests.roaming_ocpi.places.places_served import HUB as PLACES_HUB
from tests.roaming_ocpi.places.places_served import places_served
from tests.roaming_ocpi.places.test_partner_tariffs import TARIFF
from tests.roaming_ocpi.wire.ocpi_objects import LOCATION

ABC: Final = {"country_code": "FR", "party_id": "ABC"}
ITSELF: Final = {"country_code": "FR", "party_id": "HUB"}
NOBODY_S: Final = {"country_code": None, "party_id": None}
CLAIMS: Final = (
    ({"country_code": "FR"}, 200),
    ({"party_id": "abc"}, 200),
    ({"country_code": "fr", "party_id": "Abc"}, 200),
    (NOBODY_S, 200),
    (ITSELF, 400),
    ({"party_id": "HUB"}, 400),
    ({"party_id": "hub"}, 400),
    ({"party_id": "XYZ"}, 403),
    ({"country_code": "DE"}, 403),
    ({"party_id": ["ABC"]}, 400),
    ({"party_id": "\u1d2cBC"}, 400),
)
"""What a body that goes to the path of FR-ABC says of its owner."""


@pytest.mark.parametrize(("claim", "wanted"), CLAIMS)
@pytest.mark.parametrize(("kind", "whole"), [("locations", LOCATION), ("tariffs", TARIFF)])
async def test_a_place_or_price_is_of_the_party_in_its_path(
    database: str, kind: str, whole: Mapping[str, Any], claim: Mapping[str, Any], wanted: int
) -> None:
    body = {key: each for key, each in whole.items() if key not in ABC} | {"id": "X1"}
    later = {"last_updated": "2026-03-05T00:00:00Z"}
    async with places_served(database) as places:
        paths = [f"/emsp/2.2.1/{kind}/{party}/X1" for party in ("FR/ONE", "fr/hub")]
        one = claim_of(claim, "ABC", "ONE")
        # The other party of the hub has told its own under the same id, in other letters.
        own = body | {"id": "x1"}
        first = await places.ask("PUT", paths[1], content=encoded(own), token=PLACES_HUB)
        kept = await places.ask("GET", paths[1], token=PLACES_HUB)
        came = await places.ask(
            "PUT", paths[0], content=encoded(body | one | later), token=PLACES_HUB
        )
        still = await places.ask("GET", paths[1], token=PLACES_HUB)
        there = await places.ask("GET", paths[0], token=PLACES_HUB)

    assert first.http == 201
    assert came.http == (201 if wanted == 200 else wanted)
    assert still.data == kept.data
    assert (there.http == 200) == (wanted == 200)


def claim_of(claim: Mapping[str, Any], party_id: str, other: str) -> dict[str, Any]:
    """Return *claim* as it is said by a party of another hub."""
    said = dict(claim)
    if isinstance(said.get("party_id"), str) and said["party_id"].upper() == party_id:
        said["party_id"] = other if said["party_id"].isupper() else other.lower()
    return said


@pytest.mark.parametrize(("claim", "wanted"), CLAIMS)
async def test_a_session_is_of_the_party_in_its_path(
    database: str, claim: Mapping[str, Any], wanted: int
) -> None:
    with connect(database) as connection:
        make_log(connection, PARTITIONS)
    body = {key: each for key, each in SESSION.items() if key not in ABC}
    async with served_intake(database) as served:
        own = await put_session(served, "fr/hub", body)
        came = await put_session(served, "FR/ABC", {**body, "kwh": 7, **claim})
        patched = await served.call(
            "PATCH",
            "/sessions/FR/ABC/S1",
            {"kwh": 9, "last_updated": "2026-03-02T15:00:00Z", **claim},
            token=HUB,
        )
        kept = await served.call("GET", "/sessions/FR/HUB/s1", token=HUB)
        there = await served.call("GET", "/sessions/FR/ABC/S1", token=HUB)

    assert (own.http, came.http) == (200, wanted)
    assert patched.http == wanted
    assert kept.data["kwh"] == body["kwh"]
    assert there.http == (200 if wanted == 200 else 404)
    if wanted == 200:
        assert there.data["kwh"] == 9


async def put_session(served: ServedIntake, party: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - an answer
    return await served.call("PUT", f"/sessions/{party}/S1", dict(body), token=HUB)


async def test_one_cdr_id_of_two_parties_is_two_cdrs_and_in_other_letters_the_same(
    database: str,
) -> None:
    with connect(database) as connection:
        make_log(connection, PARTITIONS)
    async with served_intake(database) as served:
        tries = (
            cdr_of(**ABC),
            cdr_of(**ITSELF),
            cdr_of(country_code="fr", party_id="abc"),
            cdr_of(**ABC, id="c1"),
            changed(cdr_of(**ABC), total_energy=31.0),
            cdr_of(country_code="NL", party_id="TNM"),
            cdr_of(country_code="FR", party_id=None),
        )
        came = [await served.call("POST", "/cdrs", each, token=HUB) for each in tries]
    with connect(database) as connection:
        rows = connection.execute(
            "SELECT party, cdr_key, count(*), count(DISTINCT address) FROM received_cdr"
            " GROUP BY 1, 2 ORDER BY 1"
        ).fetchall()

    assert [each.http for each in came[:2]] == [200, 200]
    assert came[0].location != came[1].location
    assert [each.http for each in came[5:]] == [403, 400]
    assert [row[:2] for row in rows] == [("FR-ABC", "c1"), ("FR-HUB", "c1")]
