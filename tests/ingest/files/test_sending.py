"""A station sends its logs: by its own name or in a form, once, and within limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.files import exchange, shelf
from ingest.files.names import NAME_MAX, safe_name
from ledger.database import connect
from tests.ingest.files.served_files import MEBIBYTE, Served, hang_up, served_files, until

LOG = b"2026-03-02 all is well\n" * 20_000


@pytest.fixture
async def served(database: str) -> AsyncIterator[Served]:
    async with served_files(database) as found:
        yield found


async def test_a_log_comes_by_put_and_is_listed(served: Served) -> None:
    path = served.logs_path()

    given = await served.client.put(f"{path}diag 1.tar.gz", content=LOG)

    assert (given.status_code, given.text) == (201, "diag_1.tar.gz\n")
    found = served.files("cp1")[0]
    assert (found.name, found.size, found.sha256, found.status) == (
        "diag_1.tar.gz",
        len(LOG),
        sha256(LOG).hexdigest(),
        None,
    )
    again = await served.client.put(f"{path}diag 1.tar.gz", content=b"other")
    assert (again.status_code, again.text) == (409, "diag_1.tar.gz came already\n")
    assert (await served.client.get(f"{path}diag 1.tar.gz")).status_code == 405
    assert served.files() == [found]


@pytest.mark.parametrize(
    ("end", "headers", "name"),
    [
        ("", {}, "file"),
        ("x/y/z.log", {}, "z.log"),
        ("", {"Content-Disposition": 'attachment; filename="a b.log"'}, "a_b.log"),
        ("%2e%2e%2f%2e%2e%2fpasswd", {}, "passwd"),
    ],
)
async def test_it_is_called_as_the_station_calls_it(
    served: Served, end: str, headers: dict[str, str], name: str
) -> None:
    given = await served.client.post(served.logs_path() + end, content=b"x", headers=headers)

    assert (given.status_code, served.names()) == (201, [name])


async def test_a_form_has_one_file_or_several(served: Served) -> None:
    path = served.logs_path()
    files = [("one", ("a.log", LOG)), ("two", ("b.log", b"")), ("three", ("c.log", b"c"))]

    given = await served.client.post(path, files=files, data={"station": "CP1"})

    assert (given.status_code, given.text) == (201, "a.log, b.log, c.log\n")
    assert [(e.name, e.size) for e in served.files()] == [
        ("c.log", 1),
        ("b.log", 0),
        ("a.log", len(LOG)),
    ]
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (
        b"",
        b"no form",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--',
    ):
        refused = await served.client.post(served.logs_path(), content=body, headers=kind)
        assert refused.status_code == 400, refused.text
    cut = b'--x\r\nContent-Disposition: form-data; name="a"; filename="d"\r\n\r\nhalf'
    refused = await served.client.post(served.logs_path(), content=cut, headers=kind)
    assert (refused.status_code, len(served.files())) == (400, 3)


async def test_a_file_may_have_so_many_bytes_and_of_more_nothing_is_kept(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "LINGER_SECONDS", 60.0)  # for as long as 30 MiB may take

    async def body(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 4096):
            yield bytes(4096)
        yield bytes(size % 4096)

    path = served.logs_path()
    for content in (bytes(MEBIBYTE + 1), body(MEBIBYTE + 1), body(30 * MEBIBYTE)):
        refused = await served.client.put(f"{path}big", content=content)
        assert (refused.status_code, refused.text) == (413, "a file may have 1048576 bytes\n")
    assert served.stored() == 0
    assert (await served.client.put(f"{path}big", content=body(MEBIBYTE))).status_code == 201
    assert served.files()[0].size == MEBIBYTE


async def test_of_a_station_so_much_is_kept_and_the_oldest_make_room(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        await served.client.put(f"{served.logs_path()}{number}", content=bytes(MEBIBYTE))
    assert (await served.client.put(f"{served.logs_path('CP2')}x", content=b"x")).status_code == 201
    assert (served.names(), served.names("CP2")) == (["3", "2", "1"], ["x"])
    monkeypatch.setattr(shelf, "FILES_OF_A_STATION_MAX", 2)
    await served.client.put(f"{served.logs_path()}4", content=b"4")
    assert served.names() == ["4", "3"]


async def test_an_address_takes_ten_files(served: Served) -> None:
    path = served.logs_path()
    said = [(await served.client.put(f"{path}{n}", content=b"x")).status_code for n in range(11)]
    assert said == [201] * 10 + [409]


async def test_what_does_not_come_whole_leaves_nothing_and_may_come_again(served: Served) -> None:
    path = served.logs_path()
    _, writer = await _half_sent(served, path)
    await hang_up(writer)
    await until(lambda: served.stored() == 0)
    assert (await served.client.put(f"{path}diag", content=LOG)).status_code == 201


async def test_of_one_name_the_newest_upload_wins(served: Served) -> None:
    path = served.logs_path()
    reader, writer = await _half_sent(served, path)
    assert (await served.client.put(f"{path}diag", content=LOG)).status_code == 201
    writer.write(bytes(500_000))
    assert b" 409 " in await reader.readline()
    assert [e.size for e in served.files()] == [len(LOG)]
    await hang_up(writer)


async def test_of_uploads_at_once_the_newest_three_go_on(served: Served) -> None:
    paths = [served.logs_path() for _ in range(4)]
    halves = [await _half_sent(served, path) for path in paths]
    for _, writer in halves:
        writer.write(bytes(500_000))
    said = [await reader.readline() for reader, _ in halves]
    assert [b" 409 " in each for each in said] == [True, False, False, False]
    await hang_up(*(writer for _, writer in halves))


async def test_who_sends_next_to_nothing_is_cut_off_and_holds_nobody_up(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(exchange, "RATE_MIN", 100 * MEBIBYTE)
    reader, writer = await _half_sent(served, served.logs_path())
    monkeypatch.setattr(exchange, "GRACE_SECONDS", 30)
    assert (await served.client.put(f"{served.logs_path()}x", content=LOG)).status_code == 201
    async with asyncio.timeout(20):
        assert b" 408 " in await reader.readline()
    assert served.names() == ["x"]
    await hang_up(writer)


async def test_a_kill_leaves_what_the_next_upload_drops(served: Served) -> None:
    path = served.logs_path()
    with connect(served.database) as connection:
        row = connection.execute("INSERT INTO stored_file DEFAULT VALUES RETURNING id").fetchone()
        assert row is not None
        connection.execute(
            "INSERT INTO station_file SELECT %s, 'CP1', id, 'diag' FROM file_address", row
        )
    assert served.files() == []
    assert (await served.client.put(f"{path}diag", content=b"x")).status_code == 201
    assert served.stored() == 2


@given(st.none() | st.text(max_size=300))
def test_a_name_is_safe_whatever_is_said(said: str | None) -> None:
    name = safe_name(said)

    assert 0 < len(name) <= NAME_MAX
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
    assert name[0] not in ".-"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("diag 1;rm -rf.tar.gz", "diag_1_rm_-rf.tar.gz"),
        (".bashrc", "bashrc"),
        ("", "file"),
        ("C:\\logs\\x.log", "x.log"),
        ("a" * 200 + ".log", "a" * 96 + ".log"),
    ],
)
def test_a_name_keeps_what_is_harmless(said: str, name: str) -> None:
    assert safe_name(said) == name


async def _half_sent(
    served: Served, path: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin to send "diag" of 500,000 bytes, and return when its beginning was taken."""
    before = served.newest()
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    length = 300_000 + 500_000
    head = f"PUT {path}diag HTTP/1.1\r\nHost: files\r\nContent-Length: {length}\r\n\r\n"
    writer.write(head.encode() + bytes(300_000))
    await until(lambda: served.newest() > before)
    return reader, writer
