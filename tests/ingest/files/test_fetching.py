"""A station fetches its firmware: whole, in parts, again, and nothing else."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from deploy.interface import serving
from ingest.files import exchange
from ingest.files.contents import PIECE_BYTES
from ingest.files.firmware import (
    FirmwareFor,
    NoFirmwareError,
    UnfitFirmwareError,
    add_firmware,
    fits,
    fitting_firmware,
    list_firmware,
    remove_firmware,
)
from ingest.files.ranges import UnfitRangeError, asked_range
from ledger.database import connect
from tests.certificates import Authority
from tests.ingest.files.served_files import MEBIBYTE, Served, hang_up, served_files, volt

CONTENT = random.Random(7).randbytes(2 * PIECE_BYTES + 1000)


@pytest.fixture
async def served(database: str) -> AsyncIterator[Served]:
    async with served_files(database) as found:
        yield found


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [
        (None, 200, 0, len(CONTENT)),
        ("bytes=0-0", 206, 0, 1),
        ("bytes=10-", 206, 10, len(CONTENT)),
        (f"bytes={PIECE_BYTES - 1}-{PIECE_BYTES}", 206, PIECE_BYTES - 1, PIECE_BYTES + 1),
        (f"bytes={PIECE_BYTES}-{2 * PIECE_BYTES - 1}", 206, PIECE_BYTES, 2 * PIECE_BYTES),
        ("bytes=-500", 206, len(CONTENT) - 500, len(CONTENT)),
        (f"bytes={len(CONTENT) - 1}-", 206, len(CONTENT) - 1, len(CONTENT)),
        ("bytes=0-1,5-6", 200, 0, len(CONTENT)),
        ("lines=1-2", 200, 0, len(CONTENT)),
    ],
)
async def test_a_firmware_is_fetched_whole_or_in_part(
    served: Served, asked: str | None, status: int, start: int, end: int
) -> None:
    path = served.firmware_path(volt(served.database, CONTENT))

    given = await served.client.get(path, headers={"Range": asked} if asked else {})

    assert (given.status_code, given.content) == (status, CONTENT[start:end])
    assert given.headers["etag"] == f'"{sha256(CONTENT).hexdigest()}"'
    expected = f"bytes {start}-{end - 1}/{len(CONTENT)}" if status == 206 else None
    assert given.headers.get("content-range") == expected


async def test_it_is_fetched_again_and_resumed_while_the_address_holds(served: Served) -> None:
    path = served.firmware_path(volt(served.database, CONTENT))
    assert path.endswith("/volt_2.bin")
    head = await served.client.head(path)
    assert (head.status_code, head.content, head.headers["content-length"]) == (
        200,
        b"",
        str(len(CONTENT)),
    )
    first = await served.client.get(path, headers={"Range": "bytes=0-299999"})
    tag = {"If-Range": first.headers["etag"]}
    rest = await served.client.get(path, headers={"Range": "bytes=300000-", **tag})
    assert first.content + rest.content == CONTENT
    other = await served.client.get(path, headers={"Range": "bytes=9-", "If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, CONTENT)
    past = await served.client.get(path, headers={"Range": f"bytes={len(CONTENT)}-"})
    assert (past.status_code, past.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")


async def test_nothing_else_is_there(served: Served, database: str) -> None:
    firmware = volt(database, CONTENT)
    path = served.firmware_path(firmware)
    gone = served.firmware_path(firmware)
    with connect(database) as connection:
        connection.execute(
            "UPDATE file_address SET expires_at = now()"
            " WHERE id = (SELECT max(id) FROM file_address)"
        )
    secret = path.split("/")[1]
    token = {"Authorization": f"Bearer {secret}"}
    asked = (
        "/",
        "/stations",
        "/schema/openapi.json",
        gone,
        f"/{secret[:-1]}{'B' if secret.endswith('A') else 'A'}/x",
        f"/{secret}A",
        "//",
    )
    for each in asked:
        assert (await served.client.get(each, headers=token)).status_code == 404, each
    refused = await served.client.put(path, content=b"mine")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert (await served.client.get(f"/by/a/proxy{path}")).content == CONTENT
    assert (await served.client.get(f"/{secret}")).content == CONTENT
    with connect(database) as connection:
        assert secret not in str(connection.execute("SELECT * FROM file_address").fetchall())
        remove_firmware(connection, firmware)
        assert list_firmware(connection) == []
    assert (await served.client.get(path)).status_code == 404
    assert served.stored() == 0


async def test_it_comes_over_tls_with_the_certificate_of_the_stations_port(
    database: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue("files")
    names = {"tls_certificate": str(issued.certificate), "tls_key": str(issued.key)}
    async with served_files(database, ca=authority.ca, **names) as served:
        path = served.firmware_path(volt(database, CONTENT))
        assert str(served.client.base_url).startswith("https://")
        assert (await served.client.get(path)).content == CONTENT


async def test_who_does_not_read_or_says_nothing_is_cut_off(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(exchange, "RATE_MIN", 100 * MEBIBYTE)
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.5)
    async with served_files(database) as served:
        path = served.firmware_path(volt(database, bytes(40 * MEBIBYTE)))
        silent = await asyncio.open_connection("127.0.0.1", served.port)
        dripping = await asyncio.open_connection("127.0.0.1", served.port)
        dripping[1].write(b"GET / HTTP/1.1\r\nHost: files\r\n\r\nGET / HTTP/1.1\r\nHos")
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: files\r\n\r\n".encode())
        async with asyncio.timeout(20):
            assert await silent[0].read() == b""
            assert (await dripping[0].read()).startswith(b"HTTP/1.1 404 ")
        await asyncio.sleep(1.5)
        taken = 0
        async with asyncio.timeout(20):
            try:
                while portion := await reader.read(MEBIBYTE):
                    taken += len(portion)
            except ConnectionResetError:
                pass
        assert taken < 40 * MEBIBYTE
        await hang_up(silent[1], dripping[1], writer)


@pytest.mark.parametrize(
    ("header", "size", "expected"),
    [
        ("bytes=0-", 0, UnfitRangeError),
        ("bytes=-0", 9, UnfitRangeError),
        ("bytes=8-", 9, (8, 9)),
        ("bytes=9-", 9, UnfitRangeError),
        ("bytes=5-4", 9, None),
        ("bytes=-99", 9, (0, 9)),
        ("bytes=-", 9, None),
        ("bytes=0-99999999999999999999", 9, None),
    ],
)
def test_a_range_ends_where_the_file_does(header: str, size: int, expected: object) -> None:
    if isinstance(expected, type):
        with pytest.raises(UnfitRangeError):
            asked_range(header, size)
        return
    assert asked_range(header, size) == expected


def test_the_firmware_that_fits_best_is_taken(database: str) -> None:
    with connect(database) as connection:
        connection.execute(
            "INSERT INTO station_state (station_id, vendor, model, booted_at)"
            " VALUES ('CP1', 'Volt', 'V1', now()), ('CP2', 'Amp', 'V1', now())"
        )
        kinds = [("", ""), ("Volt", ""), ("Volt", "V1"), ("Amp", "A9")]
        for vendor, model in kinds:
            volt(database, f"{vendor} {model}".encode(), vendor=vendor, model=model)
        found = [fitting_firmware(connection, "2.0", each) for each in ("CP1", "CP2", "CP9")]
        assert [(e.vendor, e.model) for e in found] == [("Volt", "V1"), ("", ""), ("", "")]
        assert not fits(found[0], "Volt", "V2")
        with pytest.raises(NoFirmwareError, match=r"no firmware 3\.0 fits CP1, which is Volt V1"):
            fitting_firmware(connection, "3.0", "CP1")
        with pytest.raises(UnfitFirmwareError, match="already"):
            volt(database, b"again", vendor="Volt", model="V1")
        for given, why in (
            (FirmwareFor("3.0"), "empty"),
            (FirmwareFor(""), "a version has"),
        ):
            with pytest.raises(UnfitFirmwareError, match=why):
                add_firmware(connection, given, name="x", portions=[], by="ann")
        row = connection.execute("SELECT count(*) FROM stored_file").fetchone()
    assert row == (4,)
