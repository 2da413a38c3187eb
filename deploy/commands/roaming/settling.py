"""`wattledger partner settle|contest`: what is between a partner and us for a month."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from deploy.commands.closing.gathering import month_of
from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.documents.written import write_bytes
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from decimal import Decimal

    from psycopg import Connection

    from ledger.declared.declarations import Declarations
    from ledger.desk.settling.desk import SettlementDesk, SettlementStanding
    from ledger.settlements.candidates import SettlementScope
    from ledger.settlements.statement import SettledCdr, Settlement, SettlementSide

_LINES: Final = {
    "whose": "left",
    "what": "left",
    "count": "right",
    "energy": "right",
    "net": "right",
    "tax": "right",
}
_TAXES: Final = {
    "whose": "left",
    "country": "left",
    "rate": "right",
    "count": "right",
    "net": "right",
    "tax": "right",
}
_EXCLUDED: Final = {"whose": "left", "CDR": "left", "kind": "left", "net": "right"}
_SHOWN_MAX: Final = 50


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SettlingAct:
    """What is done about a settlement; nothing said: it is shown as it stands."""

    propose: Annotated[bool, Parameter(negative=())] = False
    """Record it as it is now as what is proposed to the partner."""

    agree: Annotated[bool, Parameter(negative=())] = False
    """Record that both agreed: it gets its number, is booked, and stays."""

    digest: str | None = None
    """With --agree: of what you looked at; anything else is not agreed to. Where nothing was
    proposed it must be said."""

    dispute: Annotated[bool, Parameter(negative=())] = False
    """Record that one side does not agree to what was proposed."""

    reason: str = ""
    """Why it is disputed."""

    by: str | None = None
    """Who does it (default: your login)."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class StatementFiles:
    """As what the statement is written."""

    csv: Path | None = None
    """A file for its CDRs, lines and sums."""

    pdf: Path | None = None
    """A file for its pages (PDF/A-3, the CSV inside)."""


NOTHING: Final = SettlingAct()
NO_FILES: Final = StatementFiles()


