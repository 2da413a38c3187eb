"""Who owes a session, by what is declared of its token and its customer."""

from __future__ import annotations

import pytest

from ledger.declared.declarations import BEGINNING, Kind
from ledger.master_data.customers import Invoicing
from ledger.master_data.tokens import Token, TokenKind
from ledger.rating.decide import release
from ledger.rating.decisions import Payer, PayerKind, SessionRated
from tests.depot import declared, moment_of, session

CARD = "card-7"
ROAMING = TokenKind.ROAMING
MONTHLY, EACH = Invoicing.PER_MONTH, Invoicing.PER_SESSION


def owed_by_partner(party: str, customer: str | None = None) -> Payer:
    invoicing = MONTHLY if customer else None
    return Payer(kind=PayerKind.PARTNER, party=party, customer=customer, invoicing=invoicing)


@pytest.mark.parametrize(
    ("token", "payer"),
    [
        pytest.param(
            Token(customer="fleet"),
            Payer(kind=PayerKind.CUSTOMER, party="fleet", customer="fleet", invoicing=MONTHLY),
            id="its customer",
        ),
        pytest.param(
            Token(customer="ghost"),
            Payer(kind=PayerKind.BEARER, party=CARD, customer=None, invoicing=EACH),
            id="a customer whom nobody declared: the bearer",
        ),
        pytest.param(
            Token(),
            Payer(kind=PayerKind.BEARER, party=CARD, customer=None, invoicing=EACH),
            id="no customer: the bearer",
        ),
        pytest.param(
            Token(kind=ROAMING, partner="NL-TNM"), owed_by_partner("NL-TNM"), id="its partner"
        ),
        pytest.param(
            Token(kind=ROAMING, partner="NL-TNM", customer="fleet"),
            owed_by_partner("NL-TNM", "fleet"),
            id="its partner, whose customer is invoiced",
        ),
        pytest.param(
            Token(kind=ROAMING, partner="NL-TNM", customer="ghost"),
            owed_by_partner("NL-TNM"),
            id="its partner, whose customer nobody declared",
        ),
        pytest.param(
            Token(kind=ROAMING, customer="fleet"),
            owed_by_partner("fleet", "fleet"),
            id="a customer in a partner's place",
        ),
        pytest.param(Token(kind=ROAMING), owed_by_partner(CARD), id="nobody known: the token"),
    ],
)
def test_who_owes_a_session_that_a_person_releases(token: Token, payer: Payer) -> None:
    charging = session(token_uid=CARD)
    known = declared((Kind.TOKEN, CARD, token, BEGINNING))

    decision = release(charging, known, moment=moment_of(charging), by="mia", reason="known")

    assert isinstance(decision, SessionRated)
    assert decision.payer == payer
