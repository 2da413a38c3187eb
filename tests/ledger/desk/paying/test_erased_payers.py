"""An erased customer is charged no more, on a real PostgreSQL: nobody is left who agrees."""

from __future__ import annotations

from contextlib import closing

from ledger.desk.forgetting.erasure import erase_person, find_person
from ledger.persons.holders import customer_holder
from ledger.persons.store import find_or_make
from tests.ledger.payments.collecting.payers import Payers
from tests.ledger.payments.paper_provider import PaperProvider


def test_an_erased_customer_is_charged_no_more(database: str) -> None:
    paper = PaperProvider()
    with closing(Payers(database, paper)) as payers:
        holder = customer_holder("k-1")
        made = find_or_make(payers.connection, [holder])
        ada = made[holder.kind, holder.name].id
        payers.take_in(ada)
        for name, customer in {"ada": ada, "anna": "anna"}.items():
            payers.method(customer, f"pm_{name}")
            payers.method(customer, f"pm_second_{name}")
        payers.run()
        paid = payers.bill(ada)
        payers.run()
        erase_person(payers.connection, find_person(payers.connection, "k-1"))
        unpaid, others = payers.bill(ada), payers.bill("anna")
        payers.run(days=1)

        assert payers.open_minor(paid) == payers.open_minor(others) == 0
        assert payers.open_minor(unpaid) == 476
        assert payers.collection(unpaid) == ("no_method", "")
