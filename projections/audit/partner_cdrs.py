"""What is behind a session at a partner's station: its CDR as it came, and what was made of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, LiteralString

import msgspec
from psycopg import Connection

from ledger.log.envelope import ChargeOn, LogLine, PartnerMessage
from ledger.log.event_log import EventLog, Position
from ledger.log.reading import numbered_lines
from ledger.rating.decisions import SessionRated
from tariffs.phrases.phrase import Phrase
from tariffs.quantities import EXACT, money_of_minor

_JUDGED: LiteralString = """
SELECT cdr.verdict, cdr.judged, cdr.codes::text, cdr.tax, cdr.decided_at, cdr.decided_by,
    cdr.reason, cdr.credited_by, credit.partition, credit.position, credit.line
FROM partner_cdr AS cdr LEFT JOIN partner_cdr AS credit
    ON credit.party = cdr.party AND credit.cdr_id = cdr.credited_by
WHERE cdr.party = %s AND cdr.cdr_id = %s
"""
_CODES = msgspec.json.Decoder(tuple[Phrase, ...])


class PartnerLine(msgspec.Struct, frozen=True, kw_only=True, rename={"position": "place"}):
    """A line of the log about a partner's CDR; `sha256` is that of its text in UTF-8.

    `what`: "cdrs" of a message, whose body `text` is, with subject ids in the place of persons; of
    our own lines "charge" or "take_back", and the `text` says who wanted it, and why.
    """

    position: str
    received_at: datetime
    what: str
    text: str
    sha256: str


class PartnerCdr(msgspec.Struct, frozen=True, kw_only=True):
    """A partner's CDR, what holds of it by now, and what we make by it.

    Amounts before taxes are exact, in `currency`; `margin` is what we charge above `net`, None in
    different currencies. `codes` are what was found at it, `judged` what the rules make of that.
    `charged_by` is the line that had it charged on, or taken back. None: it was not found.
    """

    party: str
    cdr_id: str
    place: str
    net: Decimal | None
    tax: Decimal | None
    currency: str | None
    mark_up_percent: Decimal | None
    margin: Decimal | None
    message: PartnerLine | None
    charged_by: PartnerLine | None
    verdict: str | None = None
    judged: str | None = None
    codes: tuple[str, ...] = ()
    decided_at: datetime | None = None
    decided_by: str | None = None
    decided_because: str | None = None
    credited_by: str | None = None
    credited_at: str | None = None


def partner_cdr(
    connection: Connection[Any], log: EventLog, decision: SessionRated
) -> PartnerCdr | None:
    """Return the CDR behind *decision*; None: it is about a station of ours."""
    elsewhere, moment = decision.elsewhere, decision.moment
    if elsewhere is None:
        return None
    stands = Position(moment.partition, elsewhere.position, elsewhere.line)
    lines = partner_lines(log, [stands])
    said = _said_by(log, decision)
    known = PartnerCdr(
        party=elsewhere.party,
        cdr_id=elsewhere.cdr_id,
        place=elsewhere.place,
        net=elsewhere.net,
        tax=None,
        currency=elsewhere.currency,
        mark_up_percent=elsewhere.mark_up_percent,
        margin=_margin(decision),
        message=lines.get(stands),
        charged_by=said,
    )
    row = connection.execute(_JUDGED, (elsewhere.party, elsewhere.cdr_id)).fetchone()
    if row is None:
        return known
    verdict, judged, codes, tax, decided_at, by, why, credited_by, *credit = row
    return msgspec.structs.replace(
        known,
        verdict=verdict,
        judged=judged,
        codes=tuple(each.code for each in _CODES.decode(codes)),
        tax=tax,
        decided_at=decided_at,
        decided_by=by,
        decided_because=why,
        credited_by=credited_by,
        credited_at=None if None in credit else str(Position(*credit)),
    )


def partner_lines(log: EventLog, wanted: Iterable[Position]) -> dict[Position, PartnerLine]:
    """Return what stands in *log* at the *wanted* places about partners; what else is left out."""
    by_partition: defaultdict[int, set[Position]] = defaultdict(set)
    for at in wanted:
        by_partition[at.partition].add(at)
    found: dict[Position, PartnerLine] = {}
    for partition, in_it in by_partition.items():
        records = log.read_at(partition, {at.position for at in in_it})
        for position, record in records.items():
            for number, line in numbered_lines(record.payload):
                at = Position(partition, position, number)
                if at in in_it and (told := _told(at, line)) is not None:
                    found[at] = told
    return found


def _said_by(log: EventLog, decision: SessionRated) -> PartnerLine | None:
    """Return the line at the decision's record that had the CDR charged on, or taken back."""
    elsewhere, moment = decision.elsewhere, decision.moment
    assert elsewhere is not None
    record = log.read_at(moment.partition, {moment.position}).get(moment.position)
    for number, line in numbered_lines(record.payload) if record else ():
        if isinstance(line, ChargeOn) and (line.position, line.line) == (
            elsewhere.position,
            elsewhere.line,
        ):
            return _told(Position(moment.partition, moment.position, number), line)
    return None


def _told(at: Position, line: LogLine | None) -> PartnerLine | None:
    match line:
        case PartnerMessage(what=what, body=text):
            pass
        case ChargeOn(act=what, by=""):
            text = "by the rules"
        case ChargeOn(act=what):
            text = f"{line.by}: {line.reason}"
        case _:
            return None
    return PartnerLine(
        position=str(at),
        received_at=line.received_at,
        what=what,
        text=text,
        sha256=sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
    )


def _margin(decision: SessionRated) -> Decimal | None:
    elsewhere, currency = decision.elsewhere, decision.currency
    if elsewhere is None or elsewhere.net is None or elsewhere.currency != currency:
        return None
    return EXACT.subtract(money_of_minor(decision.net_minor, currency).amount, elsewhere.net)