def settle(
    party: str,
    /,
    *,
    month: str,
    currency: str | None = None,
    act: SettlingAct = NOTHING,
    files: StatementFiles = NO_FILES,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Settle a month with a partner: CDRs of both, credits, fees, one tax, one amount due.

    It has every CDR up to the month's end that stands in no settlement yet; disputed ones wait.

    Args:
        party: The partner, NL-TNM.
        month: Which month ("2026-03"), in the calendar of our legal entity.
        currency: In which currency, where there are several.
        act: What is done about it.
        files: As what it is written.
        folder: Where.
    """
    from ledger.declared.store import load_declarations
    from ledger.desk.settling.desk import settlement_desk

    month = month_of(month)
    if sum((act.propose, act.agree, act.dispute)) > 1:
        message = "say one of --propose, --agree and --dispute"
        raise DeployError(message)
    with opened(folder.settings()) as connection:
        declared = load_declarations(connection)
        with settlement_desk(connection, declared) as desk:
            scopes = _scopes(desk, party, month, currency)
            if act.digest is not None and len(scopes) != 1:
                raise UnclearSettlementError(party, scopes)
            if (files.csv or files.pdf) and len(scopes) != 1:
                raise UnclearSettlementError(party, scopes)
            done = [(scope, _acted(desk, declared, scope, act)) for scope in scopes]
        for scope, standing in done:
            _write(connection, declared, scope, standing, files)
    if folder.json:
        print_json([_for_machines(scope, standing) for scope, standing in done])
        return 0
    for scope, standing in done:
        _print(scope, standing)
    if not done:
        say(f"there is nothing to settle with {party} up to the end of {month}")
    return 0


def contest(
    party: str,
    cdr_id: str,
    /,
    *,
    reason: str,
    withdrawn: Annotated[bool, Parameter(negative=())] = False,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Record that a partner does not pay a CDR of ours; until that is decided it is not settled.

    Args:
        party: The partner, NL-TNM.
        cdr_id: The id of our CDR.
        reason: Why, as the partner says; no names of persons.
        withdrawn: It pays it after all.
        by: Who records it (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.desk.settling.contesting import contest as record

    with opened(folder.settings()) as connection:
        record(
            connection,
            party,
            cdr_id,
            is_contested=not withdrawn,
            by=acting(by),
            at=SystemClock().now(),
            reason=reason,
        )
    if folder.json:
        print_json({"party": party, "cdr_id": cdr_id, "is_contested": not withdrawn})
    elif withdrawn:
        say(f"{cdr_id} is settled with the next settlement")
    else:
        say(f"{cdr_id} waits: no settlement takes it until this is --withdrawn, or it is credited")
    return 0


def _scopes(
    desk: SettlementDesk, party: str, month: str, currency: str | None
) -> list[SettlementScope]:
    wanted = None if currency is None else currency.upper()
    found = desk.scopes(party, month)
    return [each for each in found if wanted in (None, each.currency)]


def _acted(
    desk: SettlementDesk, declared: Declarations, scope: SettlementScope, act: SettlingAct
) -> SettlementStanding:
    from deploy.clock import SystemClock
    from ledger.settlements.record import SettlementState
    from roaming_ocpi.settlement.invoices.records import publish_records

    by, at = acting(act.by), SystemClock().now()
    if act.propose:
        return desk.propose(scope, by=by, at=at)
    if act.dispute:
        return desk.dispute(scope, by=by, at=at, reason=act.reason)
    if not act.agree:
        return desk.standing(scope)
    if act.digest is None and desk.standing(scope).record.state == SettlementState.OPEN.value:
        raise UnseenSettlementError(scope)
    # Whichever of ours sold it: who has the contract is who tells it.
    us = declared.legal_entity(scope.contract, at)
    owner = us.party if us else None

    def publish(connection: Connection[Any], number: str) -> None:
        if owner:
            publish_records(connection, number, owner=owner, partner=scope.party, at=at)

    return desk.agree(scope, by=by, at=at, seen=act.digest, also=publish)


def _write(
    connection: Connection[Any],
    declared: Declarations,
    scope: SettlementScope,
    standing: SettlementStanding,
    files: StatementFiles,
) -> None:
    from roaming_ocpi.settlement.statement_csv import statement_csv

    if not (files.csv or files.pdf):
        return
    cdrs = _cdrs(connection, scope, standing)
    text = "".join(statement_csv(standing.settlement, cdrs))
    if files.csv:
        write_bytes(text.encode(), files.csv)
    if files.pdf:
        write_bytes(_pages(declared, scope, standing, text), files.pdf, is_text=False)


def _cdrs(
    connection: Connection[Any], scope: SettlementScope, standing: SettlementStanding
) -> Iterator[SettledCdr]:
    from ledger.settlements.candidates import candidates, settled_cdrs
    from ledger.settlements.statement import CdrSide

    number = standing.record.number
    for side in CdrSide:
        if number:
            yield from settled_cdrs(connection, number, side)
        else:
            yield from candidates(connection, scope, side)


def _pages(
    declared: Declarations, scope: SettlementScope, standing: SettlementStanding, lines_csv: str
) -> bytes:
    from deploy.clock import SystemClock
    from ledger.invoices.document import Party, seller_details_of
    from projections.documents.settlements.pdf import settlement_pdf
    from projections.documents.settlements.sheet import ShownSettlement

    now = SystemClock().now()
    us, partner = declared.legal_entity(scope.legal_entity, now), declared.partner(scope.party, now)
    if us is None or partner is None:
        message = f"{scope.party} or {scope.legal_entity} is not declared any more: no pages"
        raise DeployError(message)
    shown = ShownSettlement(
        settlement=standing.settlement,
        number=standing.record.number,
        language=partner.language,
        us=Party(name=us.name, vat_id=us.vat_id, address=us.address),
        our_details=seller_details_of(us),
        partner=Party(name=partner.name, vat_id=partner.vat_id, address=partner.address),
    )
    moves = standing.record.moves
    on = datetime.fromisoformat(moves[-1][2]) if standing.record.number else now
    return settlement_pdf(shown, lines_csv, on.date(), logo=us.logo)


def _for_machines(scope: SettlementScope, standing: SettlementStanding) -> dict[str, Any]:
    record = standing.record
    return {
        "party": scope.party,
        "legal_entity": scope.legal_entity,
        "month": scope.month,
        "currency": scope.currency,
        "state": record.state,
        "number": record.number or None,
        "is_as_proposed": standing.is_current,
        "digest": standing.digest,
        "due_minor": standing.settlement.due_minor,
        "is_otherwise_taxed": {
            "ours": standing.settlement.sent.is_otherwise_taxed(scope.currency),
            "theirs": standing.settlement.received.is_otherwise_taxed(scope.currency),
        },
        "settlement": standing.settlement,
        "moves": [
            {"act": act, "by": by, "at": at, "reason": reason}
            for act, by, at, reason in record.moves
        ],
    }


def _print(scope: SettlementScope, standing: SettlementStanding) -> None:
    from projections.invoice_list import amount

    record, settlement = standing.record, standing.settlement
    title = f"{scope.party}, {scope.month}, {scope.legal_entity} in {scope.currency}"
    say(f"{title}: {record.number or record.state}")
    for act, by, at, reason in record.moves:
        say(f"{at[:16].replace('T', ' ')}  {act} by {by}{': ' if reason else ''}{reason}")
    if record.text and not standing.is_current:
        say("What there is now is not what was proposed: --propose it again")
    rows = [*_rows("ours", settlement.sent, scope), *_rows("theirs", settlement.received, scope)]
    print_rows("Lines", _LINES, rows)
    _print_taxes(settlement, scope.currency)
    _print_excluded(settlement)
    due = settlement.due_minor
    said = amount(abs(due), scope.currency)
    if due > 0:
        say(f"{scope.party} owes us {said}")
    elif due < 0:
        say(f"we owe {scope.party} {said}")
    else:
        say("nothing is due")
    if not record.number:
        say(f"digest {standing.digest}")


def _rows(whose: str, side: SettlementSide, scope: SettlementScope) -> Iterator[tuple[str, ...]]:
    from projections.invoice_list import amount

    for each in side.lines:
        words = each.code.value.replace("_", " ")
        yield (
            whose,
            words,
            str(each.count or ""),
            f"{each.energy_wh / 1000:f} kWh",
            f"{each.net:f}",
            f"{each.tax:f}",
        )
    if side.count:
        sums = (amount(minor, scope.currency) for minor in (side.net_minor, side.tax_minor))
        yield (whose, "total", str(side.count), f"{side.energy_wh / 1000:f} kWh", *sums)


def _print_taxes(settlement: Settlement, currency: str) -> None:
    """Print the VAT by rate, and where one rate may be too few."""
    from projections.invoice_list import amount

    rows = [
        (whose, each.country or "-", _percent(each.percent), str(each.count), *sums)
        for whose, side in (("ours", settlement.sent), ("theirs", settlement.received))
        for each in side.taxes or ()
        for sums in [[amount(minor, currency) for minor in (each.net_minor, each.tax_minor)]]
    ]
    if rows:
        print_rows("VAT by country and rate", _TAXES, rows)
    for whose, side in (("our", settlement.sent), ("their", settlement.received)):
        if settlement.terms.vat_percent is not None and side.is_otherwise_taxed(currency):
            say(f"The taxes of {whose} CDRs are of other rates, or countries (vat_by_country)")


def _percent(percent: Decimal | None) -> str:
    return "none declared" if percent is None else f"{percent:f} %"


def _print_excluded(settlement: Settlement) -> None:
    if not settlement.excluded:
        return
    rows = [
        (each.side.value, each.cdr_id, each.kind.value, f"{each.net:f}")
        for each in settlement.excluded[:_SHOWN_MAX]
    ]
    print_rows("Disputed, and not settled", _EXCLUDED, rows)
    if len(settlement.excluded) > _SHOWN_MAX:
        say(f"{len(settlement.excluded)} in all: --csv has each")


class UnseenSettlementError(DeployError):
    """Nobody proposed it, and nobody says what was looked at."""

    def __init__(self, scope: SettlementScope) -> None:
        super().__init__(
            f"nothing was proposed for {scope.month} with {scope.party} in {scope.currency}: "
            "--propose it, or say with --digest what you looked at"
        )


class UnclearSettlementError(DeployError):
    """There are several settlements, or none, of which a file would be."""

    def __init__(self, party: str, scopes: list[SettlementScope]) -> None:
        there = ", ".join(f"{each.legal_entity} in {each.currency}" for each in scopes)
        super().__init__(
            f"say which settlement (--currency): {there}"
            if scopes
            else f"there is nothing to settle with {party}"
        )
