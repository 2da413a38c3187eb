"""`wattledger partner add|list|show`: with whom we exchange, and how it stands with each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say, shown
from deploy.running.opening import opened, opened_with_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.master_data.partners import Partner
    from ledger.partners.token_lists import TokenListState
    from ledger.partners.told_counts import ToldCount
    from roaming_ocpi.registration.overview import LinkChange, LinkStanding, ListRead
    from roaming_ocpi.relay.state import OutboxState
    from tariffs.kernel.priced import Note

Roles = Annotated[
    list[Literal["cpo", "emsp", "hub"]], Parameter(consume_multiple=True, negative=())
]
Versions = Annotated[
    list[Literal["2.1.1", "2.2.1", "2.3.0"]], Parameter(consume_multiple=True, negative=())
]
_DECLARED: Final = "declared"
"""The state of a partner with whom nothing was begun."""
_NOT_SENT_TO: Final = {
    "invited": "it has not registered; it goes out once it has",
    "revoked": "the link ended; it goes out once it is registered again",
    "paused": "it is paused; it goes out once it is resumed",
}
"""Why what waits for a partner does not go, by the state of its link."""
_LISTED: Final = {
    "partner": "left",
    "name": "left",
    "roles": "left",
    "as": "left",
    "state": "left",
    "OCPI": "left",
    "since": "left",
}
_MODULES: Final = {"module": "left", "its role": "left", "address": "left"}
_LACKING: Final = {"code": "left", "first at": "left", "times": "right", "why": "left"}
_TOLD: Final = {
    "what": "left",
    "there": "right",
    "at most": "right",
    "refused": "right",
    "last refused": "left",
}
_DEAD: Final = {
    "kind": "left",
    "id": "left",
    "session": "left",
    "tries": "right",
    "why": "left",
    "number": "right",
}
_NOTED: Final = {"code": "left", "of": "left", "messages": "right", "last at": "left"}
_LISTS: Final = {
    "list": "left", "read at": "left", "not taken": "right", "why the first was not": "left"
}  # fmt: skip
_CHANGES: Final = {"at": "left", "state": "left", "OCPI": "left", "by": "left", "why": "left"}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WayToPartner:
    """How a partner is reached, and what is spoken with it."""

    url: str | None = None
    """Where its versions are, if we go to it."""

    version: Versions | None = None
    """Versions of OCPI that may be spoken with it (default: all of ours)."""

    hub: str | None = None
    """The party of the hub through which it is reached."""

    plain_token: Annotated[bool, Parameter(negative=())] = False
    """It sends and takes tokens as they are where OCPI wants Base64."""


DIRECTLY: Final = WayToPartner()


def add(
    party: str,
    *,
    name: str,
    legal_entity: str,
    role: Roles,
    way: WayToPartner = DIRECTLY,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Declare a roaming partner; what else is agreed with it stands in YAML (apply).

    Args:
        party: Its country and party id, NL-TNM.
        name: What people call it.
        legal_entity: Which of ours has the contract; it has a party too.
        role: What it does: cpo has stations, emsp has drivers, hub passes on.
        way: How it is reached.
        by: Who declares (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.declared.changes import Change
    from ledger.declared.declarations import Kind
    from ledger.declared.store import load_declarations
    from ledger.desk.apply import declare_all
    from ledger.master_data.partners import Partner, PartnerRole

    now = SystemClock().now()
    partner = Partner(
        name=name,
        legal_entity=legal_entity,
        roles=tuple(PartnerRole(each) for each in dict.fromkeys(role)),
        versions_url=way.url,
        versions=tuple(dict.fromkeys(way.version or ())),
        hub=way.hub,
        plain_token=way.plain_token,
    )
    with opened_with_log(folder.settings(), is_new=True) as (connection, log):
        known = load_declarations(connection)
        if (before := known.partner(party, now)) is not None and before != partner:
            message = f"{party} is declared already: change it in its file, and `wattledger apply`"
            raise DeployError(message)
        change = Change(kind=Kind.PARTNER, key=party, entity=partner)
        made = declare_all(connection, [change], log=log, by=acting(by), at=now, known=known)
    if folder.json:
        print_json({"partner": party, "version": made})
    else:
        say(f"{party} is declared: `wattledger partner register {party}` comes next")
    return 0


def listed(*, folder: ReadingFolder = READ_FOLDER) -> int:
    """List the roaming partners, and how far the handshake with each is.

    Args:
        folder: Where.
    """
    from roaming_ocpi.registration.overview import standings

    with opened(folder.settings()) as connection:
        declared, links = _declared(connection), standings(connection)
    found = [
        {
            "partner": party,
            "name": partner.name if partner else None,
            "roles": list(partner.roles) if partner else [],
            "our_party": link.our_party if link else None,
            "state": link.state if link else _DECLARED,
            "version": link.version if link else None,
            "changed_at": link.changed_at if link else None,
        }
        for party in sorted({*declared, *links})
        for partner, link in [(declared.get(party), links.get(party))]
    ]
    if folder.json:
        print_json(found)
        return 0
    print_rows("Partners", _LISTED, [list(each.values()) for each in found])
    return 0


def show(party: str, *, folder: ReadingFolder = READ_FOLDER) -> int:
    """Show what is agreed with a partner, its link, its modules, and what changed.

    Args:
        party: The partner, NL-TNM.
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.partners.token_lists import token_list_state
    from ledger.partners.told_counts import told_counts
    from roaming_ocpi.registration.overview import changes_of, lists_read, standings
    from roaming_ocpi.relay.state import outbox_state

    with opened(folder.settings()) as connection:
        partner, link = _declared(connection).get(party), standings(connection).get(party)
        changes, outbox = changes_of(connection, party), outbox_state(connection, party)
        lists = lists_read(connection, party)
        lacking = _lacking(connection, party, link)
        tokens = token_list_state(connection, party)
        told = told_counts(connection, party, SystemClock().now())
    if partner is None and link is None:
        message = f"there is no partner {party}: `wattledger partner list` shows them"
        raise DeployError(message)
    if folder.json:
        print_json(
            {
                "partner": party,
                "agreed": partner,
                "link": link,
                "told": told,
                "tokens": _told(tokens),
                "outbox": outbox._asdict(),
                "changes": changes,
                "lists": lists,
                "lacking": lacking,
            }
        )
        return 0
    lines = [*_lines(party, partner, link), *_lines_of_tokens(tokens)]
    say(*lines, *_lines_of_outbox(outbox, link))
    if link is not None and link.endpoints:
        print_rows("Its modules", _MODULES, _modules(link))
    _print_outbox(outbox)
    if told:
        _print_told(told, folder.settings().roaming_bounds)
    _print_past(lists, changes)
    if lacking:
        print_rows("What it does not get of our places and prices", _LACKING, _grouped(lacking))
    return 0


