"""Reminders of open invoices: decided once, sent as invoices are, not once they are paid."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledger.books.accounts import RECEIVABLE
from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.master_data.customers import Delivery
from ledger.payments.bank.creditor_references import creditor_reference, in_groups
from ledger.payments.movement import Allotment, MoneyKind, MoneyMovement
from ledger.payments.recording import record_movement
from projections.documents.delivery.deliverer import Deliverer
from projections.documents.delivery.folder import FolderWay
from projections.documents.delivery.letter import letter
from projections.documents.delivery.listing import list_documents
from projections.documents.delivery.mail import MailServer, MailWay
from projections.documents.delivery.reminding import put_down_reminders
from projections.documents.keeping.keeper import DocumentKeeper
from projections.documents.languages.language import LANGUAGES, language_of
from tests.projections.documents.delivery.mail_server import PostBox, mail_server
from tests.projections.documents.issued_documents import issue, operator, render_plainly, rows

ISSUED = datetime(2026, 11, 10, 12, tzinfo=UTC)
_REMINDERS = "SELECT invoice, level FROM reminder ORDER BY invoice, level"
_STATEMENT = """
INSERT INTO bank_statement (form, account, currency, legal_entity, statement_id, page, digest,
    lines, new_lines, imported_at, imported_by)
