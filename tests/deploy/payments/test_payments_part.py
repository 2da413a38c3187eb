"""The part that asks the provider, over real HTTP and a real database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

import psycopg
import pytest
from msgspec.structs import replace

from deploy.clock import SystemClock
from deploy.demo.provider.faults import ProviderFault
from deploy.demo.provider.server import FakeStripe
from deploy.observing.watch import Watch
from deploy.payments import process
from deploy.payments.account_holder import NoAccountHolderError, account_holder
from deploy.payments.condition import PaymentsState, StandingVisits, payments_state
from deploy.payments.process import NoProviderError, Rounds, run_payments
from deploy.payments.wiring import PaymentRound
from deploy.running.parts import PartContext
from deploy.running.processes import BEAT_SECONDS
from deploy.running.wiring import PAYMENTS, parts_for
from deploy.settings import Settings
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Kind
from ledger.declared.store import declare, load_declarations
from ledger.master_data.legal_entities import LegalEntity
from ledger.payments.open_items import open_item
from ledger.payments.recording import movements
from ledger.payments.requests import ProviderRequest, RequestKind, decide_request
from ledger.payments.stripe.provider import StripeProvider
from tests.depot import THINGS
from tests.ledger.payments.collecting.payers import Payers

SECONDS_MAX = 60


def _until(is_so: Callable[[], bool]) -> None:
    limit = monotonic() + SECONDS_MAX
    while not is_so():
        assert monotonic() < limit
        sleep(0.05)


class _Part:
    """The part in a thread, and what it says of itself."""

    def __init__(self, database: str, settings: Settings, holder: str = "a test") -> None:
        self.watch, self.stop = Watch("payments"), threading.Event()
        self._context = PartContext(
            settings=settings, clock=SystemClock(), dsn=database, holder=holder
        )
        self._error: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            run_payments(self._context, self.stop, lambda _: None, self.watch)
        except psycopg.Error as error:
            self._error.append(error)

    @contextmanager
    def running(self) -> Iterator[_Part]:
        self._thread.start()
        try:
            yield self
        finally:
            self.stop.set()
            self._thread.join()
        assert self._error == []

    def reasons(self) -> list[str]:
        return [each.code for each in self.watch.unready()]

    def told(self, name: str) -> dict[tuple[str, ...], float]:
        found = {each.metric.name: each.values for each in self.watch.metrics()}
        # None before it looked for the first time.
        values = found.get(f"wattledger_provider_{name}", {})
        assert isinstance(values, dict)
        return values


def _settings(fake: FakeStripe) -> Settings:
    return Settings(stripe_key="sk_test_part", stripe_url=fake.url)


def test_an_invoice_is_paid_and_the_payout_booked_though_no_webhook_comes(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "EVENTS_SECONDS", 0.2)
    with FakeStripe(sends=False) as fake:
        provider = StripeProvider("sk_test_part", url=fake.url)
        payers = Payers(database, provider)
        number = payers.bill("anna")
        payers.method("anna", "pm_card_visa")
        fake.faults.plan(ProviderFault.FAILED_AFTER, times=2, path="/v1/payment_intents")
        part = _Part(database, _settings(fake))
        with part.running(), connect(database) as connection:

            def is_paid() -> bool:
                item = open_item(connection, number)
                return item is not None and item.open_minor == 0

            _until(is_paid)
            fake.pay_out()
            _until(lambda: connection.execute("SELECT FROM payout").rowcount == 1)
            assert part.reasons() == []
            assert part.told("leads") == {(): 1}
            assert part.told("calls_total")["unanswered",] == 2
            assert part.told("calls_total")["done",] > 3
            assert sum(part.told("requests").values()) == 0
            kinds = [each.kind.value for each in movements(connection)]
        assert kinds == ["received", "paid_out"]
        assert len(fake.of("charge")) == 1
        provider.close()
        payers.close()


def test_it_rests_until_it_is_clear_whose_account_it_is(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOOK_SECONDS", BEAT_SECONDS)
    with FakeStripe(sends=False) as fake:
        part = _Part(database, _settings(fake))
        with part.running():
            _until(lambda: part.reasons() == ["no_account_holder"])
            assert part.told("leads") == {(): 0}
            changes = [
                Change(kind=kind, key=key, entity=entity, valid_from=BEGINNING)
                for (kind, key), entity in THINGS.items()
            ]
            with connect(database) as connection, connection.transaction():
                declare(connection, changes, by="a test", at=datetime.now(UTC))
            _until(lambda: part.reasons() == [] and part.told("leads") == {(): 1})


def test_whose_account_it_is_is_chosen_or_the_only_one(database: str) -> None:
    now, entity = datetime.now(UTC), THINGS[Kind.LEGAL_ENTITY, "depot"]
    assert isinstance(entity, LegalEntity)
    with connect(database) as connection:

        def holder(chosen: str = "") -> str:
            declared = load_declarations(connection)
            return account_holder(declared, Settings(stripe_legal_entity=chosen), now)

        def add(key: str, entity: LegalEntity) -> None:
            change = Change(kind=Kind.LEGAL_ENTITY, key=key, entity=entity, valid_from=BEGINNING)
            with connection.transaction():
                declare(connection, [change], by="a test", at=now)

        with pytest.raises(NoAccountHolderError, match="wattledger apply"):
            holder()
        with pytest.raises(NoAccountHolderError, match="depot, which is not declared"):
            holder("depot")
        add("depot", entity)
        assert holder() == holder("depot") == "depot"
        add("yard", replace(entity, invoice_prefix="YD"))
        assert holder("yard") == "yard"
        with pytest.raises(NoAccountHolderError, match=r"STRIPE_LEGAL_ENTITY.*depot, yard"):
            holder()


def test_a_round_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    ran: list[str] = []

    def fine(_now: datetime) -> int:
        ran.append("fine")
        return len(ran) % 2

    def broken(_now: datetime) -> int:
        ran.append("broken")
        message = "of the content"
        raise ValueError(message)

    def away(_now: datetime) -> int:
        raise psycopg.OperationalError

    rounds = Rounds(
        [PaymentRound("broken", 0, broken), PaymentRound("fine", 0, fine)],
        lambda: datetime.now(UTC),
    )
    done = [rounds.run() for _ in range(3)]
    assert ran == ["broken", "fine", "fine", "fine"]
    assert done == [0, 1, 0]
    assert rounds.failing == {"broken": "ValueError"}
    assert "broken failed" in caplog.text
    with pytest.raises(psycopg.OperationalError):
        Rounds([PaymentRound("away", 0, away)], lambda: datetime.now(UTC)).run()


def test_without_a_key_there_is_no_such_part(tmp_path: Path) -> None:
    assert PAYMENTS not in parts_for(Settings())
    assert PAYMENTS in parts_for(Settings(stripe_key="sk_test_x"))
    context = PartContext(settings=Settings(data=tmp_path), clock=SystemClock(), dsn="")
    with pytest.raises(NoProviderError, match="WATTLEDGER_STRIPE_KEY"):
        run_payments(context, threading.Event(), lambda _: None, Watch("payments"))


def test_a_second_process_stands_by(database: str) -> None:
    with (
        FakeStripe(sends=False) as fake,
        closing(StripeProvider("sk_test_part", url=fake.url)) as provider,
        closing(Payers(database, provider)),
    ):
        first, second = (_Part(database, _settings(fake), name) for name in ("one", "another"))
        with second.running():
            with first.running():
                _until(lambda: {part.told("leads").get(()) for part in (first, second)} == {0, 1})
            _until(lambda: second.told("leads") == {(): 1})


LIVE = (
    *("wanted", "holding", "held", "starting"),
    *("charging", "ended", "capturing", "releasing"),
)


def test_what_waits_is_counted_by_what_it_waits_for(database: str) -> None:
    with connect(database) as connection:
        assert payments_state(connection) == PaymentsState(
            {"new": 0, "asked": 0, "open": 0},
            0.0,
            0,
            0,
            {"asks_customer": 0, "given_up": 0, "unmatched": 0},
            dict.fromkeys(LIVE, StandingVisits()),
        )
        states = ["waiting", "asks_customer", "given_up", "given_up"]
        for number, state in enumerate(states):
            connection.execute(
                "INSERT INTO collection (number, legal_entity, customer, state, next_at)"
                " VALUES (%s, 'depot', 'anna', %s, now())",
                (str(number), state),
            )
        for number, state in enumerate(["new", "asked", "asked", "open", "done", "failed"]):
            wanted = ProviderRequest(
                key=str(number),
                provider="stripe",
                kind=RequestKind.COLLECT,
                subject=str(number),
                legal_entity="depot",
                currency="EUR",
                amount_minor=1,
                body={},
                decided_at=datetime.now(UTC),
                decided_by="a test",
            )
            decide_request(connection, wanted)
            connection.execute(
                "UPDATE provider_request_state SET state = %s,"
                " asked_at = now() - interval '1 hour' * %s WHERE key = %s",
                (state, number, wanted.key),
            )
        connection.execute(
            "INSERT INTO provider_object_due (provider, object_id, kind, reason)"
            " VALUES ('stripe', 'pi_1', 'intent', ''), ('stripe', 'po_1', 'payout', 'waits')"
        )
        found = payments_state(connection)
    assert found.requests == {"new": 1, "asked": 2, "open": 1}
    assert 7200 <= found.unanswered_seconds < 7300
    assert (found.objects, found.failing) == (2, 1)
    assert found.people == {"asks_customer": 1, "given_up": 2, "unmatched": 0}


def test_visits_that_are_not_over_are_counted_and_who_stands_there_longest(database: str) -> None:
    states = ["captured", "ended", "ended", "held"]
    with connect(database) as connection:
        for number, state in enumerate(states):
            connection.execute(
                "WITH new AS (INSERT INTO visit (provider, legal_entity, station_id, evse_id,"
                " token_uid, secret_digest, currency, amount_minor, tariff, wanted_at, wanted_by)"
                " VALUES ('stripe', 'depot', 'ST-1', 1, %(number)s, '', 'EUR', 1, '', now(), '')"
                " RETURNING number), step AS (INSERT INTO visit_step (number, place, state,"
                " taken_at) SELECT number, 1, 'wanted', now() - interval '9 hours' FROM new"
                " UNION ALL SELECT number, 2, %(state)s, now() - interval '1 hour' * %(number)s"
                " FROM new) INSERT INTO visit_state (number, state, place, station_id, evse_id)"
                " SELECT number, %(state)s, 2, 'ST-1', 1 FROM new",
                {"number": number, "state": state},
            )
        found = payments_state(connection).visits
    counted = {state: each.number for state, each in found.items() if each.number}
    assert counted == {"ended": 2, "held": 1}
    assert [int(found[state].seconds) for state in ("ended", "held", "wanted")] == [7200, 10800, 0]