def _print_outbox(outbox: OutboxState) -> None:
    """Print what the partner refused, and what was not as it should be of what it took."""
    if outbox.dead_letters:
        print_rows("What it refused (partner retry)", _DEAD, outbox.dead_letters)
    if outbox.noted:
        print_rows("What was not said, or answered oddly", _NOTED, outbox.noted)


def _print_past(lists: Sequence[ListRead], changes: Sequence[LinkChange]) -> None:
    """Print what came of reading its lists, and how the link changed."""
    if lists:
        rows = [(e.module, e.read_at, e.refused, e.trouble or "") for e in lists]
        print_rows("Its lists, as we read them last", _LISTS, rows)
    moves = [(e.at, e.state, e.version, e.by, e.why) for e in changes]
    print_rows("What changed, the latest first", _CHANGES, moves)


def _print_told(told: list[ToldCount], said: str) -> None:
    """Print how much it told, beside what it may tell."""
    from ledger.partners.bounds import read_bounds

    bounds = read_bounds(said)
    rows = [(e.bound, e.counted, bounds.most(e.bound), *e.refusals) for e in told]
    print_rows("What it told, and may (a day: of today)", _TOLD, rows)


def _declared(connection: Any) -> dict[str, Partner]:  # noqa: ANN401 - psycopg loads later
    """Return the partners that are declared."""
    from deploy.clock import SystemClock
    from ledger.declared.declarations import Kind
    from ledger.declared.store import load_declarations

    now, known = SystemClock().now(), load_declarations(connection)
    return {
        party: found
        for party in known.keys(Kind.PARTNER)
        if (found := known.partner(party, now)) is not None
    }