VALUES ('camt.053', 'X', 'EUR', 'depot', 'x', 1, %s, 0, 0, %s, 'a test') ON CONFLICT DO NOTHING
"""
_ATTEMPTS = "SELECT came_of_it, why FROM delivery_attempt ORDER BY delivery_id DESC, attempt"


def kept(dsn: str, way: Delivery, tokens: list[str], language: str = "de") -> list[str]:
    """Keep invoices, due at once, of ada who gets documents by *way*; return their numbers."""
    numbers = issue(dsn, operator(dsn, {"ada": way}, language=language), tokens)
    with closing(DocumentKeeper(dsn, render_plainly)) as keeper:
        keeper.run_once()
    return numbers


def remind(dsn: str, days: int, hours: int = 0, *, statement: int | None = 0) -> int:
    """Remind so long after invoices were issued; a *statement* was imported so many days before."""
    with connect(dsn) as connection:
        now = ISSUED + timedelta(days=days, hours=hours)
        if statement is not None:
            connection.execute(_STATEMENT, (f"{days}/{hours}", now - timedelta(days=statement)))
        return put_down_reminders(connection, load_declarations(connection), now)


def pay(dsn: str, number: str, minor: int) -> None:
    with connect(dsn) as connection:
        record_movement(
            connection,
            MoneyMovement(
                kind=MoneyKind.BANKED,
                source="bank:X",
                reference=f"{number}-{minor}",
                legal_entity="depot",
                currency="EUR",
                amount_minor=minor,
                allotments=(Allotment(RECEIVABLE, minor, "ada", number),),
                happened_at=ISSUED,
                recorded_by="a test",
            ),
        )


def deliver(dsn: str, server: MailServer) -> int:
    with closing(Deliverer(dsn, {Delivery.EMAIL: MailWay(server, letter)})) as deliverer:
        return deliverer.run_once()


def test_who_does_not_pay_is_reminded_by_the_policys_days(database: str) -> None:
    numbers = kept(database, Delivery.EMAIL, ["ada-1", "ada-1", "nobody-1"])
    number, paid, _ = numbers
    pay(database, paid, 476)
    box = PostBox()

    with mail_server(box) as server:
        assert deliver(database, server) == 2
        told = []
        for day in range(5, 40):
            assert remind(database, day) == remind(database, day, 1) + (day in {7, 14, 28}), (
                "the same day reminds once"
            )
            deliver(database, server)
            told.append(len(box.taken))
        pay(database, number, 100)

    assert rows(database, _REMINDERS) == [(number, 1), (number, 2), (number, 3)]
    assert [told[day - 5] - 2 for day in (6, 7, 13, 14, 27, 28, 39)] == [0, 1, 1, 2, 2, 3, 3]
    recipients, message = box.taken[-1]
    body = message.get_body()
    assert body is not None
    assert recipients == ["ada@example.org"]
    assert message["Subject"] == f"Erinnerung an die Rechnung {number}"
    text = " ".join(body.get_content().split())
    assert f"Ihre Rechnung {number} war am" in text
    assert "4,76" in text
    assert in_groups(creditor_reference(number) or "") in text
    ids = [message["Message-ID"] for _, message in box.taken]
    assert len(set(ids)) == len(ids), "each reminder is a mail of its own"
    with connect(database) as connection:
        listed = list_documents(connection, limit=10)
    assert sorted(each.number for each in listed) == sorted(numbers), "none is listed twice"


def test_nothing_is_sent_of_what_is_paid_before_it_goes(database: str) -> None:
    [number] = kept(database, Delivery.EMAIL, ["ada-1"])
    box = PostBox()

    with mail_server(box) as server:
        deliver(database, server)
        assert remind(database, 8) == 1
        pay(database, number, 476)
        deliver(database, server)

    assert len(box.taken) == 1
    assert rows(database, _ATTEMPTS)[0] == ("refused", "paid")


def test_who_is_seen_late_is_reminded_once(database: str) -> None:
    [number] = kept(database, Delivery.EMAIL, ["ada-1"])

    assert (remind(database, 20), remind(database, 20), remind(database, 28)) == (1, 0, 1)

    assert rows(database, _REMINDERS) == [(number, 2), (number, 3)]


@pytest.mark.parametrize(
    ("state", "waits", "reminded"),
    [("under_way", 0, 0), ("waiting", 3, 0), ("waiting", -3, 1), ("given_up", 0, 1)],
)
def test_nobody_is_reminded_while_money_is_being_collected(
    database: str, state: str, waits: int, reminded: int
) -> None:
    [number] = kept(database, Delivery.EMAIL, ["ada-1"])
    with connect(database) as connection:
        connection.execute("DELETE FROM collection")
        connection.execute(
            "INSERT INTO collection VALUES (%s, 'depot', 'ada', %s, %s)",
            (number, state, ISSUED + timedelta(days=8 + waits)),
        )

    assert remind(database, 8) == reminded


def test_nobody_is_reminded_while_no_statement_says_who_paid(database: str) -> None:
    kept(database, Delivery.EMAIL, ["ada-1"])

    assert remind(database, 8, statement=None) == 0
    assert remind(database, 8, 1, statement=7) == 0
    assert remind(database, 8, 2, statement=6) == 1


def test_into_a_folder_a_reminder_is_a_text_beside_the_invoice(
    database: str, tmp_path: Path
) -> None:
    [number] = kept(database, Delivery.FOLDER, ["ada-1"], language="en")
    remind(database, 8)

    with closing(Deliverer(database, {Delivery.FOLDER: FolderWay(tmp_path)})) as deliverer:
        assert deliverer.run_once() == 2

    assert sorted(each.name for each in tmp_path.iterdir()) == [
        f"{number}.pdf",
        f"{number}.reminder-1.txt",
    ]
    text = (tmp_path / f"{number}.reminder-1.txt").read_text("utf-8")
    assert text.startswith(f"Reminder of invoice {number}\n\nGood day,")


def test_who_fetches_documents_is_on_the_list_alone(database: str) -> None:
    [number] = kept(database, Delivery.NONE, ["ada-1"])

    assert remind(database, 8) == 0
    assert rows(database, _REMINDERS) == [(number, 1)]


@pytest.mark.parametrize("tag", [tag for tag in LANGUAGES if not tag.startswith("en")])
def test_a_reminder_speaks_each_language(tag: str) -> None:
    for sentence in (
        "Reminder of invoice {number}",
        "Your invoice {number} was due on {day}, and {amount} are still open.",
        "Please give this reference with your transfer: {reference}",
        "If you have paid meanwhile, there is nothing left to do.",
    ):
        assert language_of(tag).text(sentence) != sentence
