"""A stop that a person attests: on the invoice, in the audit trail, down to the line of the log."""

from __future__ import annotations

import json
from decimal import Decimal
from hashlib import sha256

from ledger.database import connect
from ledger.log.envelope import Attested, Choice
from ledger.log.postgres import PostgresEventLog
from projections.audit.shown_documents import show_invoice
from projections.audit.text import explanation_text
from projections.audit.trail import explain
from projections.balances.energy import energy_balance
from projections.documents.content.invoice import invoice_sheet
from tests.charging_day import at
from tests.projections.books_of_a_day import books_of_a_day, go_on, replayed
from tests.projections.documents.shown_documents import evidence_of

HELD = "CS-OLD-2/22/20260302T082000Z"
SESSION = """
SELECT started_at, meter_start_wh, coalesce(meter_stop_wh, register_wh) FROM session
WHERE session_id = %s
"""
NUMBER = "SELECT number FROM invoiced_session WHERE session_id = %s"


def test_who_said_when_it_ended_is_told_from_the_invoice_down_to_the_log(database: str) -> None:
    books_of_a_day(database)
    with connect(database) as connection:
        [(_, _, register)] = connection.execute(SESSION, (HELD,)).fetchall()
    line = Choice(
        received_at=at(300),
        station="CS-OLD-2",
        session_id=HELD,
        choice="attest",
        by="mara, theo",
        reason="a photo of its display",
        attested=Attested(ended_at=at(110), meter_stop_wh=register + Decimal(250), of_held=True),
    )
    go_on(database, [(line.received_at, line.station, line)])

    with connect(database) as connection, PostgresEventLog(database) as log:
        [(number,)] = connection.execute(NUMBER, (HELD,)).fetchall()
        explanation = explain(connection, log, str(number))
        shown = show_invoice(connection, str(number))
        assert energy_balance(connection).is_balanced
    [session] = [each for each in shown.sessions if each.session_id == HELD]
    assert session.is_attested
    assert session.meter_stop_wh == register + 250
    sheet = invoice_sheet(shown, evidence_of(shown))
    items = {each.label: each.value for block in sheet.sessions for each in block.items}
    assert items["End of the session"] == "read by us, as the station did not tell it"
    text = explanation_text(explanation)
    assert "Its end is by the word of mara, theo, with a register of" in text
    assert "a photo of its display" in text
    assert "(stop_attested)" in text
    frame = next(each.end_frame for each in explanation.lines if each.rating.session_id == HELD)
    assert frame is not None
    assert json.loads(frame.frame)["by"] == "mara, theo"
    assert frame.sha256 == sha256(frame.frame.encode()).hexdigest()
    assert replayed(database).is_identical
