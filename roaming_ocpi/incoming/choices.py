"""A person decides about a partner's CDR: a line of the log, from which its verdict follows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection

from ledger.log.envelope import PartnerMessage, encode_line
from ledger.log.event_log import EventLog, Position, partition_of
from ledger.log.outbox import carried_up_to, carry, put
from roaming_ocpi.incoming.told import ACCEPT, DISPUTE, ChosenCdr


def decide_cdr(
    connection: Connection[Any],
    log: EventLog,
    *,
    party: str,
    is_accepted: bool,
    chosen: ChosenCdr,
    at: datetime,
) -> Position:
    """Record that a CDR of *party* is to be paid, or is not; return where that stands.

    It goes through the outbox, so it comes into the log once. The reader of the partner's messages
    takes it in its turn.

    Raises:
        NotCarriedError: If the log cannot take it now.
    """
    line = PartnerMessage(
        received_at=at,
        party=party,
        what=ACCEPT if is_accepted else DISPUTE,
        body=msgspec.json.encode(chosen).decode(),
        direction="out",
    )
    partition = partition_of(party, partitions=log.partitions)
    with connection.transaction():
        [number] = put(connection, {partition: encode_line(line)}, partitions=log.partitions)
    carry(connection, log)
    return carried_up_to(connection, log, number, partition)
