"""Records of ours as the relay sends them. Source: OCPI 2.3.0, mod_invoice_reconciliation, POST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection

from roaming_ocpi.registration.link import Link
from roaming_ocpi.relay.messages import Prepared
from roaming_ocpi.relay.outcomes import Arrival, AttemptOutcome
from roaming_ocpi.relay.outgoing import Outgoing
from roaming_ocpi.settlement.invoices.records import our_record
from roaming_ocpi.wire.walls import encoded


class InvoiceRecordMaker:
    """Makes what is sent of records (`roaming_ocpi.relay.messages.MessageMaker`)."""

    def make(
        self, connection: Connection[Any], messages: Sequence[Outgoing], link: Link
    ) -> Mapping[int, Prepared | AttemptOutcome]:
        """Return by its id what is sent of each message."""
        del link
        found: dict[int, Prepared | AttemptOutcome] = {}
        for each in messages:
            record = our_record(connection, each.party, each.subject)
            found[each.id] = (
                AttemptOutcome(Arrival.REFUSED, reason="unsayable")
                if record is None
                else Prepared("POST", "", encoded(record.tree()))
            )
        return found
