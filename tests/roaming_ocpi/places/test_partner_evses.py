"""EVSEs of partners' Locations are rows: what one says costs the same in any Location."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import psycopg
import pytest
from psycopg import AsyncConnection

from deploy.postgres import migrate
from ledger.database import connect, connect_options
from ledger.partners.bounds import Bound
from ledger.partners.tokens import BY_DEFAULT
from ledger.partners.told_counts import told_counts
from roaming_ocpi.client.transport import BODY_MAX
from roaming_ocpi.places import pulling
from roaming_ocpi.places.location_parts import EVSES_MAX
from roaming_ocpi.places.partner_locations import (
    EVSE_BYTES_MAX,
    LockedLocation,
    lock_location,
    read_location,
)
from roaming_ocpi.places.pulling import PAGES, ReadList
from roaming_ocpi.wire.modules import ModuleId
from roaming_ocpi.wire.walls import NODES_MAX, encoded
from tariffs.ocpi.documents import OcpiError, decode_json
from tariffs.ocpi.versions import OcpiVersion
from tests.roaming_ocpi.client.odd_partner import answer, enveloped, odd_partner
from tests.roaming_ocpi.places.places_served import NOW, places_served
from tests.roaming_ocpi.places.test_pulled_places import reading
from tests.roaming_ocpi.wire.ocpi_objects import EVSE, LOCATION, PLUG

TNM = ("NL-TNM", "loc1")
ONE = "/emsp/2.2.1/locations/NL/TNM/LOC1"
LATER = "2026-03-02T00:00:00Z"
THEIRS = LOCATION | {"country_code": "NL", "party_id": "TNM"}
WATCH = """
CREATE TABLE written (name text, bytes integer);
CREATE FUNCTION note_written() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO written VALUES (TG_TABLE_NAME, length(coalesce(NEW, OLD)::text));
    RETURN NULL;
END $$;
CREATE TRIGGER watched AFTER INSERT OR UPDATE OR DELETE ON partner_evse
    FOR EACH ROW EXECUTE FUNCTION note_written();
CREATE TRIGGER watched AFTER INSERT OR UPDATE OR DELETE ON partner_location
    FOR EACH ROW EXECUTE FUNCTION note_written();
