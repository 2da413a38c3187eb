"""What was said to partners, as lines of the log; who stands in it is cut out and sealed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from psycopg import Connection

from ledger.log.envelope import PartnerMessage
from ledger.partners.messages import CutMessage, UnfitMessageError, cut_message
from ledger.persons.store import find_or_make
from roaming_ocpi.relay.sending import SentMessage


def lines_of(
    connection: Connection[Any], party: str, exchanges: Sequence[SentMessage], *, at: datetime
) -> list[PartnerMessage]:
    """Return the lines of what was said to *party*, sealed; the subjects in them are durable."""
    said = [_fit(_message(party, each, at)) for each in exchanges if each.body is not None]
    holders = list(dict.fromkeys(holder for each in said for holder in each.holders))
    known = find_or_make(connection, holders) if holders else {}
    subjects = {each: known[each.kind, each.name] for each in holders}
    return [each.sealed(subjects) for each in said]


def _message(party: str, each: SentMessage, at: datetime) -> PartnerMessage:
    assert each.body is not None, "only what was said is logged"
    return PartnerMessage(
        received_at=at,
        party=party,
        what=each.what,
        body=each.body.decode(),
        reply=each.reply,
        direction="out",
    )


def _fit(message: PartnerMessage) -> CutMessage:
    """Return *message* as the log takes it: without a text that is too long or no text."""
    for fit in (
        message,
        replace(message, reply=None),
        replace(message, body=""),
        replace(message, body="", reply=None),
    ):
        try:
            return cut_message(fit)
        except UnfitMessageError as error:
            unfit = error
    raise unfit
