"""Who is let in and who is not, over real sockets; on the wire refusals look alike."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import logging
import operator
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response
from websockets.typing import Subprotocol

from ingest.directory import StationAccess
from ingest.edge import guesses as guessing_module
from ingest.edge.admissions import PENDING_MAX, Admissions, Reason, Refused, Times
from ingest.edge.door import identity_of
from ingest.edge.known_keys import KnownKeys, Proof
from ingest.edge.server import Manners
from ledger.declared import passwords
from tests.edge import PASSWORD, SECRET, Edge, open_edge, until
from tests.fakes import NOON, FixedClock, FixedDirectory, MemoryAdmissions

HERE = "127.0.0.1"
SOMAXCONN = Path("/proc/sys/net/core/somaxconn")


async def refused(
    edge: Edge, name: str = "CP1", *, password: str = PASSWORD, user: str | None = None
) -> Response:
    """Return what a station is answered that is refused."""
    with pytest.raises(InvalidStatus) as answer:
        async with edge.station(name, password=password, user=user, open_timeout=60):
            pass
    return answer.value.response


def guesses(edge: Edge, names: list[str]) -> list[asyncio.Task[Response]]:
    """Guess at the passwords of *names*, all at once."""
    return [
        asyncio.create_task(refused(edge, name, password=f"guess-{n}"))
        for n, name in enumerate(names)
    ]


@pytest.fixture
def held_for_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold who guesses so long that no test lasts until it is told."""
    monkeypatch.setattr(guessing_module, "HOLD_MIN_SECONDS", 600.0)
    monkeypatch.setattr(guessing_module, "HOLD_MAX_SECONDS", 6000.0)


