"""CDRs as partners get them: in their version, their own drivers' alone, in pages that stand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.database import connect, connect_options
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Kind
from ledger.declared.store import declare
from ledger.facts.station_facts import ReadingContext, SessionEnded, SignedReading
from ledger.facts.stored import pack_facts
from ledger.log.authorization import Authorization
from ledger.master_data.partners import OldCorrections
from ledger.master_data.tariff_versions import published
from ledger.master_data.tokens import Token, TokenKind
from ledger.partners.tokens import PartnerToken, Whitelist, add_partner_tokens
from ledger.persons.holders import token_holder
from ledger.persons.store import erase, find_or_make
from roaming_ocpi.cdrs.made import MadeCdr, freeze
from roaming_ocpi.cdrs.maker import CdrMaker
from roaming_ocpi.cdrs.telling.disclosure import disclosed, disclosures
from roaming_ocpi.cdrs.telling.excerpt import excerpt_of
from roaming_ocpi.cdrs.telling.sender import CdrSender
from roaming_ocpi.cdrs.telling.wire import CdrNotSaidError, is_said, wire_cdr
from roaming_ocpi.server.calls import Caller, OcpiRefusedError, PageAsked, PartnerCall, Reply
from tariffs.model.tariff import Dimension
from tariffs.ocpi.cdr_reader import ocpi_cdr_of
from tariffs.ocpi.documents import decode_json
from tariffs.ocpi.versions import OcpiVersion
from tests.depot import component, session, tariff
from tests.roaming_ocpi.cdrs.rated_for_partner import GUEST, PARTNER, roaming_depot
from tests.roaming_ocpi.cdrs.roaming_books import (
    LATER,
    all_made,
    corrected_as,
    decide_all,
    declare_depot,
    declare_partner,
    follow,
    rated_as,
)

UID, CONTRACT = "04A2B3C4D5E6F7", "NL-TNM-C12345678-X"
NEWER = [OcpiVersion.V2_2_1, OcpiVersion.V2_3_0]
EVERY = frozenset({"NL-TNM"})


def told_session(dsn: str) -> MadeCdr:
    """Return the CDR of a session with a token that its partner told us of."""
    with connect(dsn) as connection:
        token = PartnerToken(UID, CONTRACT, True, Whitelist.ALWAYS)
        add_partner_tokens(connection, "NL-TNM", [token], at=LATER)
        holder = token_holder(UID)
        assert holder is not None
        [subject] = find_or_make(connection, [holder]).values()
        [(contract,)] = connection.execute("SELECT contract FROM partner_token").fetchall()
    found = Authorization(
        subject=subject.id,
        by="partner",
        status="accepted",
        party="NL-TNM",
        contract=contract,
        asked="answered",
        reference="ref-7",
    )
    charging = replace(session(token_uid=subject.id), authorization=found)
    decide_all(dsn, rated_as(charging))
    follow(dsn)
    [made] = all_made(dsn)
    return made


def told(dsn: str, made: MadeCdr, version: OcpiVersion) -> dict[str, Any]:
    """Return the JSON of a CDR, as it is read."""
    with connect(dsn) as connection:
        keys = disclosed(connection, [excerpt_of(made)])
    written, _ = wire_cdr(excerpt_of(made), version, keys[made.cdr_id])
    read: dict[str, Any] = decode_json(written)
    return read


@pytest.fixture
def dsn(database: str) -> str:
    """Books of the depot whose partner is declared."""
    declare_depot(database)
    return database


@pytest.mark.parametrize("version", NEWER)
def test_a_cdr_names_its_driver_to_its_partner_and_no_table_of_ours_does(
    dsn: str, version: OcpiVersion
) -> None:
    made = told_session(dsn)

    cdr = told(dsn, made, version)

    assert cdr["cdr_token"] == {
        "country_code": "NL",
        "party_id": "TNM",
        "uid": UID,
        "type": "RFID",
        "contract_id": CONTRACT,
    }
    assert (cdr["auth_method"], cdr["authorization_reference"]) == ("AUTH_REQUEST", "ref-7")
    assert (cdr["country_code"], cdr["party_id"]) == ("DE", "HBC")
    assert cdr["last_updated"] == "2026-12-01T00:00:00Z"
    assert UID.encode() not in made.body
    assert CONTRACT.encode() not in made.body
    read = ocpi_cdr_of(cdr, version=version)
    assert read.notes == ()
    assert read.cdr.stated.total_cost is not None
    assert read.cdr.stated.total_cost.before_taxes == Decimal(4)


def test_the_oldest_version_has_its_own_words_for_token_and_place(dsn: str) -> None:
    made = told_session(dsn)

    cdr = told(dsn, made, OcpiVersion.V2_1_1)

    assert cdr["auth_id"] == CONTRACT
    assert cdr["total_cost"] == 4
    assert cdr["location"]["evses"][0]["uid"] == made.said.place.evse_uid
    assert "cdr_token" not in cdr
    assert ocpi_cdr_of(cdr, version=OcpiVersion.V2_1_1).notes == ()


def test_who_was_erased_is_told_by_a_stand_in(dsn: str) -> None:
    made = told_session(dsn)
    with connect(dsn) as connection:
        erase(connection, [made.said.token or ""])
        keys = disclosed(connection, [excerpt_of(made)])[made.cdr_id]

    written, lost = wire_cdr(excerpt_of(made), OcpiVersion.V2_3_0, keys)

    assert decode_json(written)["cdr_token"]["uid"] == made.said.token
    assert "person_erased" in lost


@pytest.mark.parametrize("version", NEWER)
def test_a_credit_is_the_original_with_its_total_taken_back(dsn: str, version: OcpiVersion) -> None:
    was = rated_as(session(token_uid=GUEST))
    now = corrected_as(was, rated_as(session(token_uid=GUEST, energy_wh="12000")))
    decide_all(dsn, was, now)
    follow(dsn)
    first, credit, _ = all_made(dsn)

    original, taken_back = told(dsn, first, version), told(dsn, credit, version)

    changed = {key for key in taken_back if original.get(key) != taken_back[key]}
    assert changed == {"id", "total_cost", "credit", "credit_reference_id"}
    assert taken_back["credit_reference_id"] == original["id"]
    before = "before_taxes" if version is OcpiVersion.V2_3_0 else "excl_vat"
    assert taken_back["total_cost"][before] == -original["total_cost"][before] == -4


@pytest.mark.parametrize("policy", list(OldCorrections))
def test_corrections_in_the_oldest_version_go_by_the_partners_terms(
    database: str, policy: OldCorrections
) -> None:
    declare_depot(database, replace(PARTNER, old_corrections=policy))
    was = rated_as(session(token_uid=GUEST))
    now = corrected_as(was, rated_as(session(token_uid=GUEST, energy_wh="12000")))
    decide_all(database, was, now)
    follow(database)
    first, credit, second = all_made(database)

    said = [is_said(excerpt_of(each), OcpiVersion.V2_1_1) for each in (first, credit, second)]

    if policy is OldCorrections.STATEMENT:
        assert said == [True, False, False]
        with pytest.raises(CdrNotSaidError, match="stand on the statement"):
            told(database, credit, OcpiVersion.V2_1_1)
    else:
        assert said == [True, True, True]
        taken_back = told(database, credit, OcpiVersion.V2_1_1)
        assert (taken_back["total_cost"], taken_back["remark"]) == (
            -4,
            f"Takes back CDR {first.cdr_id}",
        )
        instead = told(database, second, OcpiVersion.V2_1_1)
        assert instead["remark"] == f"In place of CDR {first.cdr_id}"


def test_a_cdr_stays_what_it_was_when_the_tariff_is_another(dsn: str) -> None:
    """Fault 22 of peers: a CDR was reckoned anew, by the tariff of the day, at every GET."""
    made = told_session(dsn)
    before = {version: told(dsn, made, version) for version in OcpiVersion}
    dearer = published(tariff("energy", component(Dimension.ENERGY, "9.99")))
    change = Change(kind=Kind.TARIFF, key="energy", entity=dearer, valid_from=BEGINNING)
    with connect(dsn) as connection:
        declare(connection, [change], by="test", at=LATER)
    follow(dsn)

    [still] = all_made(dsn)
    assert {version: told(dsn, still, version) for version in OcpiVersion} == before


def test_signed_readings_of_the_session_go_with_it_exactly_as_they_came(dsn: str) -> None:
    text = 'OCMF|{"FV":"1.0","MS":"EMH-7","RD":[]}|{"SD":"3045"}'
    made = told_session(dsn)
    body = replace(made.said, signed=1)
    frozen = freeze(body)
    signed = replace(made, body=frozen.body, sha256=frozen.sha256)
    within, before = made.started_at, made.started_at - timedelta(seconds=1)
    fact = SessionEnded(
        station_id="ST-1",
        position=1,
        line=1,
        received_at=LATER,
        transaction_ref="1",
        evse_id=1,
        connector_id=1,
        token_uid=None,
        occurred_at=made.ended_at,
        signed=(
            SignedReading(within, ReadingContext.BEGIN, text),
            SignedReading(before, ReadingContext.END, "of another session"),
        ),
    )

    told_one = excerpt_of(signed)
    keys = disclosures([told_one], [], [(made.session_id, pack_facts([fact]))])[made.cdr_id]
    written, _ = wire_cdr(told_one, OcpiVersion.V2_2_1, keys)

    assert decode_json(written)["signed_data"] == {
        "encoding_method": "OCMF",
        "signed_values": [
            {
                "nature": "Start",
                "plain_data": '{"FV":"1.0","MS":"EMH-7","RD":[]}',
                "signed_data": text,
            }
        ],
    }
    assert decode_json(written)["meter_id"] == "EMH-7"
    assert text.encode() not in signed.body


# The module: pages and whose a CDR is.


def call(
    parties: frozenset[str] = EVERY,
    *,
    page: PageAsked | None = None,
    query: dict[str, str] | None = None,
    cdr_id: str = "",
) -> PartnerCall:
    """Return a request of a partner."""
    return PartnerCall(
        caller=Caller(min(parties), parties, "DE-HBC"),
        version=OcpiVersion.V2_2_1,
        path={"cdr_id": cdr_id},
        query=query or {},
        body=None,
        text="",
        now=LATER,
        page=page,
    )


@asynccontextmanager
async def opened_sender(dsn: str) -> AsyncIterator[CdrSender]:
    """Open the module over a pool as the product has it."""
    given = {"options": connect_options(dsn), "autocommit": True}
    async with AsyncConnectionPool[AsyncConnection[Any]](
        dsn, kwargs=given, min_size=1, open=False
    ) as pool:
        yield CdrSender(pool)


def asked(dsn: str, work: Callable[[CdrSender], Coroutine[Any, Any, Reply]]) -> Reply:
    """Return what the module answers."""

    async def run() -> Reply:
        async with opened_sender(dsn) as sender:
            return await work(sender)

    return asyncio.run(run())


def many(dsn: str, count: int, *, first: int = 1, at: datetime = LATER, token: str = GUEST) -> None:
    """Make CDRs of some sessions."""
    more = ((Kind.TOKEN, "other-1", Token(kind=TokenKind.ROAMING, partner="FR-XYZ"), BEGINNING),)
    declarations = roaming_depot(None, *more)
    ratings = [
        rated_as(session(n, token_uid=token), declarations, position=n)
        for n in range(first, first + count)
    ]
    decide_all(dsn, *ratings)
    follow(dsn, CdrMaker(lambda: at))


def ids(reply: Reply) -> list[str]:
    assert reply.page is not None
    return [decode_json(bytes(each))["id"] for each in reply.page.objects]


def test_pages_lead_on_to_all_and_stay_as_they_were_while_the_list_grows(dsn: str) -> None:
    many(dsn, 7)
    seen: list[str] = []
    query: dict[str, str] | None = {}
    grown = 0
    while query is not None:
        given = query
        page = PageAsked(int(given.get("offset", 0)), 3)
        reply = asked(dsn, lambda s, p=page, q=given: s.list(call(page=p, query=q)))  # type: ignore[misc]
        assert reply.page is not None
        assert reply.page.total == 7 + grown
        seen += ids(reply)
        query = dict(reply.page.next_query) if reply.page.next_query else None
        if not grown:
            many(dsn, 1, first=100, at=LATER + timedelta(days=1))
            grown = 1

    assert seen == [each.cdr_id for each in all_made(dsn)]
    assert len(seen) == 8


def test_an_offset_alone_leads_to_the_same_page(dsn: str) -> None:
    many(dsn, 5)

    reply = asked(dsn, lambda sender: sender.list(call(page=PageAsked(3, 10))))

    assert ids(reply) == [each.cdr_id for each in all_made(dsn)][3:]


def test_moments_bound_the_list_the_first_within_the_last_without(dsn: str) -> None:
    for day in range(4):
        many(dsn, 1, first=day + 1, at=LATER + timedelta(days=day))
    made = [each.cdr_id for each in all_made(dsn)]
    page = PageAsked(0, 10, LATER + timedelta(days=1), LATER + timedelta(days=3))

    reply = asked(dsn, lambda sender: sender.list(call(page=page)))

    assert ids(reply) == made[1:3]
    assert reply.page is not None
    assert reply.page.total == 2


def test_a_partner_gets_no_cdr_of_another_partner_s_driver(dsn: str) -> None:
    """Fault 11 of peers: every CDR was pushed and served to every partner."""
    declare_partner(dsn, PARTNER, "FR-XYZ")
    many(dsn, 3)
    many(dsn, 2, first=50, token="other-1")
    theirs = [each.cdr_id for each in all_made(dsn) if each.party == "FR-XYZ"]
    ours = [each.cdr_id for each in all_made(dsn) if each.party == "NL-TNM"]

    own = asked(dsn, lambda sender: sender.list(call()))
    hub = asked(dsn, lambda sender: sender.list(call(frozenset({"FR-XYZ", "NL-TNM"}))))

    assert ids(own) == ours
    assert ids(hub) == theirs + ours
    with pytest.raises(OcpiRefusedError) as refused:
        asked(dsn, lambda sender: sender.get(call(cdr_id=theirs[0])))
    assert refused.value.http == 404
    one = asked(dsn, lambda sender: sender.get(call(cdr_id=ours[0].upper())))
    assert decode_json(bytes(one.data))["id"] == ours[0]


@pytest.mark.parametrize("cdr_id", ["", "nobody", "a\0b", "\ud800", "%", "x" * 5000])
def test_what_is_not_there_is_said_so_however_it_is_asked_for(dsn: str, cdr_id: str) -> None:
    with pytest.raises(OcpiRefusedError):
        asked(dsn, lambda sender: sender.get(call(cdr_id=cdr_id)))


@pytest.mark.parametrize("after", ["", "NL-TNM", "NL-TNM:-1", "nl-tnm:1", "NL-TNM:1;--", "\0"])
def test_a_cursor_that_is_none_of_ours_is_refused(dsn: str, after: str) -> None:
    with pytest.raises(OcpiRefusedError, match="link to the next page"):
        asked(dsn, lambda s: s.list(call(page=PageAsked(0, 10), query={"after": after})))


def test_dates_at_the_ends_of_time_find_what_there_is(dsn: str) -> None:
    many(dsn, 1)
    page = PageAsked(0, 10, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))

    assert len(ids(asked(dsn, lambda sender: sender.list(call(page=page))))) == 1
