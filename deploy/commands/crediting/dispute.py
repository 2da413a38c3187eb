"""`wattledger dispute`: what the payer of an invoice or a session contests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, LiteralString

from deploy.commands.crediting.chosen import Reason
from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import print_json, say
from deploy.running.opening import opened_with_log

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import Connection

    from deploy.settings import Settings
    from ledger.desk.crediting.billed_parts import BilledPart
    from ledger.log.envelope import Choice, ChoiceKind
    from ledger.log.event_log import EventLog


_FLAGS: LiteralString = """
SELECT session_id, flags FROM session WHERE session_id = ANY(%s) ORDER BY 1
"""
_DONE: Final[Mapping[str, str]] = {
    "dispute": "disputed",
    "uphold": "given back",
    "reject": "owed as before",
}


class NotDisputedError(DeployError):
    """Nobody contests what is to be decided."""

    def __init__(self, what: str) -> None:
        super().__init__(f"nobody disputes {what}: `wattledger sessions held` lists what is")


class NothingNamedSoError(DeployError):
    """Neither an invoice nor a session is called so."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"there is no invoice and no session {what}: `wattledger invoices` and "
            "`wattledger sessions` list them"
        )


def dispute(
    what: str,
    *,
    reason: Reason,
    line: int | None = None,
    resolve: Literal["uphold", "reject"] | None = None,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Note that the payer of an invoice or session contests it, or decide about that.

    Each session is flagged `disputed` and listed with `sessions held`; no money moves. Upheld, what
    is named is given back as `wattledger credit` does, much of it by two; rejected, it is owed.

    Args:
        what: The invoice's number, or the session's id.
        reason: What the payer says, or why it is decided so; it is kept, on no document.
        line: Only this line of the invoice, or of the session's rating.
        resolve: Decide about a dispute: uphold or reject it.
        by: Who says so (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from deploy.commands.crediting.chosen import record_all
    from ledger.facts.flags import Flag
    from projections.crediting.chosen import choices_of

    kind: ChoiceKind = resolve or "dispute"
    settings = folder.settings()
    with opened_with_log(settings) as (connection, log):
        parts = _parts(connection, what, line)
        if resolve is not None:
            parts = [part for part in parts if Flag.DISPUTED in part.flags]
            if not parts:
                raise NotDisputedError(what)
        choices = choices_of(parts, kind, acting(by), reason, SystemClock().now())
        waits = kind == "uphold" and _uphold(connection, log, settings, (what, parts, choices))
        if kind != "uphold":
            record_all(connection, log, settings, choices, is_shown=not folder.json)
        ids = [part.now.session_id for part in parts]
        flags = dict(connection.execute(_FLAGS, (ids,)).fetchall())
    disputed = [each for each in ids if Flag.DISPUTED in flags[each]]
    if folder.json:
        print_json({"what": what, "choice": kind, "sessions": ids, "disputed": disputed})
    elif waits:
        say("It gives back more than one person may: another says the same.")
    else:
        say(f"{what}: {len(ids)} sessions are {_DONE[kind]}.")
    is_missed = len(disputed) < len(ids) if resolve is None else bool(disputed)
    return 1 if is_missed and not waits else 0


def _uphold(
    connection: Connection[Any],
    log: EventLog,
    settings: Settings,
    wish: tuple[str, Sequence[BilledPart], Sequence[Choice]],
) -> bool:
    """Give back what is contested, as `wattledger credit` would; say whether it waits instead."""
    from deploy.commands.crediting.chosen import give_back
    from deploy.running.owner import is_up
    from deploy.running.turns import work_off
    from ledger.declared.store import load_declarations
    from ledger.desk.second_person import ProposedChoice
    from projections.deciding.choosing import ChoiceWish, make_choice

    what, _, choices = wish
    [first, *_] = choices
    if what != first.session_id:
        return give_back(connection, log, settings, wish, is_shown=False) is not None
    done = make_choice(
        connection,
        load_declarations(connection),
        ChoiceWish(what, "uphold", first.by, first.reason, first.lines),
        at=first.received_at,
        log=log,
        work_off=None if is_up(settings) else work_off,
    )
    return isinstance(done, ProposedChoice)


def _parts(connection: Connection[Any], what: str, line: int | None) -> list[BilledPart]:
    """Return what of an invoice, or of a session that may not be invoiced yet, is meant."""
    from ledger.desk.choices import UnknownSessionError
    from ledger.desk.crediting.billed_parts import rated_part
    from projections.crediting.chosen import parts_of

    query = "SELECT FROM issued_invoice WHERE number = %s"
    if connection.execute(query, (what,)).rowcount:
        return parts_of(connection, what, () if line is None else (line,))
    try:
        return [rated_part(connection, what, line)]
    except UnknownSessionError as error:
        raise NothingNamedSoError(what) from error
