"""A partner's own list of its CDRs, asked for page by page, as a list to compare with.

Source: OCPI 2.2.1, mod_cdrs, GET of the sender's interface. It lists by `last_updated`, and no CDR
was updated before its session ended: from a moment on, all that ended since then are listed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from ledger.partners.party import BadPartyError, party_named
from roaming_ocpi.client.asking import PartnerClient
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.registration.link import Link
from roaming_ocpi.settlement.completeness.list_files import LineProblems
from roaming_ocpi.settlement.completeness.listed_cdr import (
    ListedCdr,
    UnfitRowError,
    listed_cdr,
    moment_text,
)
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.kernel.priced import Note
from tariffs.ocpi.costs_reader import stated_of
from tariffs.ocpi.documents import OcpiError
from tariffs.ocpi.fields import JsonFields
from tariffs.quantities import EXACT

Numbered = Sequence[tuple[int, ListedCdr]]


async def pulled_cdrs(
    client: PartnerClient, link: Link, since: datetime, problems: LineProblems
) -> AsyncIterator[Numbered]:
    """Yield the CDRs that the partner of *link* lists since then, page by page, numbered from 1.

    Raises:
        NoListOfCdrsError: If it offers none.
        As `PartnerClient.pages`.
    """
    url = link.endpoints.get((ModuleId.CDRS, InterfaceRole.SENDER))
    if url is None:
        raise NoListOfCdrsError(link.partner)
    number = 0
    query = {"date_from": moment_text(since.astimezone(UTC))}
    async for page in client.pages(link, url, query=query):
        found: list[tuple[int, ListedCdr]] = []
        for each in page:
            number += 1
            try:
                found.append((number, pulled_cdr(each, link.partner)))
            except (UnfitRowError, OcpiError, BadPartyError) as error:
                problems.add(number, str(error))
        yield found


def pulled_cdr(tree: object, partner: str) -> ListedCdr:
    """Return what a CDR of any version says of itself; older ones do not name their party.

    Raises:
        UnfitRowError, OcpiError, BadPartyError: If it says nothing that can be compared.
    """
    notes: list[Note] = []
    fields = JsonFields(tree, "", notes)
    country, party_id = fields.text("country_code"), fields.text("party_id")
    is_credit = fields.get("credit") is True
    # An energy below 0 is compared as one above: some senders of credits negate all of it.
    stated = stated_of(fields, takes_back=True)
    cost = stated.total_cost
    net = cost.before_taxes if cost else None
    after = cost.after_taxes if cost else None
    end = "end_date_time" if fields.has("end_date_time") else "stop_date_time"
    started, ended = fields.moment("start_date_time"), fields.required_moment(end)
    said: dict[str, Any] = {
        "issuer": party_named(country, party_id) if country and party_id else partner,
        "cdr_id": fields.text("id"),
        "kind": "credit" if is_credit else "cdr",
        "credits": fields.text("credit_reference_id") if is_credit else None,
        "session_ref": fields.text("session_id"),
        "currency": fields.text("currency"),
        "energy_kwh": stated.total_energy,
        "net": net,
        "tax": None if net is None or after is None else EXACT.subtract(after, net),
        "started_at": None if started is None else moment_text(started),
        "ended_at": moment_text(ended),
    }
    return listed_cdr(said)


class NoListOfCdrsError(RoamingError):
    """A partner offers no list of its CDRs."""

    def __init__(self, partner: str) -> None:
        super().__init__(
            f"{partner} offers no list of CDRs, or no link with it stands (`wattledger partner "
            "show`): ask it for a file, and name that with --theirs"
        )
        self.partner = partner