def _modules(link: LinkStanding) -> list[tuple[str, str | None, str]]:
    """Return the partner's modules; that of credentials is one for both roles."""
    roles = {"credentials": None}
    found = {
        (each.identifier, roles.get(each.identifier, each.role.lower()), each.url)
        for each in link.endpoints
    }
    return sorted(found, key=lambda each: (each[0], each[1] or ""))


def _lacking(connection: Any, party: str, link: LinkStanding | None) -> list[Note]:  # noqa: ANN401
    """Return what the partner does not get of our places and prices in the version spoken."""
    from deploy.clock import SystemClock
    from ledger.declared.store import load_declarations
    from roaming_ocpi.places.ours.shortfall import shortfall
    from tariffs.ocpi.versions import OcpiVersion

    spoken = OcpiVersion.V2_3_0 if link is None or link.version is None else link.version
    declared, now = load_declarations(connection), SystemClock().now()
    return list(shortfall(connection, declared, party, OcpiVersion(spoken), now))


def _grouped(lacking: list[Note]) -> list[tuple[str, str, int, str]]:
    """Return a row for each reason: where it was found first, and how often."""
    spots: dict[tuple[str, str], list[str]] = {}
    for note in lacking:
        spots.setdefault((note.code, note.message), []).append(note.spot or "")
    return [(code, found[0], len(found), why) for (code, why), found in spots.items()]


def _lines(party: str, partner: Partner | None, link: LinkStanding | None) -> list[str]:
    lines = [f"{party}: {partner.name if partner else 'declared no more: its token is nobody'}"]
    if partner is not None:
        spelt = "as they are" if partner.plain_token else "in Base64 (as they are in OCPI 2.1.1)"
        lines += [
            f"roles          {shown(partner.roles)}; with {partner.legal_entity}",
            f"versions       {shown(partner.versions or ('all of ours',))}",
            f"tokens go      {spelt}",
        ]
        lines += [f"through        {partner.hub}"] if partner.hub else []
    if link is None:
        how = f"`wattledger partner register {party}` begins"
        if partner is not None and partner.hub:
            how = f"the handshake is its hub's, `wattledger partner show {partner.hub}`"
        return [*lines, f"state          {_DECLARED}: {how}"]
    lines.append(f"state          {link.state}, since {shown(link.changed_at)}")
    if link.version is not None:
        lines += [
            f"OCPI           {link.version}, we are {link.our_party}",
            f"its versions   {link.versions_url}",
            f"it speaks for  {shown(link.parties[:20])}",
        ]
    if link.tokens:
        both = ": the older one holds until the new one is used" if link.tokens > 1 else ""
        lines.append(f"our tokens     {link.tokens}, made {shown(link.token_made_at)}{both}")
    if link.invited_until is not None:
        lines.append(f"invited until  {shown(link.invited_until)}")
    if link.is_locked:
        lines.append("its token cannot be opened (was `persons` restored?): register again")
    return lines


def _told(state: TokenListState | None) -> dict[str, object] | None:
    return None if state is None else state._asdict()


def _lines_of_tokens(state: TokenListState | None) -> list[str]:
    """Return how far its list of tokens is known; whom a refusal names, JSON says by subject."""
    if state is None:
        return []
    lines = [f"its tokens     known as of {shown(state.fresh_at)}"]
    if state.listed_at is not None:
        lines.append(
            f"last list      {shown(state.listed_at)}: {state.tokens} told, "
            f"{state.refused} refused, {state.gone} gone"
        )
    lines += [f"  refused      {each.spot}: {each.why}" for each in state.refusals[:5]]
    return [*lines, f"  last try     {state.problem}"] if state.problem else lines


def _lines_of_outbox(state: OutboxState, link: LinkStanding | None) -> list[str]:
    """Return what is on its way to the partner, and why it does not get there."""
    if not (state.waiting or state.dead or state.cdrs):
        return []
    came = ", ".join(f"{count} {word}" for word, count in sorted(state.cdrs.items()))
    lines = [
        f"its outbox     {state.waiting} waiting, {state.dead} refused; CDRs: {came or 'none'}"
    ]
    if state.waiting_since is not None:
        lines.append(f"  the oldest   since {shown(state.waiting_since)}")
        if link is not None and link.state in _NOT_SENT_TO:
            lines.append(f"  not sent     {_NOT_SENT_TO[link.state]}")
    if not state.failures:
        return lines
    again = f"{state.failures} times in a row ({state.reason}); again {shown(state.next_at)}"
    return [*lines, f"  not taken    {again}"]
