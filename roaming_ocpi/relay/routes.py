"""Over which link each party is reached: its own, or that of the hub it is declared behind."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from ledger.declared.declarations import Declarations, Kind
from roaming_ocpi.registration.link import Link, LinkState


def routes_of(
    links: Sequence[Link],
    declared: Declarations,
    now: datetime,
    away: Collection[tuple[str, str]] = (),
) -> Mapping[str, Link]:
    """Return by party the link over which it is sent to *now*; who is paused has none.

    Who has a link of its own is reached by that. What goes through a hub names the party; where the
    hub told that the party is *away* (hub, party), what is for it waits.
    """
    open_links = {each.partner: each for each in links if each.state is LinkState.REGISTERED}
    routes = dict(open_links)
    known = {each.partner for each in links}
    for party in declared.keys(Kind.PARTNER):
        partner = declared.partner(party, now)
        if partner is None or partner.hub not in open_links or party in known:
            continue
        if (partner.hub, party) not in away:
            routes[party] = open_links[partner.hub]._replace(partner=party)
    return routes
