"""Two processes that serve stations over one database: what one is told, the other one does."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from deploy.clock import SystemClock
from ledger.database import connect as connect_books
from ledger.desk.tokens import TokenChanges, TokenStanding, let_token
from ledger.log.postgres import PostgresEventLog
from tests.deploy.prices.test_price_told import MASTER, PASSWORD, TARIFF, driven, until
from tests.deploy.running_wattledger import PROGRAM, Wattledger

HOLDS_SECONDS = 1.0
"""How soon a block holds on every process."""
NEW = "0123456789abcdef0123456789abcdef"
TOKEN = "04A1B2C3"


class Served(NamedTuple):
    """Two processes: their addresses, and the commands of a third."""

    wattledger: Wattledger
    processes: tuple[subprocess.Popen[str], ...]
    addresses: tuple[str, ...]
    dsn: str


@contextmanager
def served(database: str, folder: Path, *more: str) -> Iterator[Served]:
    """Serve stations in two processes, each as on a machine of its own; *more* parts beside."""
    machines = [Wattledger(folder / name) for name in ("one", "two")]
    for each in machines:
        each.environment["WATTLEDGER_DATABASE_URL"] = database
        each.environment["WATTLEDGER_METRICS_PORT"] = "-1"
    first = machines[0]
    (folder / "master.yaml").write_text(MASTER)
    (folder / "day.yaml").write_text(TARIFF)
    first.done("tariff", "publish", folder / "day.yaml", "--valid-from", "2020-01-01")
    first.done("apply", folder / "master.yaml")
    with ExitStack() as exits:
        for name in more:
            exits.enter_context(first.part(name))
        parts = [exits.enter_context(each.part("stations", "--port", "0")) for each in machines]
        addresses = tuple(f"ws://127.0.0.1:{said.split()[-1]}" for _, said in parts)
        yield Served(first, tuple(process for process, _ in parts), addresses, database)


class Station:
    """A station that answers calls by what it is given, and says what it is told to."""

    def __init__(self, socket: ClientConnection, obey: Callable[[str, Any], Any]) -> None:
        self.socket, self.obey = socket, obey
        self.asked: list[Any] = []
        self.answers: asyncio.Queue[Any] = asyncio.Queue()

    async def listen(self) -> None:
        with suppress(ConnectionClosed):
            async for text in self.socket:
                kind, number, *rest = json.loads(text)
                if kind != 2:
                    await self.answers.put(rest[0])
                    continue
                self.asked.append(rest)
                answer = self.obey(*rest)
                if answer is not None:
                    await self.socket.send(json.dumps([3, number, answer]))

    async def call(self, action: str, payload: object) -> Any:  # noqa: ANN401 - any JSON
        await self.socket.send(json.dumps([2, action, action, payload]))
        return await asyncio.wait_for(self.answers.get(), 60)


def accept(_action: str, _payload: object) -> Any:  # noqa: ANN401 - any JSON
    return {"status": "Accepted"}


@asynccontextmanager
async def connected(
    address: str,
    name: str,
    *,
    password: str | bytes = PASSWORD,
    protocol: str = "ocpp1.6",
    obey: Callable[[str, Any], Any] = accept,
) -> AsyncIterator[Station]:
    key = password.encode() if isinstance(password, str) else password
    secret = base64.b64encode(f"{name}:".encode() + key).decode()
    async with connect(
        f"{address}/{name}",
        subprotocols=[Subprotocol(protocol)],
        additional_headers={"Authorization": f"Basic {secret}"},
        proxy=None,
    ) as socket:
        station = Station(socket, obey)
        listening = asyncio.create_task(station.listen())
        try:
            yield station
        finally:
            await socket.close()
            await listening


def let(dsn: str, standing: TokenStanding) -> None:
    with connect_books(dsn) as connection, PostgresEventLog(dsn) as log:
        now = SystemClock().now()
        let_token(connection, TOKEN, TokenChanges(standing), log=log, by="ann", at=now)


async def status_of(station: Station) -> str:
    answer = await station.call("Authorize", {"idTag": TOKEN})
    return str(answer["idTagInfo"]["status"])


@pytest.mark.timeout(180)
async def test_a_block_holds_within_a_second_and_a_command_arrives_on_every_process(
    database: str, tmp_path: Path
) -> None:
    with served(database, tmp_path) as two:
        async with (
            connected(two.addresses[0], "CS-16") as here,
            connected(two.addresses[1], "CS-201", protocol="ocpp1.6") as there,
        ):
            stations = (here, there)
            seen = []
            for standing in ("accepted", "blocked", "accepted", "blocked"):
                await asyncio.to_thread(let, two.dsn, TokenStanding(standing))
                await asyncio.sleep(HOLDS_SECONDS)
                seen.append([await status_of(each) for each in stations])
            outcomes = [
                await asyncio.to_thread(
                    two.wattledger.read, "station", "command", name, "Reset", '{"type":"Soft"}'
                )
                for name in ("CS-16", "CS-201")
            ]

    assert seen == [["Accepted"] * 2, ["Blocked"] * 2] * 2
    assert [each["state"] for each in outcomes] == ["answered"] * 2
    assert [each.asked for each in stations] == [[["Reset", {"type": "Soft"}]]] * 2


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", ["CS-16", "CS-201"])
async def test_a_station_that_connects_to_another_process_is_told_the_next_price_there(
    database: str, tmp_path: Path, name: str
) -> None:
    protocol = {"CS-16": "ocpp1.6", "CS-201": "ocpp2.0.1"}[name]
    started = {"idTag": TOKEN, "idToken": {"idToken": TOKEN, "type": "ISO14443"}}
    began = datetime.now(UTC).replace(microsecond=0)
    with served(database, tmp_path, "worker") as two:
        async with driven(two.addresses[0], name, protocol) as before:
            before.start = started
            transaction = await before.charge("tx", began)
            await before.meter(transaction, 1, 10, began + timedelta(seconds=1))
            await until(lambda: before.shown[-1:] == [Decimal("0.48")])
            # The old connection is open still: a station whose line broke did not close it.
            async with driven(two.addresses[1], name, protocol) as after:
                after.start, after.sent = started, 100
                await after.meter(transaction, 2, 50, began + timedelta(seconds=2))
                await until(lambda: after.shown == [Decimal("2.38")])
                await asyncio.sleep(1)  # not told more often than once a second
                await after.meter(transaction, 3, 99, began + timedelta(seconds=3))
                await until(lambda: after.shown == [Decimal("2.38"), Decimal("4.71")])

    # As it starts, 0.00 may be told too.
    assert [each for each in before.shown if each] == [Decimal("0.48")]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("moment", ["asked", "answered", "asked, with who asked"])
async def test_a_kill_while_a_password_is_changed_locks_no_station_out(
    database: str, tmp_path: Path, moment: str
) -> None:
    """Whichever of the two passwords the station has then, another process lets it in."""
    came = asyncio.Event()

    def obey(action: str, payload: Any) -> Any:  # noqa: ANN401 - any JSON
        assert (action, payload) == (
            "ChangeConfiguration",
            {"key": "AuthorizationKey", "value": NEW},
        )
        if moment == "answered":
            asyncio.get_running_loop().call_soon(came.set)
            return {"status": "Accepted"}
        came.set()
        return None

    with served(database, tmp_path) as two:
        first, (killed, _) = two.wattledger, two.processes
        async with connected(two.addresses[0], "CS-16", obey=obey) as station:
            await station.call("Heartbeat", {})
            asking = ask_password(first)
            await asyncio.wait_for(came.wait(), 60)
            killed.send_signal(signal.SIGKILL)
            if moment != "asked":
                asking.kill()
            await asyncio.to_thread(killed.wait)
        asking.kill()
        asking.wait()

        # It may have taken the new one before it could say so; or it has the old one still.
        old = moment != "answered"
        is_old_let_in = [await is_let_in(two.addresses[1], PASSWORD) for _ in range(2)]
        is_new_let_in = [await is_let_in(two.addresses[1], NEW) for _ in range(2)]
        is_old_over = not await is_let_in(two.addresses[1], PASSWORD)

    assert is_new_let_in == [True, True]
    assert not old or is_old_let_in == [True, True]
    assert is_old_over, "the new one was used: the old one holds no more"


def ask_password(wattledger: Wattledger) -> subprocess.Popen[str]:
    """Begin to tell CS-16 its new password."""
    asking = subprocess.Popen(
        [*PROGRAM, "station", "password", "CS-16", "--password-stdin",
         "--data", str(wattledger.data)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        text=True, env=wattledger.environment,
    )  # fmt: skip
    assert asking.stdin is not None
    asking.stdin.write(f"{NEW}\n")
    asking.stdin.close()
    return asking


async def is_let_in(address: str, password: str) -> bool:
    key = bytes.fromhex(password) if password == NEW else password
    try:
        async with connected(address, "CS-16", password=key) as station:
            await station.call("Heartbeat", {})
    except InvalidStatus:
        return False
    return True


GAPPY = MASTER.replace("policy: {prices_told: running, price_every_s: 1}", "policy: {wait_s: 1}")


@pytest.mark.timeout(180)
async def test_up_asks_for_what_is_missing_of_a_session_and_hears_the_late_truth(
    tmp_path: Path,
) -> None:
    wattledger = Wattledger(tmp_path / "data")
    for name, seconds in (("TICK", "1"), ("UPKEEP", "1")):
        wattledger.environment[f"WATTLEDGER_{name}_SECONDS"] = seconds
    (tmp_path / "master.yaml").write_text(GAPPY)
    (tmp_path / "day.yaml").write_text(TARIFF)
    queued = {"messagesInQueue": True, "ongoingIndicator": False}
    began = datetime.now(UTC).replace(microsecond=0)

    def event(kind: str, number: int) -> dict[str, Any]:
        at = (began + timedelta(seconds=number)).isoformat()
        sample = {"value": 10 * number, "measurand": "Energy.Active.Import.Register"}
        first = {
            "evse": {"id": 1, "connectorId": 1},
            "idToken": {"idToken": TOKEN, "type": "ISO14443"},
        }
        return {
            "eventType": kind, "timestamp": at, "triggerReason": "Trigger", "seqNo": number,
            "transactionInfo": {"transactionId": "tx", "chargingState": "Charging"},
            "meterValue": [{"timestamp": at, "sampledValue": [sample]}],
            **(first if kind == "Started" else {}),
        }  # fmt: skip

    wattledger.done("tariff", "publish", tmp_path / "day.yaml", "--valid-from", "2020-01-01")
    wattledger.done("apply", tmp_path / "master.yaml")
    with wattledger.up() as (_, address):
        async with connected(
            address, "CS-201", protocol="ocpp2.0.1", obey=lambda *_: queued
        ) as station:
            await station.call("TransactionEvent", event("Started", 0))
            await station.call("TransactionEvent", event("Ended", 2))
            # Once by the edge at the end; then by the upkeep, as a call that people see.
            await until(lambda: len(station.asked) >= 2)
            shown = await asyncio.to_thread(wattledger.read, "station", "show", "CS-201")
            held = await asyncio.to_thread(wattledger.read, "sessions")
            await station.call("TransactionEvent", event("Updated", 1))
            async with asyncio.timeout(60):
                while (await states(wattledger)) != ["rated"]:  # noqa: ASYNC110 - it is a program
                    await asyncio.sleep(0.2)

    assert station.asked[:2] == [["GetTransactionStatus", {"transactionId": "tx"}]] * 2
    assert [(e["action"], e["asked_by"]) for e in shown["commands"]][-1:] == [
        ("GetTransactionStatus", "wattledger")
    ]
    assert [each["state"] for each in held] in (["held"], ["waiting"])


async def states(wattledger: Wattledger) -> list[str]:
    return [each["state"] for each in await asyncio.to_thread(wattledger.read, "sessions")]
