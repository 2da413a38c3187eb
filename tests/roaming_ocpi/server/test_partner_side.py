"""The routes for partners over a socket: who may, what is answered, what never gets out."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import pytest

from ledger.database import connect
from roaming_ocpi.server.front.walls import Walls
from tests.roaming_ocpi.server.notes_for_partners import (
    HUB,
    INVITED,
    RENEWED,
    TNM,
    headers_of,
    partners_served,
)

NOTE = "/ocpi/cpo/2.2.1/tokens/NL/TNM/X1"


async def test_versions_and_their_modules_are_told_as_each_version_writes_them(
    database: str,
) -> None:
    async with partners_served(database) as served:
        get = served.client.get
        versions = (await get("/ocpi/versions", headers=headers_of(TNM))).json()["data"]
        old = (await get(versions[0]["url"], headers=headers_of(TNM))).json()["data"]
        new = (await get(versions[2]["url"], headers=headers_of(TNM))).json()["data"]
        listed = [
            await get(each["url"], headers=headers_of(TNM))
            for each in new["endpoints"]
            if each["identifier"] in ("credentials", "cdrs")
        ]

    assert [each["version"] for each in versions] == ["2.1.1", "2.2.1", "2.3.0"]
    assert {"role" in each for each in old["endpoints"]} == {False}
    cdrs = next(each for each in new["endpoints"] if each["identifier"] == "cdrs")
    assert (cdrs["role"], cdrs["url"].endswith("/ocpi/cpo/2.3.0/cdrs")) == ("SENDER", True)
    assert [answer.status_code for answer in listed] == [200, 200]


async def test_an_answer_comes_in_its_envelope_with_exact_numbers(database: str) -> None:
    text = '{"price": 0.10000000000000000555, "big": 12345678901234567, "ü": 1}'
    async with partners_served(database) as served:
        answer = await served.client.put(
            NOTE,
            content=text.encode(),
            headers=headers_of(TNM, **{"X-Request-ID": "r-1", "X-Correlation-ID": "c-1"}),
        )

    assert answer.status_code == 201
    assert '"price":0.10000000000000000555' in answer.text
    assert '"big":12345678901234567' in answer.text
    envelope = answer.json()
    assert (envelope["status_code"], envelope["timestamp"][-1]) == (1000, "Z")
    assert answer.headers["x-request-id"] == "r-1"
    assert answer.headers["x-correlation-id"] == "c-1"
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("method", "path", "http", "status"),
    [
        ("GET", "/ocpi/cpo/9.9/cdrs", 404, 2000),
        ("GET", "/ocpi/9.9", 404, 2000),
        ("GET", "/ocpi", 404, 2000),
        ("GET", "/ocpi/", 404, 2000),
        ("GET", "/ocpi/cpo/2.2.1/tokens/NL/TNM/%ff", 404, 2000),
        ("GET", "/ocpi/cpo/2.2.1/tokens/NL/TNM/", 404, 2000),
        ("GET", "/ocpi/cpo/2.2.1/tokens/NL/TNM/absent", 404, 2004),
        ("GET", "/ocpi/cpo/2.2.1/tokens/NL/TNM/%00", 400, 2001),
        ("GET", "/ocpi/cpo/2.2.1/tokens/NLD/TNM/1", 400, 2001),
        ("GET", "/ocpi/cpo/2.2.1/tokens/DE/HBC/1", 403, 2000),
        ("POST", "/ocpi/versions", 405, 2000),
        ("TRACE", "/ocpi/versions", 405, 2000),
        ("PUT", NOTE, 400, 2001),
        ("GET", f"/ocpi/cpo/2.2.1/tokens/NL/TNM/{'x' * 256}", 404, 2000),
        ("GET", "/ocpi/cpo/2.2.1/cdrs?offset=-1", 400, 2001),
        ("GET", "/ocpi/cpo/2.2.1/cdrs?limit=0", 400, 2001),
        ("GET", "/ocpi/cpo/2.2.1/cdrs?limit=1&limit=2", 400, 2001),
        ("GET", "/ocpi/cpo/2.2.1/cdrs?limit=%ff", 400, 2001),
        ("GET", "/ocpi/cpo/2.2.1/cdrs?date_from=2026-13-01T00:00:00Z", 400, 2001),
        ("GET", "/ocpi/cpo/2.2.1/cdrs?date_to=yesterday", 400, 2001),
        ("GET", "/ocpi/cpo/2.2.1/cdrs?date_to=0001-01-01T00:00:00%2B14:00", 400, 2001),
        ("GET", f"/ocpi/versions?x={'y' * 5000}", 414, 2000),
    ],
)
async def test_what_cannot_be_is_refused_in_an_envelope(
    database: str, method: str, path: str, http: int, status: int
) -> None:
    async with partners_served(database) as served:
        answer = await served.client.request(method, path, headers=headers_of(TNM))

    assert (answer.status_code, answer.json()["status_code"]) == (http, status), answer.text
    assert answer.json()["status_message"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": "\\ud800"}',
        b"\xff",
        b'{"a": "\\u0000"}',
        b"[]",
        b"1",
        b'{"a": 1e999999999}',
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        b"[" * 70 + b"]" * 70,
        b'{"a": ' * 500 + b"1" + b"}" * 500,
    ],
    ids=lambda body: repr(body[:12]),
)
async def test_a_body_that_is_no_json_of_ours_is_refused(database: str, body: bytes) -> None:
    async with partners_served(database) as served:
        answer = await served.client.put(NOTE, content=body, headers=headers_of(TNM))
        stored = await served.client.get(NOTE, headers=headers_of(TNM))

    assert (answer.status_code, answer.json()["status_code"]) == (400, 2001)
    assert stored.status_code == 404


async def test_a_body_is_read_up_to_a_size_and_within_a_time(database: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * 100

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(3)

    walls = Walls(body_bytes_max=1000, body_seconds=2)
    async with partners_served(database, walls=walls) as served:
        put, headers = served.client.put, headers_of(TNM)
        whole = await put(NOTE, content=b" " * 1001, headers=headers)
        in_chunks = await put(NOTE, content=chunks(), headers=headers)
        late = await put(NOTE, content=slow(), headers=headers)
        large_head = await put(NOTE, headers={**headers, "X-Odd": "x" * 17_000})

    answers = (whole, in_chunks, late, large_head)
    assert [answer.status_code for answer in answers] == [413, 413, 408, 431]
    assert {answer.json()["status_code"] for answer in answers} == {2000}


@pytest.mark.parametrize(
    "value", ["", "Token", "Token wrong", "Bearer " + TNM, "Token \u00fc", f"Token {'x' * 300}"]
)
async def test_who_is_nobody_is_told_so_in_an_envelope(database: str, value: str) -> None:
    async with partners_served(database) as served:
        answer = await served.client.get(
            "/ocpi/versions", headers=[(b"authorization", value.encode("latin-1"))]
        )

    assert (answer.status_code, answer.json()["status_code"]) == (401, 2000)
    assert answer.headers["www-authenticate"] == "Token"


async def test_an_invitation_does_the_handshake_alone(database: str) -> None:
    async with partners_served(database) as served:
        paths = ("/ocpi/versions", "/ocpi/2.2.1", "/ocpi/2.2.1/credentials", "/ocpi/cpo/2.2.1/cdrs")
        got = [await served.client.get(path, headers=headers_of(INVITED)) for path in paths]

    assert [answer.status_code for answer in got] == [200, 200, 200, 401]


async def test_a_new_token_takes_the_place_of_the_old_one_with_its_first_use(database: str) -> None:
    async with partners_served(database) as served:
        get, headers = served.client.get, headers_of(RENEWED)
        await get("/ocpi/versions", headers=headers)
        await get("/ocpi/2.2.1/credentials", headers=headers)
        before = [each for each in served.asked if each.startswith("used")]
        await get("/ocpi/cpo/2.2.1/cdrs", headers=headers)

    assert before == [], "the handshake asks before it has kept its token"
    assert [each for each in served.asked if each.startswith("used")] == [f"used: {RENEWED}"]


async def test_other_methods_and_head_are_answered_as_http_has_it(database: str) -> None:
    async with partners_served(database) as served:
        headers = headers_of(TNM)
        options = await served.client.options(NOTE, headers=headers)
        head = await served.client.head("/ocpi/versions", headers=headers)
        got = await served.client.get("/ocpi/versions/", headers=headers)
        wrong = await served.client.post(NOTE, headers=headers)

    assert (options.status_code, options.headers["allow"]) == (
        200,
        "DELETE, GET, HEAD, PATCH, PUT, OPTIONS",
    )
    assert (head.status_code, head.content, head.headers["content-length"]) == (
        200,
        b"",
        str(len(got.content)),
    )
    assert (wrong.status_code, wrong.headers["allow"]) == (405, options.headers["allow"])


async def test_a_list_is_paged_to_its_end_with_its_filters_while_it_grows(database: str) -> None:
    async with partners_served(database) as served:
        with connect(database) as connection:
            connection.execute(
                "INSERT INTO note (party, id, body) "
                "SELECT 'NL-TNM', 'N' || n, '{}' FROM generate_series(1, 25) n"
            )
        url = "/ocpi/cpo/2.2.1/cdrs?limit=10&date_from=2026-01-01T00:00:00Z&mine=a%26b"
        pages, ids = [], []
        while url:
            answer = await served.client.get(url, headers=headers_of(TNM))
            pages.append(answer)
            ids += [each["id"] for each in answer.json()["data"]]
            url = answer.links["next"]["url"] if "next" in answer.links else ""
            if len(pages) == 1:
                with connect(database) as connection:
                    connection.execute("DELETE FROM note WHERE id = 'N1'")
                    connection.execute("INSERT INTO note (party, id, body) VALUES ('', 'new', '')")

    assert ids == [*(f"N{n}" for n in range(1, 26)), "new"]
    assert [page.headers["x-limit"] for page in pages] == ["10", "10", "10"]
    assert pages[0].headers["x-total-count"] == "25"
    link = pages[0].links["next"]["url"]
    assert "date_from=2026-01-01T00%3A00%3A00Z" in link
    assert "mine=a%26b" in link
    assert "limit=10" in link


async def test_a_limit_is_cut_to_what_we_give(database: str) -> None:
    async with partners_served(database) as served:
        asked = await served.client.get("/ocpi/cpo/2.2.1/cdrs?limit=9999", headers=headers_of(TNM))
        unasked = await served.client.get("/ocpi/cpo/2.2.1/cdrs", headers=headers_of(TNM))
        url = f"/ocpi/cpo/2.2.1/cdrs?limit={'9' * 100}&offset={'9' * 100}"
        beyond = await served.client.get(url, headers=headers_of(TNM))

    assert (asked.headers["x-limit"], unasked.headers["x-limit"]) == ("1000", "100")
    assert (beyond.status_code, beyond.headers["x-limit"]) == (200, "1000")
    assert (beyond.json()["data"], beyond.links) == ([], {})


async def test_who_comes_through_a_hub_is_answered_with_the_parties_turned_round(
    database: str,
) -> None:
    url = "/ocpi/emsp/2.2.1/tariffs/FR/ONE/T1"
    ours = {"OCPI-to-party-id": "HBC", "OCPI-to-country-code": "DE"}
    one = {"OCPI-from-party-id": "one", "OCPI-from-country-code": "fr"}
    async with partners_served(database) as served:
        put = served.client.put
        right = await put(url, json={}, headers=headers_of(HUB, **ours, **one))
        elsewhere = {**ours, "OCPI-to-party-id": "XXX"}
        wrong = await put(url, json={}, headers=headers_of(HUB, **elsewhere, **one))
        other = {**one, "OCPI-from-party-id": "TNM", "OCPI-from-country-code": "NL"}
        foreign = await put(url, json={}, headers=headers_of(HUB, **ours, **other))
        plain = await put(url, json={}, headers=headers_of(HUB))

    assert (right.status_code, right.json()["data"]["from"]) == (201, "FR-ONE")
    said = {key: value for key, value in right.headers.items() if key.startswith("ocpi-")}
    assert said == {
        "ocpi-from-party-id": "HBC",
        "ocpi-from-country-code": "DE",
        "ocpi-to-party-id": "ONE",
        "ocpi-to-country-code": "FR",
    }
    assert (wrong.status_code, wrong.json()["status_code"]) == (404, 4001)
    assert foreign.status_code == 403
    assert not [key for key in plain.headers if key.startswith("ocpi-")]


async def test_a_fault_of_ours_tells_nothing_and_logs_neither_body_nor_token(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with partners_served(database) as served:
        with caplog.at_level(logging.DEBUG):
            answer = await served.client.post(
                "/ocpi/cpo/2.2.1/commands/START_SESSION",
                json={"secret": "body-that-nobody-reads"},
                headers=headers_of(TNM),
            )

    assert (answer.status_code, answer.json()["status_code"]) == (500, 3000)
    assert "nobody-reads" not in answer.text
    ours = [each for each in caplog.records if each.name == "wattledger.roaming"]
    assert "ValueError" in ours[-1].getMessage()
    assert "nobody-reads" not in caplog.text
    assert TNM not in "".join(each.getMessage() for each in ours)


async def test_a_request_that_takes_too_long_gets_an_end(database: str) -> None:
    async with partners_served(database, walls=Walls(answer_seconds=0.2)) as served:
        answer = await served.client.post(
            "/ocpi/cpo/2.2.1/commands/STOP_SESSION", headers=headers_of(TNM)
        )

    assert (answer.status_code, answer.json()["status_code"]) == (503, 3000)
    assert answer.headers["retry-after"]


async def test_a_request_id_that_fits_no_header_is_replaced(database: str) -> None:
    async with partners_served(database) as served:
        answer = await served.client.get(
            "/ocpi/versions", headers=headers_of(TNM, **{"X-Request-ID": "x" * 200})
        )

    assert 0 < len(answer.headers["x-request-id"]) < 100


async def test_the_audit_has_every_call_and_no_token(database: str) -> None:
    async with partners_served(database) as served:
        await served.client.put(
            "/ocpi/cpo/2.2.1/tokens/NL/TNM/DRIVERS-UID-77", json={}, headers=headers_of(TNM)
        )
        await served.client.get("/ocpi/versions", headers=headers_of("of-nobody"))
        await served.client.get("/ocpi/there/is/nothing", headers=headers_of(TNM))
    with connect(database) as connection:
        rows = connection.execute(
            "SELECT partner, method, template, version, module, http, status_code, "
            "target_hmac IS NOT NULL, to_jsonb(roaming_call) FROM roaming_call ORDER BY id"
        ).fetchall()

    template = "/cpo/2.2.1/tokens/{country_code}/{party_id}/{id}"
    assert [row[:8] for row in rows] == [
        ("NL-TNM", "PUT", template, "2.2.1", "tokens", 201, 1000, True),
        (None, "GET", "(nothing there)", None, None, 401, 2000, False),
        ("NL-TNM", "GET", "(nothing there)", None, None, 404, 2000, True),
    ]
    kept = json.dumps([row[8] for row in rows])
    assert not [secret for secret in ("DRIVERS-UID-77", TNM, "of-nobody") if secret in kept]
