"""What a payer contests is not taken from it while nobody has decided about that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger.facts.flags import Flag
from ledger.payments.collecting.collecting import collect_now
from ledger.payments.movement import STRIPE
from tests.ledger.payments.collecting.payers import Payers
from tests.ledger.payments.paper_provider import PaperProvider

_CONTESTED = """
INSERT INTO session (session_id, partition, station_id, transaction_ref, state, flags, blockers,
    reasons, first_fact_at, last_fact_at, heard_at)
VALUES (%s, 0, 'ST-1', '1', 'rated', %s, '{}', '{}', now(), now(), now())
"""


@pytest.fixture
def street(database: str) -> Iterator[Payers]:
    made = Payers(database, PaperProvider())
    made.method()
    made.run()
    yield made
    made.close()


def test_it_is_collected_once_that_is_decided(street: Payers) -> None:
    contested, other = street.bill(), street.bill()
    [session] = street.rated[contested]
    street.connection.execute(_CONTESTED, (session.session_id, [Flag.DISPUTED]))

    street.run(hours=1)

    assert street.collection(contested) == ("waiting", "")
    assert (street.open_minor(contested), street.open_minor(other)) == (476, 0)
    street.connection.execute("UPDATE session SET flags = '{}'")
    street.run(hours=1)
    assert street.open_minor(contested) == 0


def test_a_person_may_have_it_collected_all_the_same(street: Payers) -> None:
    contested = street.bill()
    [session] = street.rated[contested]
    street.connection.execute(_CONTESTED, (session.session_id, [Flag.DISPUTED]))

    collect_now(street.connection, STRIPE, contested, by="eve", now=street.now)
    street.run()

    assert street.open_minor(contested) == 0
