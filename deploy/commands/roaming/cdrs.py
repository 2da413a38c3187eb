"""`wattledger cdr`: CDRs of ours, what they say and why, and whether they are as they were made."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.errors import DeployError
from deploy.output import print_json, print_json_text, print_rows, say, utc
from deploy.running.opening import opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg import Connection

    from roaming_ocpi.cdrs.made import CdrForm, MadeCdr
    from tariffs.ocpi.versions import OcpiVersion

Flag = Annotated[bool, Parameter(negative=())]
Version = Literal["2.1.1", "2.2.1", "2.3.0"]
COLUMNS: Final = {
    "CDR": "left",
    "kind": "left",
    "partner": "left",
    "number": "right",
    "session": "left",
    "ended": "left",
    "kWh": "right",
    "net": "right",
    "tax": "right",
    "notes": "left",
}
PERIODS: Final = {
    "from": "left",
    "kWh": "right",
    "hours": "right",
    "parked": "right",
    "reserved": "right",
    "tariff": "left",
}


class NoSuchCdrError(DeployError):
    """A CDR that is none of ours."""

    def __init__(self, cdr_id: str) -> None:
        super().__init__(f"there is no CDR {cdr_id!r} of ours: `wattledger cdr list` lists them")


def listed(
    *,
    party: str | None = None,
    month: str | None = None,
    session: str | None = None,
    noted: Flag = False,
    refused: Flag = False,
    limit: Limit = 50,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """List CDRs of ours, the newest first, or the sessions that have none, and why.

    A CDR is made when a session is rated that a partner owes. One that would not come to its own
    total is refused by ourselves; what is missing is declared, and then it is made.

    Args:
        party: Only those to this partner ("NL-TNM").
        month: Only those of sessions of this month ("2026-03").
        session: Only those of this session.
        noted: Only those with something to know: said otherwise than by our tariff, a mark-up.
        refused: Instead the sessions of which no CDR could be made.
        limit: At most so many.
        folder: Where.
    """
    from roaming_ocpi.cdrs.store import listed_cdrs

    if refused:
        return _list_refused(party, limit, folder)
    with opened(folder.settings()) as connection:
        made = listed_cdrs(
            connection, party=party, month=month, session=session, only_noted=noted, limit=limit
        )
    if folder.json:
        print_json([_as_json(each) for each in made])
    else:
        _print_made(made)
    return 0


def _print_made(made: Sequence[MadeCdr]) -> None:
    rows = [
        (
            each.cdr_id,
            each.kind.value,
            each.party,
            each.number,
            each.session_id,
            utc(each.ended_at),
            _kwh(each.energy_wh),
            _money(each.net_minor, each.currency),
            _money(each.tax_minor, each.currency),
            " ".join(dict.fromkeys(note.code for note in each.notes)),
        )
        for each in made
    ]
    print_rows("CDRs", COLUMNS, rows)


def _list_refused(party: str | None, limit: int, folder: ReadingFolder) -> int:
    from roaming_ocpi.cdrs.store import refused_cdrs

    with opened(folder.settings()) as connection:
        found = refused_cdrs(connection, party=party, limit=limit)
    if folder.json:
        print_json(found)
        return 0
    columns = {"session": "left", "partner": "left", "code": "left", "why there is no CDR": "left"}
    rows = [(each.session_id, each.party, each.code, each.reason) for each in found]
    print_rows("Sessions without a CDR", columns, rows)
    return 0


def show(
    cdr_id: str,
    *,
    version: Version = "2.3.0",
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Show a CDR of ours: its periods, its totals, and what it says otherwise, and why.

    With --json it is what the partner gets, byte for byte but for the layout.

    Args:
        cdr_id: Its id, in any case.
        version: The version of OCPI in which it is told.
        folder: Where.
    """
    from roaming_ocpi.cdrs.store import cdr_named
    from tariffs.ocpi.versions import OcpiVersion

    spoken = OcpiVersion(version)
    with opened(folder.settings()) as connection:
        made = cdr_named(connection, cdr_id)
        if made is None:
            raise NoSuchCdrError(cdr_id)
        if folder.json:
            print_json_text(_wire_text(connection, made, spoken))
            return 0
    _show_text(made, spoken)
    return 0