"""


def of_evses(count: int, **changes: object) -> dict[str, Any]:
    evses = [EVSE | {"uid": f"E{number}"} for number in range(1, count + 1)]
    return THEIRS | {"evses": evses, **changes}


async def keep(dsn: str, location: dict[str, Any]) -> None:
    options = connect_options(dsn)
    async with await AsyncConnection.connect(dsn, options=options) as connection:
        before = await lock_location(connection, *TNM)
        await LockedLocation(connection, BY_DEFAULT, *TNM).keep(location, before=before, at=NOW)


def written(dsn: str) -> list[tuple[str, int]]:
    with connect(dsn) as connection:
        found = connection.execute("SELECT name, bytes FROM written ORDER BY 1, 2").fetchall()
        connection.execute("TRUNCATE written")
    return found


def sums_are_true(connection: psycopg.Connection[Any]) -> bool:
    """Whether the sums of each Location, and of the party, are those of what is there."""
    kept = connection.execute(
        "SELECT evses, connectors, bytes FROM partner_location ORDER BY party, location_id"
    ).fetchall()
    made = connection.execute(
        """
        SELECT count(number), coalesce(sum(evse.connectors), 0),
            length(place.body) + coalesce(sum(length(evse.body)), 0)
        FROM partner_location AS place
        LEFT JOIN partner_evse AS evse USING (party, location_id)
        GROUP BY party, location_id ORDER BY party, location_id
        """
    ).fetchall()
    counts = {each.bound: each.counted for each in told_counts(connection, "NL-TNM", NOW)}
    sums = [counts[each] for each in (Bound.EVSES, Bound.CONNECTORS, Bound.LOCATION_BYTES)]
    return kept == made and sums == [sum(column) for column in zip(*made, strict=True)]


async def test_what_one_evse_says_writes_the_same_in_a_location_of_any_size(
    database: str, other_database: str
) -> None:
    costs = []
    for dsn, count in ((database, 1), (other_database, 10_000)):
        await keep(dsn, of_evses(count))
        with connect(dsn) as connection:
            connection.execute(WATCH)
        async with places_served(dsn) as places:
            patch = {"status": "CHARGING", "last_updated": LATER}
            came = [await places.ask("PATCH", f"{ONE}/E1", patch)]
            cost = [written(dsn)]
            moved = {"last_updated": "2026-03-03T00:00:00Z"}
            came.append(await places.ask("PUT", f"{ONE}/E1", EVSE | moved))
            came.append(await places.ask("PUT", f"{ONE}/E1/1", PLUG | moved))
            cost.append(written(dsn))
            whole = await places.ask("PATCH", ONE, {"city": "Bremen"} | moved)
            cost.append(written(dsn))
        assert [each.http for each in (*came, whole)] == [200] * 4
        costs.append(cost)
        with connect(dsn) as connection:
            assert sums_are_true(connection)

    sizes = [[size for each in cost for _, size in each] for cost in costs]
    digits = [abs(one - other) for one, other in zip(*sizes, strict=True)]
    assert max(digits) <= 3 * len("0000"), "sums of a larger Location have so many digits more"
    both = ["partner_evse", "partner_location"]
    for cost in costs:
        names = [[name for name, _ in each] for each in cost]
        assert names == [both, sorted(both * 2), ["partner_location"]]


async def test_what_is_told_again_whole_is_written_where_it_changed(database: str) -> None:
    first = of_evses(50)
    await keep(database, first)
    with connect(database) as connection:
        connection.execute(WATCH)
    second = of_evses(49, last_updated=LATER)
    second["evses"][7] |= {"status": "CHARGING"}
    await keep(database, second)

    names = [name for name, _ in written(database)]
    assert names == ["partner_evse"] * 2 + ["partner_location"], "one changed, one is gone"
    async with places_served(database) as places:
        one = await places.ask("GET", ONE)
    assert one.data == second
    second["evses"].reverse()
    await keep(database, second)
    async with places_served(database) as places:
        one = await places.ask("GET", ONE)
    assert one.data == second, "in the order in which it says them"
    with connect(database) as connection:
        assert sums_are_true(connection)


async def test_a_location_of_ten_thousand_evses_is_read_from_its_party(database: str) -> None:
    theirs = {"country_code": "DE", "party_id": "HBC"}
    place = json.loads(encoded(of_evses(10_000) | theirs))
    for each in place["evses"]:
        each |= {"physical_reference": "1", "floor_level": "-1", "images": [], "directions": []}
    nodes = len(place["evses"]) * (len(EVSE) + 4 + 1 + len(PLUG) + 1)
    assert nodes >= NODES_MAX, "more values than one body may have: it is looked at EVSE by EVSE"

    async def serve(request: Any, writer: Any) -> None:  # noqa: ANN401 - what odd_partner gives
        listed = [place] if "locations" in request.target else []
        writer.write(answer(enveloped(listed)))
        await writer.drain()

    async with odd_partner(serve) as odd, reading(database, OcpiVersion.V2_2_1, odd.url) as both:
        read = await both.reader.read(both.link)
        options = connect_options(database)
        async with await AsyncConnection.connect(database, options=options) as connection:
            kept = await read_location(connection, "DE-HBC", "loc1")

    assert read[ModuleId.LOCATIONS] == ReadList(1)
    assert encoded(kept) == encoded(place)


@pytest.mark.parametrize("fits", [100, 10, 9, 1])
async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(
    database: str, fits: int
) -> None:
    theirs = {"country_code": "DE", "party_id": "HBC"}
    listed = [THEIRS | theirs | {"id": f"L{n}"} for n in range(20)]
    asked: list[int] = []

    async def serve(request: Any, writer: Any) -> None:  # noqa: ANN401 - what odd_partner gives
        query = dict(parse_qsl(urlsplit(request.target).query))
        limit, offset = int(query["limit"]), int(query.get("offset", "0"))
        page: list[Any] = listed[offset : offset + limit] if "locations" in request.target else []
        if limit > fits and page:
            page = ["x" * BODY_MAX]
        headers = []
        if page and offset + limit < len(listed):
            url = f"{odd.url}/locations?limit={limit}&offset={offset + limit}"
            headers = [f'Link: <{url}>; rel="next"']
        asked.append(limit)
        writer.write(answer(enveloped(json.loads(encoded(page))), headers=headers))
        await writer.drain()

    async with odd_partner(serve) as odd, reading(database, OcpiVersion.V2_2_1, odd.url) as both:
        read = await both.reader.read(both.link)

    assert read[ModuleId.LOCATIONS] == ReadList(20)
    assert min(asked) == max(size for size in PAGES if size <= fits)


@pytest.mark.parametrize("knows_offset", [True, False])
async def test_one_object_that_is_too_large_alone_is_passed_over_and_noted(
    database: str, monkeypatch: pytest.MonkeyPatch, *, knows_offset: bool
) -> None:
    """A partner that answers with it whatever is asked is left after a few, and read later."""
    monkeypatch.setattr(pulling, "PASSED_OVER_MAX", 2)
    theirs = {"country_code": "DE", "party_id": "HBC"}
    listed = [THEIRS | theirs | {"id": f"L{n}"} for n in range(5)]
    alone: list[int] = []

    async def serve(request: Any, writer: Any) -> None:  # noqa: ANN401 - what odd_partner gives
        query = dict(parse_qsl(urlsplit(request.target).query))
        limit = int(query["limit"])
        offset = int(query.get("offset", "0")) if knows_offset else 3
        page: list[Any] = listed[offset : offset + limit] if "locations" in request.target else []
        if listed[3] in page:
            page = ["x" * BODY_MAX]
        headers = []
        if page and offset + limit < len(listed):
            url = f"{odd.url}/locations?limit={limit}&offset={offset + limit}"
            headers = [f'Link: <{url}>; rel="next"']
        if page and limit == 1:
            alone.append(offset)
        writer.write(answer(enveloped(json.loads(encoded(page))), headers=headers))
        await writer.drain()

    async with odd_partner(serve) as odd, reading(database, OcpiVersion.V2_2_1, odd.url) as both:
        read = await both.reader.read(both.link)

    if knows_offset:
        why = "larger than an answer may be: no page of one object can be read"
        assert read[ModuleId.LOCATIONS] == ReadList(4, 1, why)
        assert alone == [0, 1, 2, 3, 4]
    else:
        assert ModuleId.LOCATIONS not in read
        assert alone == [3, 3, 3]


async def test_a_location_and_an_evse_have_an_end(database: str) -> None:
    with pytest.raises(OcpiError, match="make a Location of more than"):
        await keep(database, of_evses(80, evses=[
            EVSE | {"uid": f"E{n}", "x": "x" * (EVSE_BYTES_MAX - 1_000)} for n in range(80)
        ]))  # fmt: skip
    much = EVSE | {"uid": "E2", "x": "x" * EVSE_BYTES_MAX}
    with pytest.raises(OcpiError, match=r"evses\[1\]: an EVSE of more than 250,000 bytes"):
        await keep(database, of_evses(1, evses=[EVSE, much]))
    await keep(database, of_evses(EVSES_MAX - 1))
    async with places_served(database) as places:
        new = [EVSE | {"uid": uid, "last_updated": LATER} for uid in ("LAST", "MORE")]
        came = [await places.ask("PUT", f"{ONE}/{each['uid']}", each) for each in new]
        big = EVSE | {"uid": "E1", "last_updated": LATER, "x": ["x" * 90_000] * 3}
        too_big = await places.ask("PUT", f"{ONE}/E1", big)
        long = await places.ask("PUT", f"{ONE}/{'x' * 40}", EVSE)
        uid = of_evses(1, evses=[EVSE | {"uid": "x" * 256}], last_updated=LATER)
        long_uid = await places.ask("PUT", ONE, uid)

    assert [each.http for each in (*came, too_big, long, long_uid)] == [201, 400, 400, 400, 400]
    assert "evses: has more than 20,000" in (came[1].message or "")
    assert "uid: has more than 255 characters" in (long_uid.message or "")


async def test_a_location_without_evses_gets_its_first_and_loses_them_all(database: str) -> None:
    bare = {key: value for key, value in THEIRS.items() if key != "evses"}
    async with places_served(database) as places:
        await places.ask("PUT", ONE, content=encoded(bare))
        none = await places.ask("GET", ONE)
        await places.ask("PUT", f"{ONE}/E1", EVSE | {"last_updated": LATER})
        first = await places.ask("GET", ONE)
        patch = {"evses": None, "last_updated": "2026-03-04T00:00:00Z"}
        await places.ask("PATCH", ONE, patch)
        gone = await places.ask("GET", ONE)
        one = await places.ask("GET", f"{ONE}/E1")
        alone = THEIRS | {"evses": EVSE, "last_updated": "2026-03-05T00:00:00Z"}
        await places.ask("PUT", ONE, content=encoded(alone))
        listed = await places.ask("GET", ONE)

    assert none.data == bare
    moved = {"evses": [EVSE | {"last_updated": LATER}], "last_updated": LATER}
    assert list(first.data.items()) == list((bare | moved).items())
    assert gone.data == bare | {"last_updated": patch["last_updated"]}
    assert (one.http, one.status) == (404, 2003)
    assert listed.data == alone | {"evses": [EVSE]}
    with connect(database) as connection:
        assert sums_are_true(connection)


OF_BEFORE = [
    encoded(of_evses(3, their_own={"a": [1, None], "é\n\x01": "/ü\u2028"})),
    encoded(THEIRS | {"id": "bare", "evses": None}),
    encoded(THEIRS | {"id": "none", "evses": []}),
    encoded({key: value for key, value in THEIRS.items() if key != "evses"} | {"id": "absent"}),
    encoded(THEIRS | {"id": "odd"}).replace(b'"uid":"E1"', b'"uid":"\xc3\x89 1","n":0.10,"m":1e5'),
    encoded(THEIRS | {"id": "long", "evses": [
        EVSE | {"uid": "x" * 900 + end} for end in "ab"
    ]}),
]  # fmt: skip


async def test_what_was_stored_before_moves_and_says_the_same(database: str) -> None:
    with connect(database) as connection:
        connection.execute("DROP TABLE partner_evse")
        for column in ("updated", "evses", "connectors", "bytes"):
            connection.execute(f"ALTER TABLE partner_location DROP COLUMN {column}".encode())
        for body in OF_BEFORE:
            connection.execute(
                "INSERT INTO partner_location VALUES ('NL-TNM', %s, now(), %s, NULL, %s)",
                (decode_json(body)["id"].lower(), THEIRS["last_updated"], body),
            )
        connection.execute("INSERT INTO told_count VALUES ('NL-TNM', 'evses', NULL, 6)")
        connection.execute("INSERT INTO told_count VALUES ('NL-TNM', 'connectors', NULL, 6)")
        connection.execute("INSERT INTO told_count VALUES ('NL-TNM', 'location_bytes', NULL, 1)")
        script = (migrate.MIGRATIONS / "inputs" / "0200_partner_evses.sql").read_text("utf-8")
        connection.execute(script.encode())
        assert sums_are_true(connection)
    options = connect_options(database)
    async with await AsyncConnection.connect(database, options=options) as connection:
        for body in OF_BEFORE:
            key = decode_json(body)["id"].lower()
            assert encoded(await read_location(connection, "NL-TNM", key)) == encoded(
                decode_json(body)
            )
    async with places_served(database) as places:
        moved = {"status": "CHARGING", "last_updated": LATER}
        patched = await places.ask("PATCH", f"{ONE}/e2", moved)
        one = await places.ask("GET", ONE)
    assert patched.http == 200
    assert [each["status"] for each in one.data["evses"]] == ["AVAILABLE", "CHARGING", "AVAILABLE"]
