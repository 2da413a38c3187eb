"""What a partner fetches and what it is sent are the same bytes, and those were checked."""

from __future__ import annotations

import pytest

from ledger.database import connect
from roaming_ocpi.cdrs.made import MadeCdr
from roaming_ocpi.cdrs.telling.messages import CdrMessages
from roaming_ocpi.relay.messages import Prepared
from roaming_ocpi.relay.outcomes import AttemptOutcome
from roaming_ocpi.relay.outgoing import MessageKind, Outgoing
from tariffs.ocpi.versions import OcpiVersion
from tests.roaming_ocpi.cdrs.roaming_books import all_made, declare_depot
from tests.roaming_ocpi.cdrs.test_cdrs_told import asked, call, many
from tests.roaming_ocpi.client.odd_partner import link_to


@pytest.mark.parametrize("version", list(OcpiVersion))
def test_what_is_served_is_what_is_pushed_and_has_the_bytes_that_were_checked(
    database: str, version: OcpiVersion
) -> None:
    declare_depot(database)
    many(database, 3)
    every = all_made(database)
    link = link_to("http://127.0.0.1:1")._replace(version=version)
    messages = [message_of(number, each) for number, each in enumerate(every)]

    reply = asked(database, lambda sender: sender.list(call()._replace(version=version)))
    with connect(database) as connection:
        pushed = CdrMessages().make(connection, messages, link)

    assert reply.page is not None
    served = [bytes(each) for each in reply.page.objects]
    assert served == [_body(pushed[number]) for number in range(3)]
    for each, made in zip(served, every, strict=True):
        assert bytes(made.said.versions[version].written).strip(b"{}") in each


def message_of(number: int, made: MadeCdr) -> Outgoing:
    return Outgoing(
        id=number,
        party=made.party,
        kind=MessageKind.CDR,
        subject=made.cdr_id,
        lane=made.session_id,
        version=1,
        number=number,
        attempts=0,
        failures=0,
        is_again=False,
    )


def _body(prepared: Prepared | AttemptOutcome) -> bytes:
    assert isinstance(prepared, Prepared)
    return prepared.body
