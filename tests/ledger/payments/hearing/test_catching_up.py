"""What webhooks lost is asked for, without a gap and without taking anything twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from deploy.demo.provider.server import FakeStripe
from ledger.database import connect
from ledger.payments.hearing.catching_up import (
    FIRST,
    LITTLE,
    MUCH,
    REMEMBERED,
    read_events,
    read_payouts,
)
from ledger.payments.hearing.events import events_read_until, note_events
from ledger.payments.movement import STRIPE
from ledger.payments.provider import (
    EventNotice,
    PaymentObjectKind,
    PaymentWay,
    UnansweredError,
    WantedIntent,
)
from ledger.payments.stripe.provider import StripeProvider

_NOW = datetime(2026, 3, 31, 10, tzinfo=UTC)
_DUE = "SELECT object_id, told, reason FROM provider_object_due ORDER BY object_id"


class _Told(StripeProvider):
    """Tells what a test says, and may stop in the middle of it."""

    def __init__(self) -> None:
        super().__init__("sk_test_x", url="http://127.0.0.1:9")
        self.all: list[EventNotice] = []
        self.asked: list[datetime] = []
        self.stops_after: int | None = None

    def events(self, since: datetime) -> Iterator[EventNotice]:
        self.asked.append(since)
        found = sorted(self.all, key=lambda each: each.created_at, reverse=True)
        for number, each in enumerate(each for each in found if each.created_at >= since):
            if number == self.stops_after:
                raise UnansweredError(reason="http_500", said="Stripe failed")
            yield each


def _event(number: int, at: datetime) -> EventNotice:
    return EventNotice(f"evt_{number}", PaymentObjectKind.INTENT, f"pi_{number % 7}", at)


def test_events_are_read_from_where_they_were_left(database: str) -> None:
    told = _Told()
    told.all = [_event(number, _NOW - timedelta(minutes=number)) for number in range(250)]
    with connect(database) as connection:
        assert read_events(connection, told, _NOW, LITTLE) == 250
        assert events_read_until(connection, STRIPE) == _NOW
        assert read_events(connection, told, _NOW, MUCH) == 0
        told.all.append(_event(900, _NOW - timedelta(minutes=30)))  # listed late
        told.all.append(_event(901, _NOW + timedelta(minutes=1)))
        assert read_events(connection, told, _NOW, LITTLE) == 1
        assert read_events(connection, told, _NOW, MUCH) == 1
        assert sorted(row[0] for row in connection.execute(_DUE)) == [f"pi_{n}" for n in range(7)]
    assert told.asked[0] == _NOW - FIRST - LITTLE
    assert told.asked[-1] == _NOW - MUCH


def test_an_event_of_a_year_ahead_hides_none_until_then(database: str) -> None:
    told = _Told()
    told.all = [_event(1, _NOW + timedelta(days=365))]
    with connect(database) as connection:
        assert read_events(connection, told, _NOW, LITTLE) == 1
        told.all.append(_event(2, _NOW + timedelta(minutes=30)))
        assert read_events(connection, told, _NOW + timedelta(hours=1), LITTLE) == 1


def test_where_the_provider_ends_in_the_middle_nothing_is_left_out(database: str) -> None:
    told = _Told()
    told.all = [_event(number, _NOW - timedelta(minutes=number)) for number in range(250)]
    told.stops_after = 150
    with connect(database) as connection:
        with pytest.raises(UnansweredError):
            read_events(connection, told, _NOW, LITTLE)
        # The newest are kept; that the older ones are not, the position says.
        assert events_read_until(connection, STRIPE) is None
        told.stops_after = None
        assert read_events(connection, told, _NOW, LITTLE) == 150
        assert events_read_until(connection, STRIPE) == _NOW


def test_what_is_told_again_is_looked_at_again_once(database: str) -> None:
    with connect(database) as connection:
        assert note_events(connection, STRIPE, [_event(1, _NOW), _event(8, _NOW)], _NOW) == 2
        connection.execute(
            "UPDATE provider_object_due SET next_at = 'infinity', attempts = 9, reason = 'x'"
        )
        assert note_events(connection, STRIPE, [_event(1, _NOW)], _NOW) == 0
        assert connection.execute(_DUE).fetchall() == [("pi_1", 1, "x")]
        assert note_events(connection, STRIPE, [_event(1, _NOW), _event(15, _NOW)], _NOW) == 1
        assert connection.execute(_DUE).fetchall() == [("pi_1", 2, "")]
        [(next_at,)] = connection.execute("SELECT next_at FROM provider_object_due").fetchall()
        assert next_at == _NOW


def test_all_of_a_page_is_kept_or_nothing(database: str) -> None:
    broken = EventNotice("e" * 101, None, "", _NOW)
    with connect(database) as connection:
        with pytest.raises(Exception, match="provider_event"):
            note_events(connection, STRIPE, [_event(1, _NOW), broken], _NOW)
        assert connection.execute("SELECT FROM provider_event").rowcount == 0
        assert note_events(connection, STRIPE, [], _NOW) == 0


def test_a_payout_is_looked_at_until_it_is_booked(database: str) -> None:
    with FakeStripe(now=lambda: _NOW, sends=False) as fake, connect(database) as connection:
        provider = StripeProvider("sk_test_x", url=fake.url)
        taken = provider.take(
            WantedIntent("k", 3000, "EUR", "x", None, "pm_card_visa", PaymentWay.CARD)
        )
        assert taken.taken_minor == 3000
        [payout] = fake.pay_out()
        assert read_payouts(connection, provider, _NOW) == 1
        connection.execute(
            "INSERT INTO payout (provider, payout_id, legal_entity, currency, amount_minor,"
            " created_at, lines, difference_minor, taken_at)"
            " VALUES ('stripe', %s, 'depot', 'EUR', 1, now(), 0, 0, now())",
            (payout["id"],),
        )
        assert read_payouts(connection, provider, _NOW) == 0
        fake.fail_payout(payout["id"])
        assert read_payouts(connection, provider, _NOW) == 1
        assert [row[0] for row in connection.execute(_DUE)] == [payout["id"]]
        provider.close()


def test_who_asks_after_longer_than_a_provider_remembers_says_so(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    told = _Told()
    with connect(database) as connection:
        read_events(connection, told, _NOW, LITTLE)
        # Where nothing happens the position moves on all the same.
        assert events_read_until(connection, STRIPE) == _NOW - MUCH
        later = _NOW - MUCH + REMEMBERED
        read_events(connection, told, later, LITTLE)
        assert caplog.messages == []
        read_events(connection, told, later - MUCH + REMEMBERED + timedelta(seconds=1), LITTLE)

    [said] = caplog.messages
    assert f"since {(later - MUCH).isoformat()}" in said