def _wire_text(connection: Connection[object], made: MadeCdr, version: OcpiVersion) -> str:
    from roaming_ocpi.cdrs.telling.disclosure import disclosed
    from roaming_ocpi.cdrs.telling.excerpt import excerpt_of
    from roaming_ocpi.cdrs.telling.wire import wire_cdr

    told = excerpt_of(made)
    keys = disclosed(connection, [told])
    return wire_cdr(told, version, keys[told.cdr_id]).json.decode()


def _show_text(made: MadeCdr, version: OcpiVersion) -> None:
    body = made.said
    form = body.form(version)
    takes = f", takes back {made.credits}" if made.credits else ""
    say(f"{made.kind.value} {made.cdr_id} to {made.party}, number {made.number}{takes}")
    say(f"session {made.session_id}, revision {made.revision}, made {utc(made.made_at)}")
    say(f"{utc(made.started_at)} to {utc(made.ended_at)} at {body.place.evse_id}")
    if body.replaces:
        say(f"in place of {body.replaces}")
    if form is None:
        say(f"OCPI {version} cannot say it so that it comes to its total.")
    else:
        print_rows(f"Charging periods, OCPI {version}", PERIODS, list(_period_rows(form)))
        for name, amount in _amounts(form):
            say(f"  {name}: {amount}")
        say(f"  said by: {form.said_by.value}; tariffs: {', '.join(t.id for t in form.tariffs)}")
    net, tax = (_money(minor, made.currency) for minor in (made.net_minor, made.tax_minor))
    say(f"{_kwh(made.energy_wh)} kWh, {net} {made.currency} and {tax} tax")
    if body.remark:
        say(f"remark: {body.remark}")
    for note in made.notes:
        where = f"OCPI {note.version}, " if note.version else ""
        say(f"note: {where}{note.code}: {note.message}")


def _period_rows(form: CdrForm) -> Iterator[tuple[object, ...]]:
    for each in form.periods:
        volumes = (each.energy, each.time, each.parking_time, each.reservation_time)
        said = ("" if volume is None else f"{volume:f}" for volume in volumes)
        yield (utc(each.starts_at), *said, each.tariff_id or "")


def _amounts(form: CdrForm) -> Iterator[tuple[str, str]]:
    stated = form.stated
    for name in stated.__struct_fields__:
        value = getattr(stated, name)
        if value is None:
            continue
        if isinstance(value, Decimal):
            yield name, f"{value:f}"
        else:
            taxes = "".join(f" + {t.amount:f} {t.name} {t.percentage or ''}" for t in value.taxes)
            yield name, f"{value.before_taxes:f}{taxes}".rstrip()


def check(*, party: str | None = None, folder: ReadingFolder = READ_FOLDER) -> int:
    """Make every CDR of ours again, and compare it with what was frozen.

    Each is made from its decision and the master data that it was made by, and must have the same
    bytes; numbers must have no gap. Exits 1 if one is not as it was made.

    Args:
        party: Only those to this partner.
        folder: Where.
    """
    from deploy.progress_bar import progress_bar
    from roaming_ocpi.cdrs.checking import check_cdrs

    with (
        opened(folder.settings()) as connection,
        progress_bar("making CDRs again", is_shown=not folder.json) as shown,
    ):
        found = check_cdrs(connection, party=party, told=shown)
    if folder.json:
        print_json(found)
    else:
        for each in found.problems:
            say(f"{each.party} {each.number} {each.cdr_id}: {each.problem}")
        say(f"{found.checked:,} CDRs made again, {len(found.problems):,} problems")
    return 1 if found.problems else 0


def _as_json(made: MadeCdr) -> dict[str, object]:
    return {
        "cdr_id": made.cdr_id,
        "kind": made.kind.value,
        "party": made.party,
        "number": made.number,
        "session_id": made.session_id,
        "revision": made.revision,
        "credits": made.credits,
        "legal_entity": made.legal_entity,
        "currency": made.currency,
        "net_minor": made.net_minor,
        "tax_minor": made.tax_minor,
        "energy_wh": made.energy_wh,
        "started_at": made.started_at,
        "ended_at": made.ended_at,
        "billing_month": made.billing_month,
        "made_at": made.made_at,
        "notes": made.notes,
        "sha256": made.sha256.hex(),
    }


def _kwh(energy_wh: Decimal) -> str:
    from tariffs.quantities import plain

    return f"{plain(energy_wh / 1000):f}"


def _money(minor: int, currency: str) -> str:
    from tariffs.currencies import currency_exponent
    from tariffs.quantities import minor_text

    return minor_text(minor, currency_exponent(currency))