async def give_up(tasks: list[asyncio.Task[Response]]) -> None:
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(
    ("name", "password", "user", "reason", "said"),
    [
        pytest.param("CP1", "wrong", "CP1", "wrong_password", "CP1", id="a wrong password"),
        pytest.param("CP9", PASSWORD, "CP9", "unknown_identity", "CP9", id="an unknown identity"),
        pytest.param("CP1", PASSWORD, "CP2", "user_name", "CP2 at CP1", id="another's name"),
        pytest.param("CP1/x", PASSWORD, "CP1", "path_prefix", "CP1 at x", id="a path that goes on"),
        pytest.param(
            "x" * 300, PASSWORD, "CP1", "no_identity", "CP1 at " + 54 * "x" + "...", id="too long"
        ),
    ],
)
async def test_who_is_not_the_station_is_refused_before_the_upgrade(
    name: str, password: str, user: str, reason: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_edge() as edge:
        answer = await refused(edge, name, password=password, user=user)

        assert edge.log.lines() == []
        assert edge.server.refused == {reason: 1}

    assert (answer.status_code, answer.body) == (401, b"Unauthorized\n")
    assert {name.lower(): value for name, value in answer.headers.raw_items()}.keys() == {
        "date", "connection", "content-length", "content-type", "www-authenticate"
    }  # fmt: skip
    assert edge.admissions.refused == {Refused(Reason(reason), said, HERE): Times(NOON, NOON, 1)}
    assert [each for each in caplog.messages if each.startswith(f"refused {said!r} from {HERE}: ")]


async def test_a_connection_without_credentials_is_refused() -> None:
    async with open_edge() as edge:
        with pytest.raises(InvalidStatus) as answer:
            await connect(
                f"ws://127.0.0.1:{edge.server.ports[0]}/CP1",
                subprotocols=["ocpp1.6"],  # type: ignore[list-item]  # a NewType of str
                proxy=None,
            )

    assert answer.value.response.status_code == 401
    assert list(edge.admissions.refused) == [Refused(Reason.MISSING_HEADER, "CP1", HERE)]


async def test_while_the_directory_is_away_nobody_is_let_in_and_nobody_is_told_wrong() -> None:
    async with open_edge(directory=_AwayDirectory()) as edge:
        answer = await refused(edge)

    assert answer.status_code == 503
    assert list(edge.admissions.refused) == [Refused(Reason.UNAVAILABLE, "CP1", HERE)]


class _AwayDirectory(FixedDirectory):
    async def station(self, identity: str) -> StationAccess | None:
        raise psycopg.OperationalError(identity)


@pytest.mark.parametrize("protocol", [None, "ocpp1.5", "mqtt"])
async def test_without_a_known_subprotocol_there_is_no_upgrade(protocol: str | None) -> None:
    async with open_edge() as edge, edge.station() as living:
        with pytest.raises(InvalidStatus) as answer:
            async with edge.station(protocol=protocol):
                pass
        # It took nobody's place.
        await living.call("StatusNotification", {})

        assert edge.server.connections["CP1"].epoch == 1

    assert answer.value.response.status_code == 400
    assert b"offered no subprotocol that is spoken here" in answer.value.response.body
    assert list(edge.admissions.refused) == [Refused(Reason.SUBPROTOCOL, "CP1", HERE)]
    assert [each.epoch for each in edge.connections()] == [1, 1]


@pytest.mark.parametrize(
    ("offered", "spoken"),
    [
        (["ocpp1.6", "ocpp2.0.1"], "ocpp1.6"),
        (["ocpp2.0.1", "ocpp1.6"], "ocpp2.0.1"),
        (["ocpp2.0", "ocpp2.0.1", "ocpp2.1", "ocpp1.6"], "ocpp2.0.1"),
        (["mqtt", "OCPP1.6"], "OCPP1.6"),
    ],
)
async def test_of_several_subprotocols_the_station_says_which_it_likes_best(
    offered: list[str], spoken: str
) -> None:
    key = base64.b64encode(f"CP1:{PASSWORD}".encode()).decode()
    async with (
        open_edge() as edge,
        connect(
            f"ws://127.0.0.1:{edge.server.ports[0]}/CP1",
            subprotocols=[Subprotocol(each) for each in offered],
            additional_headers={"Authorization": f"Basic {key}"},
            proxy=None,
        ) as station,
    ):
        await station.send('[2,"1","Heartbeat",{}]')
        assert json.loads(await station.recv())[:2] == [3, "1"]
        protocols = [each.protocol for each in edge.connections()]

    assert (station.subprotocol, protocols) == (spoken, [spoken.lower()])


async def test_who_has_no_right_to_connect_is_not_told_of_subprotocols() -> None:
    async with open_edge() as edge:
        with pytest.raises(InvalidStatus) as answer:
            async with edge.station(password="wrong", protocol="mqtt"):
                pass

    assert answer.value.response.status_code == 401


@pytest.mark.usefixtures("held_for_minutes")
@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["CP1"] * 12, id="12 guesses at the station itself"),
        pytest.param([f"CP{n + 10}" for n in range(70)], id="70 at names that do not exist"),
        pytest.param(["CP1", "CP2", "CP9", "CP10"] * 50, id="200 at everything"),
    ],
)
async def test_a_right_password_gets_in_at_once_among_guesses_from_the_same_address(
    names: list[str],
) -> None:
    async with open_edge() as edge:
        guessing = guesses(edge, names)
        await until(lambda: sum(edge.server.refused.values()) >= min(len(names), 100))
        # How many checks come before its own: tests/ingest/edge/test_gate.py.
        for name in ("CP1", "CP2", "CP3"):
            async with edge.station(name, open_timeout=60) as station:
                await station.call("Heartbeat", {})
        assert not any(each.done() for each in guessing)
        await give_up(guessing)


async def test_a_guess_is_held_the_longer_the_more_there_were() -> None:
    async with open_edge() as edge:
        started, spent = time.monotonic(), list[float]()
        guessing = guesses(edge, ["CP1"] * 9)
        for each in itertools.islice(asyncio.as_completed(guessing), 7):
            assert (await each).status_code == 401
            spent.append(time.monotonic() - started)
        await give_up(guessing)

    # Five after half a second, then one each after 1, 2, 4 and 8.
    assert all(map(operator.ge, spent, [*[0.5] * 5, 1, 2]))


@pytest.mark.usefixtures("held_for_minutes")
async def test_who_goes_while_he_is_held_leaves_nothing_behind() -> None:
    async with open_edge(manners=Manners(close_seconds=600)) as edge:
        guessing = guesses(edge, ["CP1"] * 12)
        await until(lambda: sum(edge.server.refused.values()) == 12)
        await give_up(guessing)
        async with asyncio.timeout(60):
            await edge.server.close()


async def test_who_waits_for_a_check_for_too_long_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> bytes:
        time.sleep(2.5)
        return b""

    monkeypatch.setattr(passwords, "_scrypt", slow)
    async with open_edge(
        directory=FixedDirectory({"CP1": PASSWORD}, hashes={"CP1": "scrypt$2$8$1$AA==$AA=="}),
        manners=Manners(open_seconds=1),
    ) as edge:
        with pytest.raises(Exception, match="did not receive a valid HTTP response"):
            async with edge.station(open_timeout=60):
                pass

    assert list(edge.admissions.refused) == [Refused(Reason.LOCK_OUT, "CP1", HERE)]


