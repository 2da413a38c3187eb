"""`wattledger cdr received`: what partners bill us for our drivers, and what we decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened, opened_with_log

if TYPE_CHECKING:
    from psycopg import Connection

    from ledger.log.event_log import EventLog
    from roaming_ocpi.incoming.received_cdr import ReceivedCdr

Verdict = Literal["accepted", "flagged", "disputed"]
Reason = Annotated[str, Parameter(help="Why; it is kept with the decision.")]
COLUMNS = {
    "party": "left",
    "CDR": "left",
    "started": "left",
    "kWh": "right",
    "net": "right",
    "": "left",
    "verdict": "left",
    "why": "left",
    "charged on": "left",
}


def received(
    cdr: str | None = None,
    *,
    party: str | None = None,
    verdict: Verdict | None = None,
    waiting: bool = False,
    limit: Limit = 50,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """List the CDRs that partners told us of, the newest first, or show one.

    Args:
        cdr: Show this one, with all that was found.
        party: Only those of this partner (NL-TNM).
        verdict: Only those of which this holds.
        waiting: Only those that are to be paid, and are charged to none of our customers yet.
        limit: At most so many.
        folder: Where.
    """
    from roaming_ocpi.incoming.lists import find_received, list_received
    from roaming_ocpi.incoming.verdicts.verdict import CdrVerdict

    with opened(folder.settings()) as connection:
        if cdr is not None:
            found = [find_received(connection, cdr, party=party)]
        else:
            wanted = None if verdict is None else CdrVerdict(verdict)
            found = list_received(
                connection, party=party, verdict=wanted, limit=limit, is_waiting=waiting
            )
    if folder.json:
        print_json(found if cdr is None else found[0])
    elif cdr is None:
        print_rows("CDRs of partners", COLUMNS, [_row(each) for each in found])
        if any(each.verdict != "accepted" for each in found):
            say("Decide with: wattledger cdr accept|dispute CDR --reason WHY")
    else:
        _say_whole(found[0])
    return 0


def accept(
    cdr: str,
    *,
    reason: Reason,
    party: str | None = None,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Let a partner's CDR be paid, whatever was found at it.

    Args:
        cdr: Its id, as the partner gave it.
        reason: Why it is to be paid.
        party: Whose it is, where several have one of that id.
        by: Who says so (default: your login).
        folder: Where.
    """
    return _decide(cdr, party, is_accepted=True, reason=reason, by=by, folder=folder)


def dispute(
    cdr: str,
    *,
    reason: Reason,
    party: str | None = None,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Do not pay a partner's CDR: it is left out of what is settled until it is accepted.

    Args:
        cdr: Its id, as the partner gave it.
        reason: What is wrong with it.
        party: Whose it is, where several have one of that id.
        by: Who says so (default: your login).
        folder: Where.
    """
    return _decide(cdr, party, is_accepted=False, reason=reason, by=by, folder=folder)


def judge_again(*, folder: ReadingFolder = READ_FOLDER) -> int:
    """Judge all CDRs of partners again, from the log, and compare: exits 1 if anything differs.

    Works in a schema of its own; nothing is changed.

    Args:
        folder: Where.
    """
    from deploy.postgres import migrate
    from ledger.database import dsn_of
    from roaming_ocpi.incoming.rechecking import judge_all_again

    def new_schema(connection: Connection[Any], schema: str) -> None:
        migrate.apply(connection, "books", schema=schema)

    with opened_with_log(folder.settings()) as (connection, log):
        report = judge_all_again(dsn_of(connection), log, new_schema=new_schema)
    if folder.json:
        print_json(
            {
                "compared": report.compared,
                "different": [each._asdict() for each in report.different],
            }
        )
    else:
        columns = {"party": "left", "table": "left", "id": "left"}
        print_rows("Judged otherwise", columns, report.different)
        say(f"{report.compared} CDRs were judged again, {len(report.different)} rows differ.")
    return 1 if report.different else 0


def _decide(
    cdr: str,
    party: str | None,
    *,
    is_accepted: bool,
    reason: str,
    by: str | None,
    folder: ReadingFolder,
) -> int:
    from deploy.clock import SystemClock
    from ledger.desk.recording import check_reason
    from roaming_ocpi.incoming.choices import decide_cdr
    from roaming_ocpi.incoming.lists import find_received
    from roaming_ocpi.incoming.told import ChosenCdr

    check_reason(reason)
    with opened_with_log(folder.settings()) as (connection, log):
        found = find_received(connection, cdr, party=party)
        chosen = ChosenCdr(id=found.cdr_id, by=acting(by), reason=reason)
        at = decide_cdr(
            connection,
            log,
            party=found.party,
            is_accepted=is_accepted,
            chosen=chosen,
            at=SystemClock().now(),
        )
        _read_to_end(connection, log)
        now = find_received(connection, cdr, party=found.party)
    if folder.json:
        print_json(now)
    else:
        say(f"{now.party} {now.cdr_id} is {now.verdict}; it stands in the log at {at}.")
    return 0


def _read_to_end(connection: Connection[Any], log: EventLog) -> None:
    """Take what waits; safe beside a running system, for its place is kept with what follows."""
    from contextlib import closing

    from deploy.clock import SystemClock
    from ledger.database import dsn_of
    from roaming_ocpi.incoming.charging import ChargeLines
    from roaming_ocpi.incoming.reading import PartnerReader

    says = ChargeLines(log, SystemClock().now)
    reader = PartnerReader(dsn_of(connection), log=log, partitions=range(log.partitions), says=says)
    with closing(reader):
        reader.run_to_end()


def _row(each: ReceivedCdr) -> tuple[object, ...]:
    codes = ", ".join(code["code"].removeprefix("cdr_") for code in each.codes)
    return (
        *(each.party, each.cdr_id, each.started_at, each.energy_kwh, each.net),
        *(each.currency, each.verdict, codes, _charged(each)),
    )


def _charged(each: ReceivedCdr) -> str:
    """Return what our customer owes for it, else in a word how it stands."""
    from projections.invoice_list import amount

    charged = each.charged
    if charged is None:
        return ""
    if charged.status != "charged" or charged.gross_minor is None or charged.currency is None:
        return charged.status
    return amount(charged.gross_minor, charged.currency)


def _say_charged(each: ReceivedCdr) -> None:
    """Say whether it is charged on, why not, and what to do."""
    from roaming_ocpi.incoming.received_cdr import MEANINGS

    charged = each.charged
    if charged is None:
        return
    revision = "" if charged.revision is None else f" (revision {charged.revision})"
    say(f"charged on: {_charged(each)}: {MEANINGS[charged.status]}")
    if charged.revision is not None or charged.reasons:
        say(f"  session {charged.session_id}{revision}")
    for reason in charged.reasons:
        say(f"  {reason}")


def _say_whole(found: ReceivedCdr) -> None:
    """Say all of one CDR: its fields, then what was found, in words."""
    from roaming_ocpi.incoming.verdicts.english import ENGLISH
    from tariffs.phrases.phrase import Phrase

    rows = [
        (name, getattr(found, name))
        for name in found.__struct_fields__
        if name not in {"codes", "charged"} and getattr(found, name) is not None
    ]
    print_rows(f"CDR {found.cdr_id} of {found.party}", {"": "left", "is": "left"}, rows)
    for phrase in msgspec.convert(found.codes, list[Phrase]):
        say(f"{phrase.code}: {ENGLISH.words(phrase)}")
    _say_charged(found)
