"""What an agreed settlement posts.

| what | debit | credit |
|---|---|---|
| our CDRs to the partner | PARTNER_RECEIVABLE, gross | PARTNER_UNBILLED, as sessions posted |
| | EXPECTED_TAX, what their sessions expected | its tax; PARTNER_FEES; PARTNER_REVENUE, the rest |
| the partner's CDRs to us | ROAMING_COST, net; input tax | PARTNER_PAYABLE, gross |
| | input tax of reverse charge | VAT of reverse charge |
| netted | PARTNER_PAYABLE, the smaller of the two | PARTNER_RECEIVABLE |

The rest is what CDRs say beyond the rating: a mark-up, and what a sum is rounded by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import Connection

from ledger.books.accounts import EXPECTED_TAX, PARTNER_RECEIVABLE, PARTNER_UNBILLED
from ledger.books.journal import JournalEntry, Posting
from ledger.settlements.netting import minor_net, tax_minor
from ledger.settlements.statement import LineCode, Settlement, SettlementSide
from tariffs.quantities import plain

PARTNER_PAYABLE: Final = "payable:partner:roaming"
PARTNER_FEES: Final = "revenue:partner:fees"
PARTNER_REVENUE: Final = "revenue:partner:mark_up"
ROAMING_COST: Final = "cost:roaming"

# A credit takes back the rating that its CDR was made of.
_POSTED: LiteralString = """
SELECT leg.account, leg.party, sum(leg.amount)::bigint
FROM settled_cdr AS settled
JOIN roaming_cdr AS cdr ON cdr.cdr_id = settled.cdr_id
LEFT JOIN roaming_cdr AS was ON was.cdr_id = cdr.credits
JOIN journal_entry AS entry ON entry.entry_id = CASE cdr.kind
    WHEN 'cdr' THEN 'rated:' || cdr.session_id
        || CASE WHEN cdr.revision > 1 THEN '/' || cdr.revision ELSE '' END
    ELSE 'reversed:' || was.session_id
        || CASE WHEN was.revision > 1 THEN '/' || was.revision ELSE '' END
END
CROSS JOIN unnest(entry.accounts, entry.parties, entry.currencies, entry.amounts)
    AS leg (account, party, currency, amount)
WHERE settled.number = %(number)s AND settled.side = 'sent' AND leg.currency = %(currency)s
  AND leg.account IN ('receivable:partner:unbilled', 'expected_tax')
GROUP BY leg.account, leg.party ORDER BY leg.account, leg.party
"""


class PostedBefore(NamedTuple):
    """What the ratings of settled sessions posted: unbilled by party, and expected tax."""

    unbilled_minor: Mapping[str, int]
    expected_tax_minor: int = 0


def posted_before(connection: Connection[Any], number: str, currency: str) -> PostedBefore:
    """Return what was posted for the CDRs that stand in settlement *number*."""
    unbilled, expected = dict[str, int](), 0
    asked = {"number": number, "currency": currency}
    for account, party, minor in connection.execute(_POSTED, asked):
        if account == PARTNER_UNBILLED:
            unbilled[party] = minor
        else:
            expected += minor
    return PostedBefore(unbilled, expected)


def settlement_entries(
    number: str,
    settlement: Settlement,
    before: PostedBefore,
    *,
    country: str,
    booked_at: datetime,
    period: str,
) -> tuple[JournalEntry, ...]:
    """Return what settlement *number* posts: nothing where it moves no money.

    Args:
        number: Its number.
        settlement: What was agreed.
        before: What its sessions posted.
        country: The legal entity's, whose tax it is.
        booked_at: When it was agreed.
        period: The month in whose books it stands.
    """
    terms = settlement.terms
    sent, received = settlement.sent.gross_minor, settlement.received.gross_minor
    nets = max(min(sent, received), 0)
    wanted = (
        (f"settlement:{number}", _sent(settlement, before, country)),
        (f"settlement_received:{number}", _received(settlement, country)),
        (
            f"settlement_netted:{number}",
            [(PARTNER_PAYABLE, terms.party, nets), (PARTNER_RECEIVABLE, terms.party, -nets)],
        ),
    )
    return tuple(
        JournalEntry(
            entry_id=cause,
            legal_entity=terms.legal_entity,
            booked_at=booked_at,
            original_period=terms.month,
            period=period,
            postings=postings,
        )
        for cause, legs in wanted
        if (postings := _postings(legs, terms.currency))
    )


_Leg = tuple[str, str, int]


def _sent(settlement: Settlement, before: PostedBefore, country: str) -> list[_Leg]:
    side, party = settlement.sent, settlement.terms.party
    fees = minor_net(side, LineCode.FEES, settlement.terms.currency)
    legs = [
        (PARTNER_RECEIVABLE, party, side.gross_minor),
        *((PARTNER_UNBILLED, each, -minor) for each, minor in before.unbilled_minor.items()),
        (EXPECTED_TAX, "", -before.expected_tax_minor),
        *((account, "", -minor) for account, minor in _taxes(settlement, side, "vat", country)),
        (PARTNER_FEES, "", -fees),
    ]
    return [*legs, (PARTNER_REVENUE, "", -sum(minor for _, _, minor in legs))]


def _received(settlement: Settlement, country: str) -> list[_Leg]:
    side, party = settlement.received, settlement.terms.party
    return [
        (ROAMING_COST, "", side.net_minor),
        *((name, "", minor) for name, minor in _taxes(settlement, side, "input_tax", country)),
        *_reverse_charge(settlement, country),
        (PARTNER_PAYABLE, party, -side.gross_minor),
    ]


def _reverse_charge(settlement: Settlement, country: str) -> Iterator[_Leg]:
    """Yield the VAT that we owe in the partner's place, and deduct: it moves nothing that is due.

    Source: Directive 2006/112/EC, art. 168 (a) with 195 and 196 (Union): who buys from abroad owes
    the VAT where it is due, and deducts it as far as it may; here all, for it is sold on.
    """
    percent = settlement.terms.reverse_charge_percent
    if percent is not None:
        owed = tax_minor(settlement.received.net_minor, percent)
        rate = f"{country}:{plain(percent):f}:reverse_charge"
        yield f"input_tax:{rate}", "", owed
        yield f"vat:{rate}", "", -owed


def _taxes(
    settlement: Settlement, side: SettlementSide, kind: str, country: str
) -> Iterator[tuple[str, int]]:
    """Yield the account of each rate, and its tax."""
    percent = settlement.terms.vat_percent
    if side.taxes is msgspec.UNSET:
        rate = "none" if percent is None else f"{plain(percent):f}"
        yield f"{kind}:{country}:{rate}", side.tax_minor
        return
    for each in side.taxes:
        rate = "none" if each.percent is None else f"{plain(each.percent):f}"
        yield f"{kind}:{each.country or country}:{rate}", each.tax_minor


def _postings(legs: Iterable[_Leg], currency: str) -> tuple[Posting, ...]:
    return tuple(
        Posting(account=account, party=party, currency=currency, amount_minor=minor)
        for account, party, minor in legs
        if minor
    )