async def test_what_was_right_costs_nothing_after_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directory, admissions = FixedDirectory({"CP1": PASSWORD}), MemoryAdmissions()
    for _ in range(2):
        async with (
            open_edge(directory=directory, admissions=admissions) as edge,
            edge.station() as station,
        ):
            await station.call("Heartbeat", {})
        # From here on an expensive hash finds nobody right.
        monkeypatch.setattr(passwords, "_scrypt", lambda *_: b"")

    assert list(admissions.kept) == ["cp1"]


async def test_a_whole_fleet_may_wait_to_be_accepted() -> None:
    async with open_edge() as edge:
        (listening,) = edge.server._listening  # noqa: SLF001 - nobody else needs it
        # Of a listening socket this is how many may wait (linux/tcp.h, tcpi_sacked).
        info = listening.sockets[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)

    allowed = int(SOMAXCONN.read_text("utf-8"))  # noqa: ASYNC240 - no disk
    assert int.from_bytes(info[28:32], sys.byteorder) == min(4096, allowed)


class _AwayStore(MemoryAdmissions):
    is_away = True

    async def save(
        self, keyed_by: str, proofs: Mapping[str, Proof], refused: Mapping[Refused, Times]
    ) -> None:
        if self.is_away:
            raise psycopg.OperationalError
        await super().save(keyed_by, proofs, refused)


async def test_what_cannot_be_stored_yet_is_stored_later(caplog: pytest.LogCaptureFixture) -> None:
    store, known = _AwayStore(), KnownKeys(SECRET)
    admissions = Admissions(store, known, FixedClock())
    known.remember("cp1", b"key", "hash")
    for _ in range(2):
        admissions.refuse(Reason.WRONG_PASSWORD, "CP2", HERE)
        await admissions.save()
    assert store.refused == {}
    store.is_away = False
    await admissions.save()
    await admissions.save()

    assert list(store.kept) == ["cp1"]
    assert known.unsaved == {}
    assert store.refused == {Refused(Reason.WRONG_PASSWORD, "CP2", HERE): Times(NOON, NOON, 2)}
    assert len([each for each in caplog.messages if "not stored yet" in each]) == 2
    assert caplog.messages[-1] == "refused 'CP2' from 127.0.0.1: its password is wrong, 2 times"


async def test_a_flood_of_names_is_counted_whole_and_kept_in_bounds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = MemoryAdmissions()
    admissions = Admissions(store, KnownKeys(SECRET), FixedClock())
    caplog.set_level(logging.INFO)
    for n in range(PENDING_MAX + 500):
        admissions.refuse(Reason.UNKNOWN_IDENTITY, f"x{n}", HERE)
    admissions.refuse(Reason.UNKNOWN_IDENTITY, "x0", HERE)
    await admissions.save()

    assert len(store.refused) == PENDING_MAX + 1
    assert store.refused[Refused(Reason.UNKNOWN_IDENTITY, "", "")].times == 500
    assert store.refused[Refused(Reason.UNKNOWN_IDENTITY, "x0", HERE)].times == 2
    assert admissions.counts == {Reason.UNKNOWN_IDENTITY: PENDING_MAX + 501}
    assert len(caplog.messages) == 11
    assert caplog.messages[-1] == "refused 991 more connections of 991 others"


async def test_what_a_stranger_calls_himself_is_safe_to_print() -> None:
    store = MemoryAdmissions()
    admissions = Admissions(store, KnownKeys(SECRET), FixedClock())
    admissions.refuse(Reason.USER_NAME, "\x1b[2J\0\n\u202e\ud800Säule 1", HERE)
    await admissions.save()

    (said,) = [each.identity for each in store.refused]
    assert said == r"\x1b[2J\x00\n\u202e\ud800Säule 1"


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        ("/CP1", "cp1"),
        ("/ocpp/1.6/CP1/", "cp1"),
        ("/ocpp/CP%201?x=1", "cp 1"),
        ("/", ""),
        ("/" + "x" * 300, ""),
    ],
)
def test_the_last_segment_of_the_path_is_the_identity(path: str, identity: str) -> None:
    assert identity_of(path) == identity
