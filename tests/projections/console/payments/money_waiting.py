"""Money that nobody knows what it is for, brought into a copy of the demo by the product itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import BytesIO

from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.desk.paying.statements import StatementFile, import_files
from ledger.payments.bank.lines import waiting_lines
from ledger.payments.movement import UNMATCHED, Allotment, MoneyKind, MoneyMovement
from ledger.payments.recording import record_movement
from tests.ledger.payments.bank.bank_files import Booked, camt_text

HARBOUR = "harbour-charging"


def import_lines(dsn: str, at: datetime, *entries: Booked) -> list[str]:
    """Import a statement of the harbour's bank; return the lines that wait, the largest first."""
    with connect(dsn) as connection:
        seller = load_declarations(connection).legal_entity(HARBOUR, at)
        assert seller is not None
        assert seller.bank is not None
        day = (at - timedelta(days=1)).date().isoformat()
        text = camt_text(
            [each._replace(day=day) for each in entries], name=f"late-{at}", iban=seller.bank.iban
        )
        import_files(
            connection, [StatementFile("late.xml", BytesIO(text.encode()))], by="mara", at=at
        )
        waiting = waiting_lines(connection, 100)
    # What they are called hangs on a key of these books: by their names they come in any order.
    return [each.line for each in sorted(waiting, key=lambda each: -each.amount_minor)]


def unexplained(dsn: str, at: datetime, minor: int, reference: str = "txn_by_hand") -> int:
    """Have money paid out that nothing explains; return its movement's number."""
    made = MoneyMovement(
        kind=MoneyKind.BANKED,
        source="stripe",
        reference=reference,
        legal_entity=HARBOUR,
        currency="EUR",
        amount_minor=minor,
        allotments=(Allotment(UNMATCHED, minor),),
        happened_at=at,
        recorded_by="worker",
    )
    with connect(dsn) as connection:
        moved, _ = record_movement(connection, made)
        return moved.number
