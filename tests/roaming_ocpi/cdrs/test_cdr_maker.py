"""Makers of CDRs: each decision once, corrections as credits, and nobody's odd data in the way."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from msgspec.structs import replace

from ledger.books.feed import FeedEntry, read_feed
from ledger.database import connect
from ledger.declared.declarations import BEGINNING, Kind
from ledger.master_data.customers import Customer, Invoicing
from ledger.master_data.tokens import Token, TokenKind
from ledger.rating.decisions import CorrectionCause, Release
from ledger.rating.entitlements import NO_ENTITLEMENTS
from ledger.rating.reconciling.giving_back import give_back
from roaming_ocpi.cdrs.made import CdrKind, CdrNote, MadeCdr
from roaming_ocpi.cdrs.maker import CdrMaker
from roaming_ocpi.cdrs.store import RefusedCdr, add_cdrs, refuse, refused_cdrs
from tests.depot import NOON, session
from tests.roaming_ocpi.cdrs.rated_for_partner import GUEST, PARTNER, roaming_depot
from tests.roaming_ocpi.cdrs.roaming_books import (
    LATER,
    all_made,
    ask_books,
    corrected_as,
    decide_all,
    declare_depot,
    declare_partner,
    follow,
    rated_as,
)

OTHER = (
    (Kind.TOKEN, "other-1", Token(kind=TokenKind.ROAMING, partner="FR-XYZ"), BEGINNING),
    (Kind.PARTNER, "FR-XYZ", PARTNER, BEGINNING),
)


@pytest.fixture
def dsn(database: str) -> str:
    """Books of the depot whose partner is declared."""
    declare_depot(database)
    return database


def briefly(made: MadeCdr) -> tuple[object, ...]:
    return made.party, made.number, made.kind, made.revision, made.net_minor, made.tax_minor


def test_what_a_partner_owes_is_made_once_whatever_is_followed_again(dsn: str) -> None:
    decide_all(dsn, *(rated_as(session(n, token_uid=GUEST), position=n) for n in (1, 2)))

    follow(dsn)
    first = all_made(dsn)
    ask_books(dsn, "UPDATE follower_position SET next_number = 1 RETURNING follower")
    follow(dsn)

    assert all_made(dsn) == first
    assert [briefly(each) for each in first] == [
        ("NL-TNM", 1, "cdr", 1, 400, 76),
        ("NL-TNM", 2, "cdr", 1, 400, 76),
    ]
    assert {each.made_at for each in first} == {LATER}
    assert {each.energy_wh for each in first} == {Decimal(10_000)}


def test_customers_and_who_gets_an_invoice_get_no_cdr(dsn: str) -> None:
    """A partner that is invoiced for the session would pay it twice."""
    buyer = Customer(details="NL Mobility", invoicing=Invoicing.PER_MONTH)
    declarations = roaming_depot(
        None,
        (Kind.CUSTOMER, "tnm", buyer, BEGINNING),
        (Kind.TOKEN, GUEST, Token(kind=TokenKind.ROAMING, customer="tnm"), BEGINNING),
    )
    own = rated_as(session(1), position=1)
    invoiced = rated_as(session(2, token_uid=GUEST), declarations, position=2)
    decide_all(dsn, own, invoiced)

    follow(dsn)

    assert own.partner_share is None
    assert invoiced.partner_share is None
    assert all_made(dsn) == []


def test_a_correction_takes_the_cdr_back_and_puts_another_in_its_place(dsn: str) -> None:
    was = rated_as(session(token_uid=GUEST))
    now = corrected_as(was, rated_as(session(token_uid=GUEST, energy_wh="12000")))
    decide_all(dsn, was, now)

    follow(dsn)

    first, credit, second = all_made(dsn)
    assert [briefly(each) for each in (first, credit, second)] == [
        ("NL-TNM", 1, "cdr", 1, 400, 76),
        ("NL-TNM", 2, "credit", 2, -400, -76),
        ("NL-TNM", 3, "cdr", 2, 480, 91),
    ]
    assert credit.credits == first.cdr_id
    assert credit.body == first.body
    assert credit.energy_wh == -first.energy_wh
    assert second.said.replaces == first.cdr_id
    assert len({each.cdr_id for each in (first, credit, second)}) == 3


def test_a_correction_that_the_partner_would_not_see_makes_nothing(dsn: str) -> None:
    was = rated_as(session(token_uid=GUEST))
    decide_all(dsn, was, corrected_as(was, replace(was, flags=("seq_gap",))))

    follow(dsn)

    assert [briefly(each) for each in all_made(dsn)] == [("NL-TNM", 1, "cdr", 1, 400, 76)]


def test_what_is_given_back_whole_is_credited_alone_and_what_is_owed_again_made_again(
    dsn: str,
) -> None:
    was = rated_as(session(token_uid=GUEST))
    moment = replace(was.moment, position=20)
    chosen = Release(by="ann", reason="station fault")
    free = give_back(
        was, [], moment, NO_ENTITLEMENTS.allowances, chosen=chosen, cause=CorrectionCause.CREDIT
    )
    again = corrected_as(free, replace(was, given_back=()), position=21)
    decide_all(dsn, was, free, again)

    follow(dsn)

    assert [briefly(each)[2:5] for each in all_made(dsn)] == [
        ("cdr", 1, 400),
        ("credit", 2, -400),
        ("cdr", 3, 400),
    ]


def test_another_partner_gets_its_cdr_and_the_first_one_a_credit(dsn: str) -> None:
    declare_partner(dsn, PARTNER, "FR-XYZ")
    was = rated_as(session(token_uid=GUEST))
    now = rated_as(session(token_uid="other-1"), roaming_depot(None, *OTHER))
    decide_all(dsn, was, corrected_as(was, now))

    follow(dsn)

    made = all_made(dsn)
    assert [briefly(each)[:4] for each in made] == [
        ("FR-XYZ", 1, "cdr", 2),
        ("NL-TNM", 1, "cdr", 1),
        ("NL-TNM", 2, "credit", 2),
    ]
    assert made[0].said.replaces is None


def test_a_partner_that_is_declared_later_gets_what_waited_for_it(database: str) -> None:
    declare_depot(database, partner=None)
    decide_all(database, rated_as(session(1, token_uid=GUEST)))
    maker = follow(database)
    with connect(database) as connection:
        [waiting] = refused_cdrs(connection)
    assert (waiting.code, waiting.party, waiting.revision) == ("partner_undeclared", "NL-TNM", 1)
    assert all_made(database) == []

    declare_partner(database, PARTNER)
    decide_all(database, rated_as(session(2, token_uid=GUEST), position=2))
    follow(database, maker)

    assert sorted(each.number for each in all_made(database)) == [1, 2]
    with connect(database) as connection:
        assert refused_cdrs(connection) == []


def test_a_session_that_no_version_can_say_stops_no_other_and_is_on_the_list(dsn: str) -> None:
    odd = rated_as(session(1, token_uid=GUEST), position=1)
    # Taxes on nothing at all: no VAT gives them.
    lines = tuple(replace(e, net=Decimal(0), net_minor=0) for e in odd.lines)
    odd = replace(odd, lines=lines, net_minor=0)
    no_periods = replace(rated_as(session(2, token_uid=GUEST), position=2), partner_share=None)
    good = rated_as(session(3, token_uid=GUEST), position=3)
    decide_all(dsn, odd, no_periods, good)

    follow(dsn)

    assert [each.session_id for each in all_made(dsn)] == [good.session_id]
    with connect(dsn) as connection:
        found = {each.session_id: each.code for each in refused_cdrs(connection)}
        [first, *_] = refused_cdrs(connection, party="NL-TNM")
    assert found == {odd.session_id: "total_differs", no_periods.session_id: "no_periods"}
    assert "it gives 400, not 0 minor units" in first.reason


def test_time_never_goes_back_among_a_partners_cdrs(dsn: str) -> None:
    clock = iter((LATER, LATER - timedelta(hours=1)))
    maker = CdrMaker(lambda: next(clock))
    for number in (1, 2):
        decide_all(dsn, rated_as(session(number, token_uid=GUEST), position=number))
        follow(dsn, maker)

    assert [each.made_at for each in all_made(dsn)] == [LATER, LATER]


def test_who_is_told_of_new_cdrs_hears_of_each_in_its_transaction(dsn: str) -> None:
    heard: list[str] = []
    decide_all(dsn, rated_as(session(token_uid=GUEST)))

    follow(dsn, CdrMaker(lambda: LATER, lambda _, made: heard.extend(e.cdr_id for e in made)))

    assert heard == [each.cdr_id for each in all_made(dsn)]


def test_two_makers_at_once_leave_no_gap_and_make_nothing_twice(dsn: str) -> None:
    decide_all(dsn, *(rated_as(session(n, token_uid=GUEST), position=n) for n in range(1, 6)))
    with connect(dsn) as one, connect(dsn) as other:
        page = read_feed(one, 0, start=1, limit=10)
        with one.transaction():
            CdrMaker(lambda: LATER).follow(one, page[:3])
            other.execute("SET lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable), other.transaction():
                CdrMaker(lambda: LATER).follow(other, page)
        with other.transaction():
            CdrMaker(lambda: LATER).follow(other, page)

    assert [each.number for each in all_made(dsn)] == [1, 2, 3, 4, 5]
    assert all(isinstance(each, FeedEntry) for each in page)


def test_a_frozen_cdr_cannot_be_changed(dsn: str) -> None:
    decide_all(dsn, rated_as(session(token_uid=GUEST)))
    follow(dsn)

    for query in ("UPDATE roaming_cdr SET net_minor = 1", "DELETE FROM roaming_cdr"):
        with connect(dsn) as connection, pytest.raises(psycopg.errors.RaiseException):
            connection.execute(query)


def test_a_mark_up_is_on_top_of_our_price_and_in_the_cdrs_own_tariff(database: str) -> None:
    declare_depot(database, replace(PARTNER, mark_up_percent=Decimal("5.5")))
    decide_all(database, rated_as(session(token_uid=GUEST)))

    follow(database)

    [made] = all_made(database)
    assert (made.net_minor, made.tax_minor) == (422, 80)
    [form] = made.said.forms
    assert form.tariffs[0].elements[0].price_components[0].price == Decimal("0.422")
    assert [note.code for note in made.notes if note.version is None] == [
        "mark_up",
        "place_incomplete",
    ]
    assert made.kind is CdrKind.CDR
    assert made.made_at > NOON


def test_odd_characters_in_what_is_said_of_a_cdr_stop_nobody(dsn: str) -> None:
    """A tariff that was read from OCPI may have in its words what the database takes in no text."""
    decide_all(dsn, rated_as(session(token_uid=GUEST)))
    follow(dsn)
    [made] = all_made(dsn)
    odd = replace(
        made,
        cdr_id="odd",
        session_id="odd",
        number=2,
        notes=(CdrNote(code="not_said", message="a\0b\u202e"),),
    )
    with connect(dsn) as connection:
        add_cdrs(connection, [odd])
        refuse(connection, [RefusedCdr("odd", 1, "NL-TNM", "unpriceable", "a\0b", LATER)])
        [refused] = refused_cdrs(connection)

    assert refused.reason == r"a\x00b"
    assert [note.message for note in all_made(dsn)[1].notes] == [r"a\x00b\u202e"]
