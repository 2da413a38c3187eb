"""A depot that takes cards: its stations over WebSocket, its provider over HTTP, its books."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed

from deploy.demo.provider.server import FakeStripe
from deploy.running.opening import prepare
from deploy.settings import Settings
from ingest.answers.transactions import PostgresTransactionIds
from ingest.commands.asking import StationCommands
from ingest.commands.store import PostgresCommands
from ingest.declared_directory import DeclaredDirectory
from ingest.edge.connection_epochs import PostgresEpochs
from ingest.facts.translate import translate
from ingest.partner_calls import PartnerCalls
from ingest.persons.subjects import PostgresSubjects
from ledger.database import connect, connect_async
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Kind
from ledger.declared.passwords import hash_password
from ledger.declared.store import load_declarations
from ledger.desk.apply import declare_all
from ledger.desk.choices import choose
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.log.envelope import Choice
from ledger.log.postgres import PostgresEventLog
from ledger.log.postgres_lines import PostgresLineWriter
from ledger.master_data.policies import Policy
from ledger.master_data.stations import Station as DeclaredStation
from ledger.master_data.tariff_versions import published
from ledger.payments.collecting.collector import InvoiceCollector
from ledger.payments.collecting.refund_taking import RefundTaker
from ledger.payments.movement import STRIPE
from ledger.payments.open_items import OpenItem, open_items
from ledger.payments.requests import RequestKind
from ledger.payments.runner import PaymentRunner
from ledger.payments.stripe.provider import StripeProvider
from ledger.payments.taking import RequestTaker
from ledger.payments.visits.holds import VisitTaker
from ledger.payments.visits.kept import find_visit
from ledger.payments.visits.opening import OpenedVisit, WantedVisit, open_visit
from ledger.payments.visits.running import VisitRunner
from ledger.payments.visits.visit import CardVisit
from ledger.worker.worker import Worker
from projections.running_prices import RunningPrices
from projections.visit_view import VisitView, show_visit
from tariffs.model.tariff import Dimension
from tests import depot
from tests.edge import CALL, PASSWORD, Edge, Station, open_edge
from tests.fakes import FixedClock

POLICY = Policy(visits=True)
TEST_KEY = "sk_test_of_a_fake"
CARD = "pm_card_visa"
STATIONS = ("ST-1", "ST-2")


class DrivenStation:
    """A station that agrees to all it is asked, and a driver who plugs in when told."""

    def __init__(self, station: Station, *, agrees: bool = True) -> None:
        self.station, self.agrees = station, agrees
        self.asked: list[tuple[str, Any]] = []
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._sent = 0

    async def listen(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                message = await self.station.receive()
                if message[0] == CALL:
                    self.asked.append((message[2], message[3]))
                    said = {"status": "Accepted" if self.agrees else "Rejected"}
                    await self.station.socket.send(json.dumps([3, message[1], said]), text=True)
                else:
                    self._answers.pop(message[1]).set_result(message[2])

    async def call(self, action: str, payload: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        self._sent += 1
        answer = asyncio.get_running_loop().create_future()
        self._answers[f"d{self._sent}"] = answer
        await self.station.socket.send(
            json.dumps([2, f"d{self._sent}", action, payload]), text=True
        )
        async with asyncio.timeout(60):
            return await answer

    def uid(self) -> str:
        """Return the token that it was told to start for last."""
        starts = "RemoteStartTransaction", "RequestStartTransaction"
        [*_, payload] = [each for action, each in self.asked if action in starts]
        found: str = payload["idTag"] if "idTag" in payload else payload["idToken"]["idToken"]
        return found


class CardDepot:
    """What a test does: time passes, everybody works until nothing is left to do."""

    def __init__(self, dsn: str, clock: FixedClock, edge: Edge, fake: FakeStripe) -> None:
        self.dsn, self.clock, self.edge, self.fake = dsn, clock, edge, fake
        self.payments: PaymentRunner
        self.visits: VisitRunner
        self.exits: AsyncExitStack

    async def station(
        self, name: str = "ST-1", *, agrees: bool = True, protocol: str = "ocpp1.6"
    ) -> DrivenStation:
        opened = await self.exits.enter_async_context(self.edge.station(name, protocol=protocol))
        driven = DrivenStation(opened, agrees=agrees)
        listening = asyncio.create_task(driven.listen())
        self.exits.callback(listening.cancel)
        await driven.call("Heartbeat", {})
        return driven

    def open(self, method: str | None = CARD, station: str = "ST-1") -> OpenedVisit:
        wanted = WantedVisit(station, 1, STRIPE, "depot", "a test", method)
        with connect(self.dsn) as connection:
            known = load_declarations(connection)
            return open_visit(connection, known, wanted, now=self.clock.now())

    def passes(self, minutes: int) -> None:
        """Let time pass, for the edge as for all others."""
        self.clock.moment += timedelta(minutes=minutes)
        self.edge.clock.moment = self.clock.moment

    async def rest(self) -> None:
        """Let the worker, the invoicer, the payments and the visits do what there is to do."""
        for _ in range(30):
            await asyncio.to_thread(self._work)
            done = await asyncio.to_thread(self._collect)
            done += await asyncio.to_thread(self.payments.run_once)
            done += await self.visits.run_once()
            await self.visits.called()
            if not done:
                return
        raise AssertionError

    def _work(self) -> None:
        with (
            PostgresEventLog(self.dsn) as log,
            Worker(self.dsn, log=log, partitions=[0], translate=translate) as worker,
        ):
            while worker.run_once():
                pass
        until = self.clock.now() + timedelta(hours=2)
        with connect(self.dsn) as connection, InvoiceIssuer(self.dsn) as issuer:
            issue_due(connection, issuer, load_declarations(connection), up_to=until)

    def _collect(self) -> int:
        with connect(self.dsn) as connection:
            return InvoiceCollector(connection, STRIPE).run_once(self.clock.now())

    def correct(self, session_id: str, price: str) -> None:
        """Have a session priced again, by another price of a kWh."""
        tariff = published(depot.tariff("energy", depot.component(Dimension.ENERGY, price)))
        change = Change(kind=Kind.TARIFF, key="energy", entity=tariff, valid_from=BEGINNING)
        at = self.clock.now()
        with connect(self.dsn) as connection, PostgresEventLog(self.dsn) as log:
            declare_all(connection, [change], log=log, by="a test", at=at)
            line = Choice(
                received_at=at,
                station="ST-1",
                session_id=session_id,
                choice="correct",
                by="anna",
                reason="the price was wrong",
            )
            choose(connection, session_id, choice=line, log=log, work_off=lambda *_: self._work())

    def open_items(self) -> list[OpenItem]:
        with connect(self.dsn) as connection:
            rows = connection.execute(
                "SELECT number FROM issued_invoice WHERE credits IS NULL ORDER BY number"
            )
            return open_items(connection, [number for (number,) in rows])

    def visit(self, opened: OpenedVisit) -> CardVisit:
        with connect(self.dsn) as connection:
            found = find_visit(connection, opened.visit.number)
        assert found is not None
        return found

    def view(self, opened: OpenedVisit) -> VisitView:
        with connect(self.dsn) as connection:
            return show_visit(connection, self.visit(opened))

    async def begin(self, driven: DrivenStation) -> int:
        """Plug in, for what the station was told to start."""
        start = {"connectorId": 1, "idTag": driven.uid(), "meterStart": 0} | self._at()
        answer = await driven.call("StartTransaction", start)
        assert answer["idTagInfo"]["status"] == "Accepted"
        number: int = answer["transactionId"]
        return number

    async def meter(self, driven: DrivenStation, number: int, wh: int) -> None:
        """Have so much flowed by now, half an hour later."""
        self.passes(30)
        sampled = [{"value": str(wh), "unit": "Wh"}]
        values = {
            "transactionId": number,
            "connectorId": 1,
            "meterValue": [self._at() | {"sampledValue": sampled}],
        }
        await driven.call("MeterValues", values)

    async def end(self, driven: DrivenStation, number: int, wh: int) -> None:
        self.passes(30)
        stop = {"transactionId": number, "meterStop": wh} | self._at()
        await driven.call("StopTransaction", stop)

    def _at(self) -> dict[str, Any]:
        return {"timestamp": self.clock.now().isoformat()}

    def intents(self) -> list[tuple[str, int]]:
        """Return the payments at the provider: how each is, and what we got of it."""
        return [
            (each["status"], each["amount_received"]) for each in self.fake.of("payment_intent")
        ]


def declare_depot(dsn: str, folder: Path, clock: FixedClock, policy: Policy) -> None:
    """Declare the depot, whose two stations may connect."""
    prepare(dsn, Settings(data=folder, partitions=1))
    station = DeclaredStation(site="harbour", password_hash=hash_password(PASSWORD))
    changes = [
        *depot.changes(),
        *(Change(kind=Kind.STATION, key=k, entity=station, valid_from=BEGINNING) for k in STATIONS),
        Change(kind=Kind.POLICY, key="policy", entity=policy, valid_from=BEGINNING),
    ]
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        at = clock.now() - timedelta(days=1)
        declare_all(connection, changes, log=log, by="a test", at=at)


@asynccontextmanager
async def card_depot(
    dsn: str, folder: Path, *, policy: Policy = POLICY
) -> AsyncIterator[CardDepot]:
    """Open the depot with the product's own parts, a provider's fake over HTTP, and one clock."""
    clock = FixedClock()
    declare_depot(dsn, folder, clock, policy)
    async with AsyncExitStack() as exits:
        connected = partial(connect_async, dsn)
        directory = DeclaredDirectory(dsn, clock)
        subjects, ids = PostgresSubjects(connected), PostgresTransactionIds(connected)
        epochs, rows = PostgresEpochs(connected), PostgresCommands(connected)
        commands = StationCommands(connected, directory=directory, subjects=subjects, clock=clock)
        for each in (directory, subjects, ids, epochs, rows, commands):
            exits.push_async_callback(each.close)
        exits.callback(asyncio.create_task(commands.follow()).cancel)
        log = await exits.enter_async_context(await PostgresLineWriter.open(dsn, partitions=1))
        edge = await exits.enter_async_context(
            open_edge(
                log=log,
                directory=directory,
                epochs=epochs,
                commands=rows,
                subjects=subjects,
                ids=ids,
            )
        )
        fake = exits.enter_context(FakeStripe(now=clock.now, sends=False))
        provider = StripeProvider(TEST_KEY, url=fake.url)
        exits.callback(provider.close)
        found = CardDepot(dsn, clock, edge, fake)
        kinds = RequestKind.HOLD, RequestKind.RAISE, RequestKind.CAPTURE, RequestKind.RELEASE
        takers: dict[RequestKind, RequestTaker] = {
            **dict.fromkeys(kinds, VisitTaker()),
            RequestKind.REFUND: RefundTaker(),
        }
        found.payments = PaymentRunner(dsn, provider, takers, {}, clock.now, "p")
        exits.callback(found.payments.close)
        prices = exits.enter_context(RunningPrices(dsn))

        def price_now(station: str, reference: str) -> Decimal | None:
            so_far = prices.of(station, reference, clock.now())
            return so_far.price.gross if so_far and so_far.price else None

        found.visits = VisitRunner(dsn, PartnerCalls(commands), price_now, clock.now, "v")
        exits.push_async_callback(found.visits.close)
        found.exits = exits
        yield found
